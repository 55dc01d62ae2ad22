//! Checks `[audit]`.

use crate::config::{
    AuditConfig, PathOrigin,
    read::key_path::KeyPath,
    settings::audit::{
        AuditFailureSettings, AuditSettings, ReadFailureSetting, WriteFailureSetting,
    },
};

use super::{Checker, directories::DefaultDirectories};

impl Checker<'_> {
    pub(super) fn audit(
        &mut self,
        settings: &AuditSettings,
        directories: &DefaultDirectories,
    ) -> AuditConfig {
        let AuditSettings {
            path,
            on_failure: AuditFailureSettings { write, read },
        } = settings;
        // There is no other choice.
        let WriteFailureSetting::Refuse = write;
        let at = KeyPath::from_keys(&["audit", "path"]);
        if path.is_empty() {
            self.error(&at, "the audit log needs a directory");
        }
        let (path, path_origin) = if self.provenance.contains(&at) {
            (self.path(path), PathOrigin::Setting)
        } else {
            directories.audit.clone()
        };
        AuditConfig {
            path,
            path_origin,
            serve_reads_unrecorded: *read == ReadFailureSetting::Serve,
        }
    }
}
