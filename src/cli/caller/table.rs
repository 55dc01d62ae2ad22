//! The table that `caller list` prints.

use std::io::{self, Write};

use crate::{
    admin::health::humanize_duration,
    clock::Timestamp,
    config::{
        settings::caller::{CallerSettings, OneOrMany},
        value::expiry,
    },
};

use super::last_use::LastUse;

/// Enough of a digest to tell keys apart, and to name one to `caller revoke --key`.
const DIGEST_CHARACTERS: usize = "sha256:".len() + 12;
/// Where there is nothing to say.
const NOTHING: &str = "–";

const HEADERS: [&str; 7] = [
    "NAME",
    "KEY",
    "AGE",
    "EXPIRES",
    "LAST USED",
    "RULES",
    "DEFINED AT",
];

/// The digests of a caller's keys, shortened.
pub(super) fn digests(caller: &CallerSettings) -> Vec<String> {
    let keys = caller.key.as_ref().map_or(&[][..], OneOrMany::as_slice);
    // Anything else may be a key itself, which is never shown.
    let digests = keys.iter().filter(|it| it.starts_with("sha256:"));
    let shortened = digests.map(|it| it.chars().take(DIGEST_CHARACTERS).collect());
    shortened.collect()
}

/// Seconds since the caller was made; none if its file does not say.
pub(super) fn age_s(caller: &CallerSettings) -> Option<u64> {
    let created = expiry::parse(caller.created.as_ref()?).ok()?;
    Some(Timestamp::now().since(created).as_secs())
}

/// Whether its keys are no longer valid.
pub(super) fn is_expired(caller: &CallerSettings) -> bool {
    let expires = caller.expires.as_deref().map(expiry::parse);
    expires.is_some_and(|it| it.is_ok_and(|at| at <= Timestamp::now()))
}

fn expires(caller: &CallerSettings) -> String {
    match &caller.expires {
        None => "never".to_owned(),
        Some(at) if is_expired(caller) => format!("{at} (expired)"),
        Some(at) => at.clone(),
    }
}

fn last_used(name: &str, last_use: &LastUse) -> String {
    let at = last_use.of(name).and_then(|at| expiry::parse(at).ok());
    match at {
        Some(at) => {
            let age = Timestamp::now().since(at).as_secs();
            format!("{} ago", humanize_duration(age))
        }
        None if last_use.is_known(name) => "not yet".to_owned(),
        None => NOTHING.to_owned(),
    }
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
    last_use: &LastUse,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut rows = vec![HEADERS.map(String::from)];
    for (name, caller) in callers {
        let mut digests = digests(caller).into_iter();
        rows.push([
            name.clone(),
            digests.next().unwrap_or_else(|| "none".to_owned()),
            age_s(caller).map_or_else(|| NOTHING.to_owned(), humanize_duration),
            expires(caller),
            last_used(name, last_use),
            rules(caller),
            location(name),
        ]);
        rows.extend(digests.map(|digest| {
            let mut row = HEADERS.map(|_| String::new());
            let [_, key, ..] = &mut row;
            *key = digest;
            row
        }));
    }
    let mut widths = HEADERS.map(|_| 0);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in &rows {
        let cells = row.iter().zip(widths);
        let line: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        writeln!(out, "{}", line.join("  ").trim_end())?;
    }
    Ok(())
}
