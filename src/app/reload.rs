//! Loads the configuration again while requests are served: all or nothing. A wrong file changes nothing and says so.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use crate::{
    admin::logins::Place,
    audit::entry::Event,
    config::{
        self, Config, Store,
        problem::{Problems, Warning},
        sources::Sources,
    },
    names::CallerName,
    net::tls::{ServerCertificate, ServerConfig, TlsError},
    ninjaone::{catalogue::Catalogue, operation::Operation},
    proxy::rules::Rules,
};

use super::{logins, program::Program, status::ConfigState, watch::Look};

/// The configuration's files as they were last seen.
pub struct Reloader {
    sources: Sources,
    watched: Vec<PathBuf>,
    /// As they were when the configuration was read.
    loaded: Look,
    /// As they were at the last look, if that was different.
    changed: Option<Look>,
    fixed: Fixed,
}

/// Settings that take effect at the next start only.
struct Fixed {
    /// As text, with the name that the operator knows.
    texts: [(&'static str, String); 10],
    store: Option<Store>,
}

impl Fixed {
    fn of(config: &Config) -> Self {
        let (listen, admin) = (&config.listen, &config.admin);
        let sockets = format!("{:?} {:?} {:?}", listen.http, listen.https, listen.unix);
        let connections = (listen.connections_max, listen.connections_per_peer_max);
        let on_failure = config.audit.serve_reads_unrecorded;
        let texts = [
            ("listen", sockets),
            ("listen.workers", listen.workers.to_string()),
            ("listen.connections", format!("{connections:?}")),
            (
                "listen.unproven_idle",
                format!("{:?}", listen.unproven_idle),
            ),
            ("listen.max_header", listen.head_bytes_max.to_string()),
            ("listen.drain", format!("{:?}", listen.drain)),
            ("admin", format!("{admin:?}")),
            ("audit.path", config.audit.path.display().to_string()),
            ("audit.on_failure", on_failure.to_string()),
            ("telemetry", format!("{:?}", config.telemetry)),
        ];
        Self {
            texts,
            store: config.store.clone(),
        }
    }

    fn differences(&self, other: &Self) -> Vec<&'static str> {
        let pairs = self.texts.iter().zip(&other.texts);
        let texts = pairs
            .filter(|(own, others)| own != others)
            .map(|((name, _), _)| *name);
        // Its seals are secrets: compared, never printed.
        let store = (self.store != other.store).then_some("store");
        texts.chain(store).collect()
    }
}

/// The operations that selectors may name.
#[must_use]
pub fn known_operations() -> Vec<Operation> {
    let catalogue = Catalogue::builtin();
    catalogue.all().iter().map(|it| (**it).clone()).collect()
}

impl Reloader {
    #[must_use]
    pub fn new(sources: Sources, config: &Config) -> Self {
        Self {
            sources,
            loaded: Look::at(&config.watched),
            watched: config.watched.clone(),
            changed: None,
            fixed: Fixed::of(config),
        }
    }

    /// True once a change has been the same at two looks: a file that is being written is left alone.
    pub fn notices_change(&mut self) -> bool {
        let now = Look::at(&self.watched);
        if now == self.loaded {
            self.changed = None;
            return false;
        }
        if self.changed.as_ref() == Some(&now) {
            return true;
        }
        self.changed = Some(now);
        false
    }

    /// Reads everything again. Blocks: files may be slow, and a secret may come from a command.
    pub fn load(&mut self, certificates: &[Arc<ServerCertificate>]) -> Loaded {
        self.changed = None;
        self.loaded = Look::at(&self.watched);
        let (config, warnings) = match config::load(&self.sources, &known_operations()) {
            Ok(read) => read,
            Err(problems) => return Loaded::Refused(told(&problems)),
        };
        // Looked at before it was read: what changed since is read again.
        if self.watched != config.watched {
            self.watched.clone_from(&config.watched);
            self.loaded = Look::at(&self.watched);
        }
        let read = certificates.iter().map(|it| it.read());
        match read.collect() {
            Ok(certificates) => Loaded::Read(Box::new(Fresh {
                pending: self.fixed.differences(&Fixed::of(&config)),
                config,
                warnings,
                certificates,
            })),
            Err(error) => Loaded::Refused(TlsError::to_string(&error)),
        }
    }
}

fn told(problems: &Problems) -> String {
    let first = problems.as_slice().first();
    let first = first.map_or_else(String::new, |it| format!("{}: {}", it.place(), it.message));
    match problems.errors().saturating_sub(1) {
        0 => first,
        more => format!("{first} (and {more} more)"),
    }
}

/// What came of reading the files.
pub enum Loaded {
    Read(Box<Fresh>),
    /// Why they are not fit.
    Refused(String),
}

/// What was read, to be put in force.
pub struct Fresh {
    config: Config,
    warnings: Vec<Warning>,
    certificates: Vec<Arc<ServerConfig>>,
    /// Settings that take effect at the next start only.
    pending: Vec<&'static str>,
}

impl Loaded {
    /// Swaps the rules, or leaves everything as it is.
    pub fn take_effect(self, program: &mut Program) {
        match self {
            Self::Refused(why) => refuse(program, &why),
            Self::Read(fresh) => fresh.take_effect(program),
        }
    }
}

impl Fresh {
    fn take_effect(self, program: &mut Program) {
        for warning in &self.warnings {
            tracing::warn!(place = warning.place(), "{}", warning.message);
        }
        let config = self.config;
        let before = program.status.rules.load_full();
        if config.tenants.is_empty() && !before.policy.tenants().is_empty() {
            return refuse(program, "it names no tenant any more; is the file whole?");
        }
        let rules = match program.assembly.rules(&config, Some(&before)) {
            Ok(rules) => rules,
            Err(clash) => return refuse(program, &clash.to_string()),
        };
        for (certificate, fresh) in program.certificates.iter().zip(self.certificates) {
            certificate.show(fresh);
        }
        let mut state = ConfigState::of(&config);
        state.tries = program.status.config.load().tries + 1;
        state.pending = self.pending;
        swap(program, &before, rules, state, logins::places(&config));
    }
}

fn swap(program: &Program, before: &Rules, rules: Rules, state: ConfigState, places: Vec<Place>) {
    let changes = caller_changes(before, &rules);
    let (generation, fingerprint) = (rules.generation, rules.fingerprint.clone());
    let configured: BTreeSet<CallerName> = names(&rules);
    program.status.rules.store(rules.into());
    program.logins.set_places(places);
    for tally in &program.status.tallies {
        tally.retain(|caller| configured.contains(caller));
    }
    for setting in &state.pending {
        tracing::warn!(setting, "changed; it takes effect at the next start");
    }
    tracing::info!(generation, "configuration loaded");
    program.status.ledger.event(Event::Config {
        generation,
        config: fingerprint.into(),
        result: "loaded",
    });
    for (caller, change) in changes {
        program.status.ledger.event(Event::Caller {
            caller: caller.as_str().into(),
            change,
        });
    }
    // Last: whoever sees it finds the rest on record.
    program.status.config.store(state.into());
}

fn refuse(program: &Program, why: &str) {
    let rules = program.status.rules.load();
    tracing::error!(
        why,
        "the configuration was not loaded; the one before stays in force"
    );
    let mut state = (**program.status.config.load()).clone();
    state.last_error = Some(why.to_owned());
    state.tries += 1;
    program.status.config.store(state.into());
    program.status.ledger.event(Event::Config {
        generation: rules.generation,
        config: rules.fingerprint.clone().into(),
        result: "refused",
    });
}

fn names(rules: &Rules) -> BTreeSet<CallerName> {
    rules
        .callers
        .callers()
        .iter()
        .map(|it| it.name.clone())
        .collect()
}

fn caller_changes(before: &Rules, after: &Rules) -> Vec<(CallerName, &'static str)> {
    let (before, after) = (names(before), names(after));
    let added = after.difference(&before).map(|it| (it.clone(), "added"));
    let removed = before.difference(&after).map(|it| (it.clone(), "removed"));
    added.chain(removed).collect()
}
