//! The table: what each command's help says beside its flags.

use crate::cli::exit::ExitStatus;

/// What a command's help says beside its flags.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct CommandHelp {
    /// As it is typed after the program's name: `caller add`; empty for the program itself.
    pub path: &'static str,
    /// What each does, and the line that is typed.
    pub examples: &'static [(&'static str, &'static str)],
    /// In the order of their numbers.
    pub exits: &'static [(ExitStatus, &'static str)],
}

use ExitStatus::{
    AuditBroken, ConfigurationWrong, Degraded, Done, Failed, LoginNeeded, Refused, TryAgainLater,
    WrongUsage,
};

const WRONG_CONFIGURATION: (ExitStatus, &str) = (ConfigurationWrong, "the configuration is wrong");
const WRONG_USAGE: (ExitStatus, &str) = (WrongUsage, "wrong usage");

/// What changes a caller ends alike.
const CALLER_EXITS: &[(ExitStatus, &str)] = &[
    (Done, "done"),
    (
        Failed,
        "failed: there is no such caller, or its file cannot be written",
    ),
    WRONG_USAGE,
    WRONG_CONFIGURATION,
];

const OPS_EXITS: &[(ExitStatus, &str)] = &[
    (Done, "found"),
    (Failed, "no operation matches"),
    WRONG_USAGE,
];

const PRINT_EXITS: &[(ExitStatus, &str)] = &[(Done, "printed"), WRONG_USAGE];

pub(super) const COMMANDS: &[CommandHelp] = &[
    CommandHelp {
        path: "",
        examples: &[
            ("Try it without an account", "ninjaone-proxy sandbox"),
            (
                "Write a configuration, then serve",
                "ninjaone-proxy init && ninjaone-proxy run",
            ),
            (
                "Add a caller that may read",
                "ninjaone-proxy caller add powerbi --allow read",
            ),
            ("See how it is doing", "ninjaone-proxy status"),
        ],
        exits: &[
            (Done, "done, allowed, healthy"),
            (Failed, "failed"),
            WRONG_USAGE,
            (LoginNeeded, "a user must log in"),
            (Refused, "the policy refuses the request"),
            (Degraded, "works, but something needs attention"),
            (AuditBroken, "the audit log does not verify"),
            (TryAgainLater, "try again later"),
            (
                ConfigurationWrong,
                "the configuration is wrong: a restart does not help",
            ),
        ],
    },
    CommandHelp {
        path: "run",
        examples: &[
            (
                "Serve with a configuration file",
                "ninjaone-proxy run --config ninjaone-proxy.toml",
            ),
            ("Log as JSON, with details", "ninjaone-proxy run --json -v"),
        ],
        exits: &[
            (Done, "stopped as asked"),
            (Failed, "could not start, or did not stop in time"),
            WRONG_USAGE,
            WRONG_CONFIGURATION,
        ],
    },
    CommandHelp {
        path: "sandbox",
        examples: &[
            (
                "Start the proxy and a simulated NinjaOne",
                "ninjaone-proxy sandbox",
            ),
            (
                "The simulator alone, for tests",
                "ninjaone-proxy sandbox --only-ninjaone",
            ),
            (
                "On other ports",
                "ninjaone-proxy sandbox --listen 127.0.0.1:7465 --admin 127.0.0.1:7466",
            ),
        ],
        exits: &[
            (Done, "stopped as asked"),
            (Failed, "could not start, such as when a port is taken"),
            (
                WrongUsage,
                "wrong usage, or an address that only --expose opens",
            ),
        ],
    },
    CommandHelp {
        path: "healthcheck",
        examples: &[
            (
                "In a Dockerfile",
                "HEALTHCHECK CMD [\"ninjaone-proxy\", \"healthcheck\"]",
            ),
            (
                "Is it ready to serve?",
                "ninjaone-proxy healthcheck --ready",
            ),
        ],
        exits: &[
            (Done, "alive or, with --ready, ready"),
            (Failed, "not so, or no answer within two seconds"),
            WRONG_USAGE,
        ],
    },
    CommandHelp {
        path: "reload",
        examples: &[("Load the changed configuration", "ninjaone-proxy reload")],
        exits: &[
            (Done, "loaded"),
            (Failed, "the proxy cannot be reached, or you may not ask it"),
            WRONG_USAGE,
            (
                ConfigurationWrong,
                "rejected; the old configuration stays in force",
            ),
        ],
    },
    CommandHelp {
        path: "drain",
        examples: &[(
            "Stop, and wait for the end",
            "ninjaone-proxy drain --wait --timeout 1m",
        )],
        exits: &[
            (Done, "draining or, with --wait, ended"),
            (Failed, "the proxy cannot be reached, or you may not ask it"),
            WRONG_USAGE,
            (TryAgainLater, "it has not ended in time"),
        ],
    },
    CommandHelp {
        path: "init",
        examples: &[
            ("Be asked", "ninjaone-proxy init"),
            (
                "In a script",
                "ninjaone-proxy init --no-input --region eu --client-id ID --client-secret-file FILE",
            ),
        ],
        exits: &[
            (Done, "written"),
            (Failed, "a file exists already, or cannot be written"),
            (WrongUsage, "an answer is missing or wrong"),
            (TryAgainLater, "NinjaOne cannot be reached"),
            (ConfigurationWrong, "NinjaOne refuses the credentials"),
        ],
    },
    CommandHelp {
        path: "login",
        examples: &[
            ("Log in to the only tenant", "ninjaone-proxy login"),
            (
                "From a machine without a browser",
                "ninjaone-proxy login acme --paste",
            ),
        ],
        exits: &[
            (Done, "logged in"),
            (Failed, "failed"),
            (WrongUsage, "wrong usage, or there is no such tenant"),
            (TryAgainLater, "try again later"),
            WRONG_CONFIGURATION,
        ],
    },
    CommandHelp {
        path: "logout",
        examples: &[("Log out of a tenant", "ninjaone-proxy logout acme")],
        exits: &[
            (Done, "revoked and deleted, or there was no login"),
            (Failed, "not deleted, or NinjaOne did not confirm"),
            (WrongUsage, "wrong usage, or there is no such tenant"),
            (TryAgainLater, "another process is using the login"),
            WRONG_CONFIGURATION,
        ],
    },
    CommandHelp {
        path: "caller add",
        examples: &[
            (
                "One that may read",
                "ninjaone-proxy caller add powerbi --allow read",
            ),
            (
                "One with a policy, until a day",
                "ninjaone-proxy caller add helpdesk --policy helpdesk --expires 2030-01-01",
            ),
        ],
        exits: CALLER_EXITS,
    },
    CommandHelp {
        path: "caller key",
        examples: &[(
            "For a Kubernetes secret",
            "ninjaone-proxy caller key reports --allow read",
        )],
        exits: &[(Done, "printed"), (Failed, "failed"), WRONG_USAGE],
    },
    CommandHelp {
        path: "caller list",
        examples: &[
            ("For people", "ninjaone-proxy caller list"),
            ("For programs", "ninjaone-proxy caller list --json"),
        ],
        exits: CALLER_EXITS,
    },
    CommandHelp {
        path: "caller show",
        examples: &[("All of its settings", "ninjaone-proxy caller show powerbi")],
        exits: CALLER_EXITS,
    },
    CommandHelp {
        path: "caller allow",
        examples: &[
            (
                "An operation",
                "ninjaone-proxy caller allow powerbi getDevices",
            ),
            (
                "A method and a path",
                "ninjaone-proxy caller allow powerbi \"POST /v2/ticketing/ticket\"",
            ),
            (
                "Take it back",
                "ninjaone-proxy caller allow powerbi getDevices --remove",
            ),
        ],
        exits: CALLER_EXITS,
    },
    CommandHelp {
        path: "caller deny",
        examples: &[
            (
                "Whatever reads secrets",
                "ninjaone-proxy caller deny powerbi secrets",
            ),
            (
                "Take it back",
                "ninjaone-proxy caller deny powerbi secrets --remove",
            ),
        ],
        exits: CALLER_EXITS,
    },
    CommandHelp {
        path: "caller set",
        examples: &[
            (
                "A rate limit",
                "ninjaone-proxy caller set powerbi --rate 60/min",
            ),
            (
                "An end",
                "ninjaone-proxy caller set powerbi --expires 2030-01-01",
            ),
        ],
        exits: CALLER_EXITS,
    },
    CommandHelp {
        path: "caller rotate",
        examples: &[
            ("Add a second key", "ninjaone-proxy caller rotate powerbi"),
            ("After a leak", "ninjaone-proxy caller rotate powerbi --now"),
        ],
        exits: CALLER_EXITS,
    },
    CommandHelp {
        path: "caller revoke",
        examples: &[
            ("The whole caller", "ninjaone-proxy caller revoke powerbi"),
            (
                "One of its keys",
                "ninjaone-proxy caller revoke powerbi --key sha256:5b1f",
            ),
        ],
        exits: CALLER_EXITS,
    },
    CommandHelp {
        path: "status",
        examples: &[
            ("On one screen", "ninjaone-proxy status"),
            (
                "Another proxy",
                "ninjaone-proxy status --admin http://127.0.0.1:6466",
            ),
        ],
        exits: &[
            (Done, "healthy"),
            (Failed, "down, or not reachable"),
            WRONG_USAGE,
            (LoginNeeded, "a user must log in"),
            (Degraded, "works, but something needs attention"),
            (TryAgainLater, "starting or draining"),
        ],
    },
    CommandHelp {
        path: "doctor",
        examples: &[
            ("Everything", "ninjaone-proxy doctor"),
            ("Without asking NinjaOne", "ninjaone-proxy doctor --offline"),
        ],
        exits: &[
            (Done, "nothing needs attention"),
            (Failed, "something does not work"),
            (WrongUsage, "wrong usage, or there is no such tenant"),
            (LoginNeeded, "a user must log in"),
            (Degraded, "works, but something needs attention"),
            WRONG_CONFIGURATION,
        ],
    },
    CommandHelp {
        path: "explain",
        examples: &[
            (
                "May this caller do this?",
                "ninjaone-proxy explain powerbi GET /v2/devices",
            ),
            (
                "What happened to a request?",
                "ninjaone-proxy explain 01K9YJ5E8QX2V7R3T4W6Z8A1BC",
            ),
        ],
        exits: &[
            (Done, "allowed, or answered by the proxy itself"),
            (Failed, "there is no such caller or request"),
            WRONG_USAGE,
            (
                LoginNeeded,
                "refused: a user must log in first, or the identity is not configured",
            ),
            (Refused, "refused"),
            (
                TryAgainLater,
                "refused for now; or the line of this request may still come",
            ),
            WRONG_CONFIGURATION,
        ],
    },
    CommandHelp {
        path: "ops list",
        examples: &[
            (
                "Whatever changes tickets",
                "ninjaone-proxy ops list --class write ticket",
            ),
            (
                "Whatever is dangerous",
                "ninjaone-proxy ops list --class dangerous",
            ),
        ],
        exits: OPS_EXITS,
    },
    CommandHelp {
        path: "ops show",
        examples: &[("One operation", "ninjaone-proxy ops show getDevices")],
        exits: OPS_EXITS,
    },
    CommandHelp {
        path: "config check",
        examples: &[
            ("Before a reload", "ninjaone-proxy config check"),
            (
                "In a GitHub workflow",
                "ninjaone-proxy config check --config proxy.toml --format github",
            ),
        ],
        exits: &[(Done, "valid"), WRONG_USAGE, WRONG_CONFIGURATION],
    },
    CommandHelp {
        path: "config show",
        examples: &[
            ("What is in force", "ninjaone-proxy config show"),
            ("What the files say", "ninjaone-proxy config show --offline"),
        ],
        exits: &[
            (Done, "shown"),
            (Failed, "the proxy cannot be asked"),
            WRONG_USAGE,
            WRONG_CONFIGURATION,
        ],
    },
    CommandHelp {
        path: "config schema",
        examples: &[(
            "For an editor",
            "ninjaone-proxy config schema > ninjaone-proxy.schema.json",
        )],
        exits: PRINT_EXITS,
    },
    CommandHelp {
        path: "audit verify",
        examples: &[
            (
                "The log of the configuration",
                "ninjaone-proxy audit verify",
            ),
            ("A copy of it", "ninjaone-proxy audit verify /backup/audit"),
        ],
        exits: &[
            (Done, "whole"),
            (Failed, "it cannot be read"),
            WRONG_USAGE,
            (AuditBroken, "broken"),
            WRONG_CONFIGURATION,
        ],
    },
    CommandHelp {
        path: "completions",
        examples: &[
            (
                "bash, in ~/.bashrc",
                "source <(ninjaone-proxy completions bash)",
            ),
            (
                "zsh, in ~/.zshrc",
                "source <(ninjaone-proxy completions zsh)",
            ),
            (
                "fish, in ~/.config/fish/config.fish",
                "ninjaone-proxy completions fish | source",
            ),
        ],
        exits: PRINT_EXITS,
    },
    CommandHelp {
        path: "man",
        examples: &[
            ("Read a page", "ninjaone-proxy man caller add | man -l -"),
            (
                "Install all pages",
                "ninjaone-proxy man --directory /usr/local/share/man/man1",
            ),
        ],
        exits: &[
            (Done, "printed or written"),
            (Failed, "a page cannot be written"),
            (WrongUsage, "wrong usage, or there is no such command"),
        ],
    },
    CommandHelp {
        path: "version",
        examples: &[("For programs", "ninjaone-proxy version --json")],
        exits: PRINT_EXITS,
    },
    CommandHelp {
        path: "help",
        examples: &[
            ("Of a command", "ninjaone-proxy help caller add"),
            ("Of a problem code", "ninjaone-proxy help policy-denied"),
            ("Of an exit code", "ninjaone-proxy help 78"),
        ],
        exits: &[
            (Done, "printed"),
            (Failed, "nothing of that name is known"),
            WRONG_USAGE,
        ],
    },
];
