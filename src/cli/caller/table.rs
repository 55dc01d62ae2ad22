//! The table that `caller list` prints.

use std::io::{self, Write};

use crate::config::settings::caller::{CallerSettings, OneOrMany};

/// Enough of a digest to tell keys apart, and to name one to `caller revoke --key`.
const DIGEST_CHARACTERS: usize = "sha256:".len() + 12;

/// The digests of a caller's keys, shortened.
pub(super) fn digests(caller: &CallerSettings) -> Vec<String> {
    let keys = caller.key.as_ref().map_or(&[][..], OneOrMany::as_slice);
    // Anything else may be a key itself, which is never shown.
    let digests = keys.iter().filter(|it| it.starts_with("sha256:"));
    let shortened = digests.map(|it| it.chars().take(DIGEST_CHARACTERS).collect());
    shortened.collect()
}

/// What allows and what denies, in one line.
fn rules(caller: &CallerSettings) -> String {
    let policies = caller.policy.iter().map(|it| format!("policy {it}"));
    let denied = caller.deny.iter().map(|it| format!("not {it}"));
    let all = policies.chain(caller.allow.iter().cloned()).chain(denied);
    let all: Vec<String> = all.collect();
    if all.is_empty() {
        return "nothing is allowed".to_owned();
    }
    all.join(", ")
}

/// One row a caller; a caller with several keys has a row for each.
///
/// # Errors
/// `out` cannot be written.
pub(super) fn write<'a>(
    callers: impl Iterator<Item = (&'a String, &'a CallerSettings)>,
    location: impl Fn(&str) -> String,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut rows = vec![["NAME", "KEY", "EXPIRES", "RULES", "DEFINED AT"].map(String::from)];
    for (name, caller) in callers {
        let mut digests = digests(caller).into_iter();
        rows.push([
            name.clone(),
            digests.next().unwrap_or_else(|| "none".to_owned()),
            caller.expires.clone().unwrap_or_else(|| "never".to_owned()),
            rules(caller),
            location(name),
        ]);
        rows.extend(digests.map(|it| {
            [
                String::new(),
                it,
                String::new(),
                String::new(),
                String::new(),
            ]
        }));
    }
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|it| it.chars().count()).max().unwrap_or_default()
    };
    let widths = [0, 1, 2, 3, 4].map(width);
    for row in &rows {
        let cells = row.iter().zip(widths);
        let line: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        writeln!(out, "{}", line.join("  ").trim_end())?;
    }
    Ok(())
}
