//! Commands of this program in texts for operators, worded so that they work as typed: where this process was started with
//! `--config`, they name the same file.
//!
//! Texts name a command as `ninjaone-proxy login acme`. Whatever shows one to an operator passes it through here once; a command
//! that names a file already stays as it is.

use std::{borrow::Cow, path::Path, sync::OnceLock};

use crate::shell_word::shell_word;

const PROGRAM: &str = "ninjaone-proxy ";

/// The commands that work on a configuration, or on the proxy that runs with it. The others have no use for one.
const WITH_CONFIGURATION: [&str; 14] = [
    "run",
    "healthcheck",
    "reload",
    "drain",
    "init",
    "login",
    "logout",
    "caller",
    "status",
    "doctor",
    "explain",
    "ops",
    "config",
    "audit",
];

/// `--config FILE `, for this process; none where commands find the configuration without it.
static FLAG: OnceLock<String> = OnceLock::new();

/// From now on commands in texts name this file. Only the first call counts.
pub(crate) fn set_config(file: &Path) {
    let word = shell_word(&file.display().to_string());
    let _ = FLAG.set(format!("--config {word} "));
}

/// The text with its commands as they are to be typed.
#[must_use]
pub(crate) fn typed<'t>(text: impl Into<Cow<'t, str>>) -> Cow<'t, str> {
    let text = text.into();
    match FLAG.get() {
        Some(flag) if text.contains(PROGRAM) => Cow::Owned(with_flag(&text, flag)),
        _ => text,
    }
}

fn with_flag(text: &str, flag: &str) -> String {
    let mut typed = String::with_capacity(text.len() + flag.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(PROGRAM) {
        typed.push_str(before);
        typed.push_str(PROGRAM);
        let is_word = |it: char| it.is_ascii_lowercase() || it == '-';
        let end = after.find(|it| !is_word(it)).unwrap_or(after.len());
        let word = after.get(..end).unwrap_or_default();
        // `/run/ninjaone-proxy status` is no command of ours.
        let is_path = before.ends_with(['/', '-', '.']);
        if WITH_CONFIGURATION.contains(&word) && !is_path {
            typed.push_str(flag);
        }
        rest = after;
    }
    typed + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAG: &str = "--config '/etc/my proxy.toml' ";

    #[test]
    fn each_command_that_takes_a_configuration_names_it() {
        for (text, is) in [
            (
                "Log in: run 'ninjaone-proxy login acme'. Then ninjaone-proxy status.",
                "Log in: run 'ninjaone-proxy --config '/etc/my proxy.toml' login acme'. Then ninjaone-proxy --config '/etc/my proxy.toml' status.",
            ),
            (
                "See `ninjaone-proxy status`.",
                "See `ninjaone-proxy --config '/etc/my proxy.toml' status`.",
            ),
        ] {
            assert_eq!(with_flag(text, FLAG), is);
        }
    }

    #[test]
    fn what_is_no_such_command_stays_as_it_is() {
        for text in [
            "when ninjaone-proxy is started again",
            "try it: ninjaone-proxy sandbox",
            "ninjaone-proxy --config a.toml status",
            "systemctl start ninjaone-proxy",
            "~/.config/ninjaone-proxy status",
            "ninjaone-proxy statuses",
        ] {
            assert_eq!(with_flag(text, FLAG), text);
        }
    }
}
