//! Turns settings into a checked [`Config`]: parses every value, resolves every reference, reads every secret.
//!
//! After a problem each part continues with a harmless placeholder, so that all problems are found at once. The result is
//! used only if there were none.

mod admin;
mod admin_access;
mod audit;
mod budget;
mod callers;
pub(in crate::config) mod directories;
mod identities;
mod listen;
mod operations;
mod retry;
mod rules;
mod secrets;
mod store;
mod telemetry;
mod tenants;
mod timeouts;
mod tokens;
mod way_out;

use std::{fmt, ops::Range, path::PathBuf, sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};

use crate::{hex, ninjaone::operation::Operation};

use super::{
    Config, SecretUse,
    read::{
        diagnostics::{ConfigurationError, Diagnostics, SourceLocation, Warning},
        key_path::KeyPath,
        load::LoadedSettings,
        provenance::ProvenanceMap,
        source_file::SourceFile,
        sources::Sources,
    },
    settings::{Settings, limits::LimitsSettings},
    value::{duration, size},
};

/// Checks the settings. `known` are the operations of the catalogue.
///
/// # Errors
/// All problems, in the order of the files.
pub(super) fn check(
    written: LoadedSettings,
    sources: &Sources,
    known: &[Operation],
    secrets: SecretUse,
) -> Result<(Config, Vec<Warning>), ConfigurationError> {
    let LoadedSettings {
        settings,
        provenance,
        mut files,
        diagnostics,
        is_incomplete,
        // Among the diagnostics.
        unreadable: _,
        broken: _,
    } = written;
    let mut check = Checker {
        sources,
        secrets,
        provenance: &provenance,
        files: &files,
        diagnostics,
        redacted: Vec::new(),
        watched_paths: initial_watched_paths(sources, &files),
    };
    let config = check.config(&settings, known);
    let Checker {
        mut diagnostics,
        redacted,
        ..
    } = check;
    for (file, bytes) in redacted {
        if let Some(text) = files.get_mut(file) {
            text.redact(bytes);
        }
    }
    if is_incomplete {
        diagnostics.discard_missing();
    }
    if diagnostics.has_errors() {
        return Err(diagnostics.into_error(&files));
    }
    Ok((config, diagnostics.into_diagnostics(&files)))
}

fn initial_watched_paths(sources: &Sources, files: &[SourceFile]) -> Vec<PathBuf> {
    let mut watched = vec![sources.file.clone(), sources.callers_directory()];
    watched.extend(files.iter().skip(1).map(|text| PathBuf::from(&text.name)));
    watched
}

/// What all parts of the check share.
struct Checker<'a> {
    sources: &'a Sources,
    secrets: SecretUse,
    provenance: &'a ProvenanceMap,
    files: &'a [SourceFile],
    diagnostics: Diagnostics,
    /// Bytes of files that must not be shown, by file.
    redacted: Vec<(usize, Range<usize>)>,
    watched_paths: Vec<PathBuf>,
}

impl Checker<'_> {
    fn config(&mut self, settings: &Settings, known: &[Operation]) -> Config {
        // Destructured without `..`, here and in every part: a new setting does not compile until it is checked.
        let Settings {
            listen,
            tenant,
            limits,
            operation,
            timeouts,
            retry,
            audit,
            admin,
            telemetry,
            // These depend on other settings, so their parts take all of them.
            caller: _,
            policy: _,
            store: _,
        } = settings;
        let LimitsSettings {
            upstream,
            // Checked with the callers.
            caller: _,
            tokens,
        } = limits;
        let operations = self.operations(operation, known);
        let all: Vec<&Operation> = known.iter().chain(&operations).collect();
        let listen = self.listen(listen);
        let mut tenants = self.tenants(tenant);
        let directories = self.default_directories(settings);
        let store = self.store(settings, &directories);
        let admin = self.admin(admin, &listen, store.as_ref());
        let callers = self.callers(settings, &tenants, &all);
        let timeouts = self.timeouts(timeouts);
        for tenant in &mut tenants {
            tenant.origin.resolve_timeout = timeouts.resolve;
        }
        let retry = self.retry(retry);
        let budget = self.budget(upstream);
        let caller_tokens = self.caller_tokens(tokens);
        let audit = self.audit(audit, &directories);
        let telemetry = self.telemetry(telemetry);
        Config {
            listen,
            tenants,
            callers,
            operations,
            budget,
            caller_tokens,
            timeouts,
            retry,
            audit,
            admin,
            store,
            telemetry,
            fingerprint: fingerprint(settings),
            // Filled in by `load`, which knows what was written.
            effective: Arc::default(),
            file: std::path::absolute(&self.sources.file).ok(),
            watched_paths: std::mem::take(&mut self.watched_paths),
        }
    }

    fn value_location(&self, path: &KeyPath) -> SourceLocation {
        self.provenance
            .closest(path)
            .map_or(SourceLocation::Unknown, SourceLocation::value)
    }

    fn key_location(&self, path: &KeyPath) -> SourceLocation {
        self.provenance
            .closest(path)
            .map_or(SourceLocation::Unknown, SourceLocation::key)
    }

    fn error(&mut self, path: &KeyPath, message: impl fmt::Display) {
        self.diagnostics
            .error(self.value_location(path), message.to_string(), None);
    }

    fn error_with_hint(
        &mut self,
        path: &KeyPath,
        message: impl fmt::Display,
        hint: impl Into<String>,
    ) {
        let at = self.value_location(path);
        self.diagnostics
            .error(at, message.to_string(), Some(hint.into()));
    }

    /// Reports an error about a value that must not be shown.
    fn redacted_error(&mut self, path: &KeyPath, message: String, hint: Option<String>) {
        let at = self.value_location(path);
        if let SourceLocation::Span { file, bytes } = &at {
            self.redacted.push((*file, bytes.clone()));
        }
        self.diagnostics.error(at, message, hint);
    }

    fn warning(&mut self, path: &KeyPath, message: impl fmt::Display, hint: impl Into<String>) {
        let at = self.value_location(path);
        self.diagnostics
            .warning(at, message.to_string(), Some(hint.into()));
    }

    /// Reports that `key` is missing in `table`, unless it was written and is wrong, or misspelt, which has been reported already.
    fn missing(&mut self, table: &KeyPath, key: &str, hint: impl Into<String>) {
        if self.provenance.contains(&table.child(key)) {
            return;
        }
        self.missing_in(table, &format!("`{key}`"), hint);
    }

    /// Reports that `table` needs one of `keys`. An unknown key in it, which may have been meant to be one, comes first.
    fn missing_in(&mut self, table: &KeyPath, keys: &str, hint: impl Into<String>) {
        let at = self.key_location(table);
        let message = format!("{keys} is missing in `{table}`");
        let cause = self.provenance.last_unknown(table).map(SourceLocation::key);
        self.diagnostics
            .missing_because(at, message, Some(hint.into()), cause);
    }

    /// Whether the value at `path` is the one that was written, not a placeholder.
    fn was_accepted(&self, path: &KeyPath) -> bool {
        !self.diagnostics.has_at(&self.value_location(path))
    }

    /// Parses a duration above zero.
    fn duration(&mut self, path: &KeyPath, text: &str) -> Duration {
        match duration::parse(text) {
            Ok(Duration::ZERO) => self.error(path, "this must be longer than 0"),
            Ok(duration) => return duration,
            Err(error) => self.error(path, error),
        }
        Duration::from_secs(1)
    }

    /// Parses a size within bounds; gives the minimum if it is wrong.
    fn size(&mut self, path: &KeyPath, text: &str, (least, most): (u64, u64)) -> u64 {
        match size::parse(text) {
            Ok(bytes) if bytes < least => {
                self.error(path, format!("this must be at least {}KiB", least >> 10));
            }
            Ok(bytes) if bytes > most => {
                self.error(path, format!("this must be at most {}MiB", most >> 20));
            }
            Ok(bytes) => return bytes,
            Err(error) => self.error(path, error),
        }
        least
    }

    /// Resolves a path against the directory of the configuration file.
    fn path(&self, text: &str) -> PathBuf {
        self.sources.caller_directory().join(text)
    }

    /// A file that must exist, and whose change triggers a reload.
    fn existing_file(&mut self, path: &KeyPath, text: &str) -> PathBuf {
        let file = self.path(text);
        match std::fs::metadata(&file) {
            Ok(about) if about.is_file() => {}
            Ok(_) => self.error(path, format!("{} is not a file", file.display())),
            Err(error) => self.error(path, format!("{} cannot be read: {error}", file.display())),
        }
        self.watched_paths.push(file.clone());
        file
    }
}

/// SHA-256 of the settings in force, in hex. It covers the references to secrets, not the secrets themselves.
fn fingerprint(settings: &Settings) -> String {
    let text = serde_json::to_vec(settings).unwrap_or_default();
    hex::encode(digest(&SHA256, &text).as_ref())
}
