//! Completions for shells: the script that a shell loads asks this program for candidates, so that they include the callers and
//! tenants of the configuration. No secret is needed for that.

use std::{
    ffi::{OsStr, OsString},
    io::{self, Write},
    path::PathBuf,
};

use clap::{Args, Command, ValueEnum};
use clap_complete::{
    CompleteEnv,
    engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate},
    env::Shells,
};
use serde_json::json;

use crate::{
    config::{read::load, settings::Settings},
    ninjaone::{catalogue::Catalogue, operation::RiskClass},
};

use super::{
    command, command_help,
    context::{ADMIN_VARIABLE, Context},
    exit::ExitStatus,
    global_args::GlobalArgs,
};

const PROGRAM: &str = "ninjaone-proxy";

/// Set by the shell's script: the name of the shell that asks.
const VARIABLE: &str = "NJP_COMPLETE";

const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: CompletedShell,
}

/// Those that the scripts are for; PowerShell by the name of its program as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CompletedShell {
    Bash,
    Elvish,
    Fish,
    #[value(name = "powershell", alias = "pwsh")]
    PowerShell,
    Zsh,
}

impl CompletedShell {
    /// Its name in `clap_complete`.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Elvish => "elvish",
            Self::Fish => "fish",
            Self::PowerShell => "powershell",
            Self::Zsh => "zsh",
        }
    }
}

/// What an argument may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ValueKind {
    Caller,
    Tenant,
    /// A tenant with a user identity.
    UserTenant,
    Operation,
    /// A class or an operation.
    Selector,
    Policy,
    MethodAndPath,
    Command,
}

/// The arguments whose values the configuration and the catalogue know: command, argument, kind.
const VALUES: &[(&str, &str, ValueKind)] = &[
    ("caller show", "name", ValueKind::Caller),
    ("caller allow", "name", ValueKind::Caller),
    ("caller allow", "selectors", ValueKind::Selector),
    ("caller deny", "name", ValueKind::Caller),
    ("caller deny", "selectors", ValueKind::Selector),
    ("caller set", "name", ValueKind::Caller),
    ("caller set", "policy", ValueKind::Policy),
    ("caller set", "tenant", ValueKind::Tenant),
    ("caller rotate", "name", ValueKind::Caller),
    ("caller revoke", "name", ValueKind::Caller),
    ("caller add", "allow", ValueKind::Selector),
    ("caller add", "deny", ValueKind::Selector),
    ("caller add", "policy", ValueKind::Policy),
    ("caller add", "tenant", ValueKind::Tenant),
    ("caller key", "allow", ValueKind::Selector),
    ("caller key", "deny", ValueKind::Selector),
    ("caller key", "policy", ValueKind::Policy),
    ("caller key", "tenant", ValueKind::Tenant),
    ("explain", "subject", ValueKind::Caller),
    ("explain", "request", ValueKind::MethodAndPath),
    ("explain", "tenant", ValueKind::Tenant),
    ("login", "tenant", ValueKind::UserTenant),
    ("logout", "tenant", ValueKind::UserTenant),
    ("doctor", "tenant", ValueKind::Tenant),
    ("ops show", "id", ValueKind::Operation),
    ("man", "command", ValueKind::Command),
];

/// Answers a shell that asks for candidates. `false` if none does, and a command is to run.
pub(super) fn answer() -> bool {
    // The script calls us so. Without it somebody only has the variable in their environment.
    if std::env::args_os().nth(1).is_none_or(|it| it != "--") {
        return false;
    }
    let asked = CompleteEnv::with_factory(|| add_to(command()))
        .var(VARIABLE)
        .try_complete(std::env::args_os(), std::env::current_dir().ok().as_deref());
    match asked {
        Ok(is_answered) => is_answered,
        Err(error) => {
            // Where not even this can be written, nobody reads.
            let _ = error.print();
            true
        }
    }
}

/// Prints the script of a shell.
///
/// # Errors
/// `out` cannot be written to.
pub(super) fn print(
    args: &CompletionsArgs,
    as_json: bool,
    out: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let shell = args.shell.as_str();
    let shells = Shells::builtins();
    let Some(writer) = shells.completer(shell) else {
        return Err(io::Error::other(format!(
            "there are no completions for {shell}"
        )));
    };
    let mut script = Vec::new();
    writer.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)?;
    if as_json {
        let script = String::from_utf8_lossy(&script);
        let object = json!({"schema": "completions/1", "shell": shell, "script": script});
        writeln!(out, "{object}")?;
    } else {
        out.write_all(&script)?;
    }
    Ok(ExitStatus::Done)
}

fn add_to(command: Command) -> Command {
    add_below(command, "")
}

fn add_below(command: Command, path: &str) -> Command {
    let command = command.mut_subcommands(|it| {
        let below = command_help::join(path, it.get_name());
        add_below(it, &below)
    });
    let known = |id: &str| {
        VALUES
            .iter()
            .find(|(command, argument, _)| *command == path && *argument == id)
            .map(|(_, _, kind)| *kind)
    };
    command.mut_args(|argument| match known(argument.get_id().as_str()) {
        Some(ValueKind::MethodAndPath) => argument.add(ArgValueCompleter::new(method_or_path)),
        Some(kind) => argument.add(ArgValueCandidates::new(move || candidates(kind))),
        None => argument,
    })
}

fn candidates(kind: ValueKind) -> Vec<CompletionCandidate> {
    let names = match kind {
        ValueKind::Caller => names(|it| it.caller.keys().cloned().collect()),
        ValueKind::Tenant => names(|it| it.tenant.keys().cloned().collect()),
        ValueKind::UserTenant => names(|it| {
            let users = it.tenant.iter().filter(|(_, tenant)| tenant.user.is_some());
            users.map(|(name, _)| name.clone()).collect()
        }),
        ValueKind::Policy => names(|it| it.policy.keys().cloned().collect()),
        ValueKind::Operation => operations(),
        ValueKind::Selector => {
            let classes = RiskClass::ALL.map(|it| it.as_str().to_owned());
            classes.into_iter().chain(operations()).collect()
        }
        ValueKind::MethodAndPath => return method_or_path(OsStr::new("")),
        ValueKind::Command => {
            let command = command();
            let visible = command.get_subcommands().filter(|it| !it.is_hide_set());
            visible.map(|it| it.get_name().to_owned()).collect()
        }
    };
    names.into_iter().map(CompletionCandidate::new).collect()
}

/// What a configuration names, even where it is wrong elsewhere; nothing where there is none.
fn names(of: impl Fn(&Settings) -> Vec<String>) -> Vec<String> {
    let context = context();
    // The command would work on the files of that proxy, and asking it may take too long.
    if context.named_config().is_none() && context.env_var(ADMIN_VARIABLE).is_some() {
        return Vec::new();
    }
    let sources = context.config_context().sources();
    let settings = sources.map(|it| load::read(&it).settings);
    settings.as_ref().map(of).unwrap_or_default()
}

fn context() -> Context {
    let named = named_config(std::env::args_os().skip(1));
    Context::new(&GlobalArgs::of_config(named))
}

/// `--config` of the line that is being completed. Some shells make a word of the `=`.
fn named_config(words: impl Iterator<Item = OsString>) -> Option<PathBuf> {
    let mut words = words.skip_while(|it| it != "--").skip(1);
    let mut named = None;
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        if let Some(file) = text.strip_prefix("--config=") {
            named = Some(PathBuf::from(file));
        } else if text == "--config" {
            let next = words.next().filter(|it| it != "=").or_else(|| words.next());
            named = next.map(PathBuf::from);
        }
    }
    named
}

fn operations() -> Vec<String> {
    let configuration = context().load_quietly();
    let added = configuration.map_or_else(Vec::new, |it| it.operations);
    let catalogue = Catalogue::with_added(added).unwrap_or_else(|_| Catalogue::builtin());
    catalogue.all().iter().map(|it| it.id.to_string()).collect()
}

/// The method, then a path of the catalogue.
fn method_or_path(current: &OsStr) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let mut values = if current.starts_with('/') {
        let catalogue = Catalogue::builtin();
        let all = catalogue.all().iter();
        all.map(|it| it.template.to_string()).collect()
    } else {
        METHODS.map(str::to_owned).to_vec()
    };
    values.retain(|it| it.starts_with(&*current));
    values.sort_unstable();
    values.dedup();
    values.into_iter().map(CompletionCandidate::new).collect()
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn each_argument_with_known_values_exists() {
        let mut command = command();
        command.build();
        for (path, argument, _) in VALUES {
            let mut found = &command;
            for word in path.split(' ') {
                found = found
                    .find_subcommand(word)
                    .unwrap_or_else(|| panic!("{path}"));
            }
            let exists = found.get_arguments().any(|it| it.get_id() == argument);
            assert!(exists, "{path} has no {argument}");
        }
    }

    #[test]
    fn the_configuration_of_the_line_is_found() {
        let named = |line: &str| {
            named_config(line.split(' ').map(OsString::from)).map(|it| it.display().to_string())
        };
        assert_eq!(
            named("-- ninjaone-proxy --config a.toml caller show").as_deref(),
            Some("a.toml")
        );
        assert_eq!(
            named("-- ninjaone-proxy caller show --config = a.toml").as_deref(),
            Some("a.toml")
        );
        assert_eq!(
            named("-- ninjaone-proxy --config=a.toml").as_deref(),
            Some("a.toml")
        );
        assert_eq!(named("-- ninjaone-proxy caller show"), None);
    }
}
