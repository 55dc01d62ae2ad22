//! What the sandbox says first: where it listens, the keys, and requests to try. At most 12 lines, none so long that a terminal
//! of 100 columns wraps it.

use std::net::SocketAddr;

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use crate::app::{VERSION, sandbox::SandboxKeys};

/// The shell that the lines are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    /// POSIX: sh, bash, zsh
    Sh,
    /// PowerShell 7
    Pwsh,
}

/// Where the sandbox listens, and its keys.
pub(super) struct Greeting<'g> {
    /// URLs without a path.
    pub callers: &'g str,
    pub admin: &'g str,
    pub ninjaone: SocketAddr,
    pub keys: &'g SandboxKeys,
    /// Whether others can reach the callers' port.
    pub is_exposed: bool,
}

impl Greeting<'_> {
    /// For people.
    #[must_use]
    pub(super) fn text(&self, shell: Shell) -> String {
        let mut lines = vec![format!(
            "# ninjaone-proxy {VERSION} and a simulated NinjaOne ({}); admin: {}",
            self.ninjaone, self.admin
        )];
        let (assignments, requests) = match shell {
            Shell::Sh => (self.sh_assignments(), sh_requests(self.admin)),
            Shell::Pwsh => (self.pwsh_assignments(), pwsh_requests(self.admin)),
        };
        lines.extend(assignments);
        lines.push(
            "# These answer 200, 403 (refused by policy), 204 (a write), 204 (as the user) and 200:"
                .to_owned(),
        );
        lines.extend(requests);
        lines.push(
            if self.is_exposed {
                "# Anybody who reaches that address and has a key may call. Ctrl-C stops the sandbox."
            } else {
                "# Requests appear below as they happen. Ctrl-C stops the sandbox."
            }
            .to_owned(),
        );
        lines.join("\n") + "\n"
    }

    fn sh_assignments(&self) -> Vec<String> {
        let url = format!("export URL={}", self.callers);
        let keys = self.keys.iter();
        let keys = keys.map(|(name, key)| format!("export {}={key}", name.to_ascii_uppercase()));
        [url].into_iter().chain(keys).collect()
    }

    fn pwsh_assignments(&self) -> Vec<String> {
        let url = format!("$URL = '{}'", self.callers);
        let keys = self.keys.iter().map(|(name, key)| {
            let name = name.to_ascii_uppercase();
            format!("${name} = @{{ 'X-Api-Key' = '{key}' }}")
        });
        [url].into_iter().chain(keys).collect()
    }

    /// For programs: one object.
    #[must_use]
    pub(super) fn json(&self) -> String {
        let keys: Map<String, Value> = self
            .keys
            .iter()
            .map(|(name, key)| (name.to_owned(), Value::from(key)))
            .collect();
        let object = json!({
            "schema": "sandbox/1",
            "version": VERSION,
            "callers": self.callers,
            "admin": self.admin,
            "ninjaone": format!("http://{}", self.ninjaone),
            "keys": keys,
        });
        format!("{object}\n")
    }
}

fn sh_requests(admin: &str) -> [String; 5] {
    [
        r#"curl -H "X-Api-Key: $REPORTING" "$URL/v2/organizations""#.to_owned(),
        r#"curl -H "X-Api-Key: $REPORTING" -X POST "$URL/v2/devices/approval/APPROVE""#.to_owned(),
        r#"curl -H "X-Api-Key: $OPERATOR" -X POST "$URL/v2/device/101/reboot/NORMAL""#.to_owned(),
        r#"curl -H "X-Api-Key: $HELPDESK" -d '{"type":"SCRIPT","id":1}' "$URL/v2/device/101/script/run""#
            .to_owned(),
        format!("curl {admin}/status"),
    ]
}

fn pwsh_requests(admin: &str) -> [String; 5] {
    [
        r#"irm "$URL/v2/organizations" -Headers $REPORTING"#.to_owned(),
        r#"irm "$URL/v2/devices/approval/APPROVE" -Method Post -Headers $REPORTING"#.to_owned(),
        r#"irm "$URL/v2/device/101/reboot/NORMAL" -Method Post -Headers $OPERATOR"#.to_owned(),
        r#"irm "$URL/v2/device/101/script/run" -Method Post -Headers $HELPDESK -Body '{"id":1}'"#
            .to_owned(),
        format!("irm {admin}/status"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greeting_has_at_most_12_lines_of_at_most_100_columns() {
        let keys = SandboxKeys::from_seed(1);
        let greeting = Greeting {
            callers: "http://127.0.0.1:65535",
            admin: "http://127.0.0.1:65534",
            ninjaone: SocketAddr::from(([127, 0, 0, 1], 65533)),
            keys: &keys,
            is_exposed: false,
        };
        for shell in [Shell::Sh, Shell::Pwsh] {
            let text = greeting.text(shell);
            assert!(text.lines().count() <= 12, "{text}");
            assert!(text.lines().all(|it| it.len() <= 100), "{text}");
        }
    }
}
