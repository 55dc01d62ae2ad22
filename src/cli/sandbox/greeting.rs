//! What the sandbox says first: where it listens, the keys, and commands to try. At most 12 lines, none so long that a terminal
//! of 100 columns wraps it.

use std::{net::SocketAddr, path::PathBuf};

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use crate::{
    app::{VERSION, sandbox::SandboxKeys},
    shell_word::shell_word,
};

use super::live_lines::LineFormat;

/// The shell that the lines are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    /// POSIX: sh, bash, zsh
    Sh,
    /// PowerShell 7
    Pwsh,
}

impl Shell {
    /// PowerShell sets `PSModulePath` for what it starts (`about_PSModulePath`); other shells have no reason to.
    pub(super) fn of_parent() -> Self {
        match std::env::var_os("PSModulePath") {
            Some(_) => Self::Pwsh,
            None => Self::Sh,
        }
    }
}

/// Where the sandbox listens, and its keys.
pub(super) struct Greeting<'g> {
    /// URLs without a path.
    pub callers: String,
    pub admin: &'g str,
    pub admin_socket: PathBuf,
    /// Where the program is, if the shell does not find it by its name.
    pub program_directory: Option<PathBuf>,
    pub ninjaone: SocketAddr,
    pub keys: &'g SandboxKeys,
    /// Whether others can reach the callers' port.
    pub is_exposed: bool,
}

impl Greeting<'_> {
    #[must_use]
    pub(super) fn print(&self, format: LineFormat, shell: Shell) -> String {
        match format {
            LineFormat::Json => self.json(),
            LineFormat::Text { .. } => self.text(shell),
        }
    }

    fn text(&self, shell: Shell) -> String {
        let about = if self.is_exposed {
            "that other machines may call, with these keys".to_owned()
        } else {
            format!("({}); admin: {}", self.ninjaone, self.admin)
        };
        let mut lines = vec![format!(
            "# ninjaone-proxy {VERSION} and a simulated NinjaOne {about}"
        )];
        let (assignments, commands) = match shell {
            Shell::Sh => (self.sh_assignments(), SH_COMMANDS),
            Shell::Pwsh => (self.pwsh_assignments(), PWSH_COMMANDS),
        };
        lines.extend(assignments);
        lines.push(
            "# In a second window: 200, 403 (refused), 204, 204 (as the user) and 'whole'. Ctrl-C stops it here."
                .to_owned(),
        );
        lines.extend(commands.map(str::to_owned));
        lines.join("\n") + "\n"
    }

    fn sh_assignments(&self) -> Vec<String> {
        let socket = shell_word(&self.admin_socket.display().to_string());
        let path = self.program_directory.iter().map(|it| {
            let directory = shell_word(&it.display().to_string());
            format!("export PATH={directory}:\"$PATH\"")
        });
        let addresses = format!("export URL={} NJP_ADMIN={socket}", self.callers);
        let keys = self.keys.iter();
        let keys = keys.map(|(name, key)| format!("export {}={key}", name.to_ascii_uppercase()));
        path.chain([addresses]).chain(keys).collect()
    }

    fn pwsh_assignments(&self) -> Vec<String> {
        let quoted = |it: &PathBuf| format!("'{}'", it.display().to_string().replace('\'', "''"));
        let path = self.program_directory.iter();
        let path = path.map(|it| format!("$env:PATH = {} + ':' + $env:PATH", quoted(it)));
        let addresses = format!(
            "$URL = '{}'; $env:NJP_ADMIN = {}",
            self.callers,
            quoted(&self.admin_socket)
        );
        let keys = self.keys.iter().map(|(name, key)| {
            let name = name.to_ascii_uppercase();
            format!("${name} = @{{ 'X-Api-Key' = '{key}' }}")
        });
        path.chain([addresses]).chain(keys).collect()
    }

    /// For programs: one object.
    fn json(&self) -> String {
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
            "admin_socket": self.admin_socket,
            "ninjaone": format!("http://{}", self.ninjaone),
            "keys": keys,
        });
        format!("{object}\n")
    }
}

const SH_COMMANDS: [&str; 5] = [
    r#"curl -H "X-Api-Key: $REPORTING" "$URL/v2/organizations""#,
    r#"curl -H "X-Api-Key: $REPORTING" -X POST "$URL/v2/devices/approval/APPROVE""#,
    r#"curl -H "X-Api-Key: $OPERATOR" -X POST "$URL/v2/device/101/reboot/NORMAL""#,
    r#"curl -H "X-Api-Key: $HELPDESK" -d '{"type":"SCRIPT","id":1}' "$URL/v2/device/101/script/run""#,
    "ninjaone-proxy audit verify",
];

const PWSH_COMMANDS: [&str; 5] = [
    r#"irm "$URL/v2/organizations" -Headers $REPORTING"#,
    r#"irm "$URL/v2/devices/approval/APPROVE" -Method Post -Headers $REPORTING"#,
    r#"irm "$URL/v2/device/101/reboot/NORMAL" -Method Post -Headers $OPERATOR"#,
    r#"irm "$URL/v2/device/101/script/run" -Method Post -Headers $HELPDESK -Body '{"id":1}'"#,
    "ninjaone-proxy audit verify",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greeting_has_at_most_12_lines_of_at_most_100_columns() {
        let keys = SandboxKeys::from_seed(1);
        let greeting = Greeting {
            callers: "http://127.0.0.1:65535".to_owned(),
            admin: "http://127.0.0.1:65534",
            admin_socket: PathBuf::from("/tmp/njp-sandbox-01234567/admin.sock"),
            program_directory: Some(PathBuf::from(
                "/home/somebody/src/ninjaone-proxy/target/release",
            )),
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
