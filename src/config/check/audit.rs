//! Checks `[audit]`.

use crate::config::{
    AuditConfig,
    read::key_path::KeyPath,
    settings::audit::{
        AuditFailureSettings, AuditSettings, ReadFailureSetting, WriteFailureSetting,
    },
};

use super::Checker;

impl Checker<'_> {
    pub(super) fn audit(&mut self, settings: &AuditSettings) -> AuditConfig {
        let AuditSettings {
            path,
            on_failure: AuditFailureSettings { write, read },
        } = settings;
        // There is no other choice.
        let WriteFailureSetting::Refuse = write;
        if path.is_empty() {
            let at = KeyPath::from_keys(&["audit", "path"]);
            self.error(&at, "the audit log needs a directory");
        }
        AuditConfig {
            path: self.path(path),
            serve_reads_unrecorded: *read == ReadFailureSetting::Serve,
        }
    }
}
