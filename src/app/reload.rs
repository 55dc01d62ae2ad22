//! Reloads the configuration while requests are served, all or nothing: a broken file changes nothing and is reported.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use crate::{
    admin::control::{RELOAD_SCHEMA, ReloadReport},
    audit::entry::AuditEvent,
    config::{
        self, Config,
        read::{
            diagnostics::{ConfigurationError, Warning},
            sources::Sources,
        },
    },
    names::CallerName,
    net::tls::{ServerCertificate, ServerConfig, TlsError},
    proxy::rules::Rules,
};

use super::{
    config_state::{ConfigState, in_force},
    files_snapshot::FilesSnapshot,
    program::Program,
    restart_only::RestartOnlySettings,
    way_out::log_ways_out,
    wiring,
};

/// Watches the configuration's files for changes and reads them again.
pub struct Reloader {
    sources: Sources,
    watched_paths: Vec<PathBuf>,
    /// The files when the configuration was read.
    loaded_snapshot: FilesSnapshot,
    /// The files at the last check, if they had changed.
    changed_snapshot: Option<FilesSnapshot>,
    restart_only: RestartOnlySettings,
}

impl Reloader {
    /// Takes the files as they are now for those of `config`, which is in force.
    #[must_use]
    pub fn new(sources: Sources, config: &Config) -> Self {
        Self {
            sources,
            loaded_snapshot: FilesSnapshot::take(&config.watched_paths),
            watched_paths: config.watched_paths.clone(),
            changed_snapshot: None,
            restart_only: RestartOnlySettings::of(config),
        }
    }

    /// True once two checks in a row have seen the same change, so that a file is not read while it is being written.
    pub fn has_changed(&mut self) -> bool {
        let now = FilesSnapshot::take(&self.watched_paths);
        if now == self.loaded_snapshot {
            self.changed_snapshot = None;
            return false;
        }
        if self.changed_snapshot.as_ref() == Some(&now) {
            return true;
        }
        self.changed_snapshot = Some(now);
        false
    }

    /// Reads everything again. This blocks: files may be slow, and a secret may come from a command.
    pub(crate) fn load(&mut self, certificates: &[Arc<ServerCertificate>]) -> ReloadResult {
        self.changed_snapshot = None;
        self.loaded_snapshot = FilesSnapshot::take(&self.watched_paths);
        let (config, warnings) = match config::load(&self.sources, &wiring::builtin_operations()) {
            Ok(read) => read,
            Err(problems) => return ReloadResult::Rejected(RejectedConfig::of(&problems)),
        };
        // The snapshot is older than what was read: a change in between is noticed.
        if self.watched_paths != config.watched_paths {
            self.watched_paths.clone_from(&config.watched_paths);
            self.loaded_snapshot = FilesSnapshot::take(&self.watched_paths);
        }
        let read = certificates.iter().map(|it| it.read_from_disk());
        match read.collect() {
            Ok(certificates) => ReloadResult::Read(Box::new(LoadedConfig {
                pending_restart: self.restart_only.changed(&RestartOnlySettings::of(&config)),
                config,
                warnings,
                certificates,
            })),
            Err(error) => ReloadResult::Rejected(TlsError::to_string(&error).into()),
        }
    }
}

fn summary(problems: &ConfigurationError) -> String {
    let first = problems.as_slice().first();
    let first = first.map_or_else(String::new, |it| {
        format!("{}: {}", it.location(), it.message)
    });
    match problems.error_count().saturating_sub(1) {
        0 => first,
        more => format!("{first} (and {more} more)"),
    }
}

/// The result of reading the files.
pub(crate) enum ReloadResult {
    /// The configuration is valid.
    Read(Box<LoadedConfig>),
    /// The configuration was rejected.
    Rejected(RejectedConfig),
}

/// Why a configuration was rejected.
pub(crate) struct RejectedConfig {
    /// One line.
    summary: String,
    /// Every problem, with its place.
    problems: Vec<String>,
}

impl RejectedConfig {
    fn of(error: &ConfigurationError) -> Self {
        let problems = error.as_slice().iter().filter(|it| it.is_error());
        Self {
            summary: summary(error),
            problems: problems.map(ToString::to_string).collect(),
        }
    }
}

impl From<String> for RejectedConfig {
    fn from(why: String) -> Self {
        Self {
            problems: vec![why.clone()],
            summary: why,
        }
    }
}

/// A loaded configuration, ready to be applied.
pub(crate) struct LoadedConfig {
    config: Config,
    warnings: Vec<Warning>,
    certificates: Vec<Arc<ServerConfig>>,
    /// Changed settings that need a restart.
    pending_restart: Vec<&'static str>,
}

impl ReloadResult {
    /// Replaces the rules, or changes nothing. `by` is who asked for it, if somebody did.
    pub(crate) fn apply(self, program: &mut Program, by: Option<&str>) -> ReloadReport {
        match self {
            Self::Rejected(why) => reject(program, why, by),
            Self::Read(loaded) => loaded.apply(program, by),
        }
    }
}

impl LoadedConfig {
    fn apply(self, program: &mut Program, by: Option<&str>) -> ReloadReport {
        for warning in &self.warnings {
            tracing::warn!(place = warning.location(), "{}", warning.message);
        }
        let config = self.config;
        let before = program.status.rules.load_full();
        if config.tenants.is_empty() && !before.policy.tenants().is_empty() {
            let why = "it no longer names a tenant; is the file complete?".to_owned();
            return reject(program, why.into(), by);
        }
        let rules = match program.rules_builder.build(&config, Some(&before)) {
            Ok(rules) => rules,
            Err(clash) => return reject(program, clash.to_string().into(), by),
        };
        for (certificate, loaded) in program.certificates.iter().zip(self.certificates) {
            certificate.install(loaded);
        }
        let mut state = ConfigState::of(&config);
        state.load_attempts = program.status.config.load().load_attempts + 1;
        state.pending_restart = self.pending_restart;
        let shown = program.status.config.load();
        state.effective = in_force(&shown.effective, &state.effective, &state.pending_restart);
        let report = ReloadReport {
            schema: RELOAD_SCHEMA.to_owned(),
            loaded: true,
            generation: rules.generation,
            warnings: self.warnings.iter().map(ToString::to_string).collect(),
            pending_restart: state
                .pending_restart
                .iter()
                .map(ToString::to_string)
                .collect(),
            errors: Vec::new(),
        };
        program.logins.set_targets(wiring::login_targets(&config));
        program.admin_access.grant(&config.admin);
        swap(program, &before, rules, state, by);
        log_ways_out(&config.tenants);
        program.status.settings.store(config.into());
        report
    }
}

fn swap(program: &Program, before: &Rules, rules: Rules, state: ConfigState, by: Option<&str>) {
    let changes = caller_changes(before, &rules);
    let (generation, fingerprint) = (rules.generation, rules.fingerprint.clone());
    let configured: BTreeSet<CallerName> = caller_names(&rules);
    program.status.rules.store(rules.into());
    for metrics in &program.status.worker_metrics {
        metrics.retain_callers(|caller| configured.contains(caller));
    }
    for setting in &state.pending_restart {
        tracing::warn!(setting, "changed; it takes effect at the next start");
    }
    tracing::info!(generation, by, "configuration loaded");
    program.status.ledger.event(AuditEvent::Config {
        generation,
        config: fingerprint.into(),
        result: "loaded",
        by: by.map(Into::into),
    });
    for (caller, change) in changes {
        program.status.ledger.event(AuditEvent::Caller {
            caller: caller.as_str().into(),
            change,
        });
    }
    // Last: once this is visible, the rest is on record.
    program.status.config.store(state.into());
}

fn reject(program: &Program, why: RejectedConfig, by: Option<&str>) -> ReloadReport {
    let rules = program.status.rules.load();
    let RejectedConfig { summary, problems } = why;
    tracing::error!(
        why = summary,
        by,
        "the configuration was not loaded; the previous one stays in force"
    );
    let mut state = (**program.status.config.load()).clone();
    state.last_error = Some(summary);
    state.load_attempts += 1;
    program.status.config.store(state.into());
    program.status.ledger.event(AuditEvent::Config {
        generation: rules.generation,
        config: rules.fingerprint.clone().into(),
        result: "refused",
        by: by.map(Into::into),
    });
    ReloadReport {
        schema: RELOAD_SCHEMA.to_owned(),
        loaded: false,
        generation: rules.generation,
        warnings: Vec::new(),
        pending_restart: Vec::new(),
        errors: problems,
    }
}

fn caller_names(rules: &Rules) -> BTreeSet<CallerName> {
    rules
        .callers
        .callers()
        .iter()
        .map(|it| it.name.clone())
        .collect()
}

fn caller_changes(before: &Rules, after: &Rules) -> Vec<(CallerName, &'static str)> {
    let (before, after) = (caller_names(before), caller_names(after));
    let added = after.difference(&before).map(|it| (it.clone(), "added"));
    let removed = before.difference(&after).map(|it| (it.clone(), "removed"));
    added.chain(removed).collect()
}
