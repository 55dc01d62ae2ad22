//! Checks `[audit]`.

use crate::config::{
    AuditConfig, PathOrigin,
    read::key_path::KeyPath,
    settings::audit::{
        AuditFailureSettings, AuditSettings, ReadFailureSetting, WriteFailureSetting,
    },
};

use super::{Checker, directories::DefaultDirectories};

/// Minimum and maximum of `audit.max_total`: a few hundred lines, and 1 PiB.
const TOTAL_BYTES: (u64, u64) = (64 << 10, 1 << 50);
/// And of `audit.reserve`.
const RESERVE_BYTES: (u64, u64) = (4 << 10, 1 << 40);

impl Checker<'_> {
    pub(super) fn audit(
        &mut self,
        settings: &AuditSettings,
        directories: &DefaultDirectories,
    ) -> AuditConfig {
        let AuditSettings {
            path,
            on_failure: AuditFailureSettings { write, read },
            strangers,
            strangers_per_peer,
            max_total,
            reserve,
        } = settings;
        // There is no other choice.
        let WriteFailureSetting::Refuse = write;
        let top = KeyPath::from_keys(&["audit"]);
        if path.is_empty() {
            self.error(&top.child("path"), "the audit log needs a directory");
        }
        let total_bytes_max = self.size(&top.child("max_total"), max_total, TOTAL_BYTES);
        let reserve_bytes = self.size(&top.child("reserve"), reserve, RESERVE_BYTES);
        // A size that was not understood is what is wrong; its bounds stand in for it.
        let are_accepted = ["max_total", "reserve"]
            .iter()
            .all(|it| self.was_accepted(&top.child(it)));
        if are_accepted && reserve_bytes >= total_bytes_max {
            let at = if self.provenance.contains(&top.child("reserve")) {
                top.child("reserve")
            } else {
                top.child("max_total")
            };
            self.error_with_hint(
                &at,
                "the reserve is a part of `audit.max_total`, so it must be smaller",
                "reserve = \"64MiB\" is the default; write both where the log is to be small",
            );
        }
        let strangers = self.rate(&top.child("strangers"), strangers);
        let per_peer = top.child("strangers_per_peer");
        let at = top.child("path");
        let (path, path_origin) = if self.provenance.contains(&at) {
            (self.path(path), PathOrigin::Setting)
        } else {
            directories.audit.clone()
        };
        AuditConfig {
            path,
            path_origin,
            strangers,
            strangers_per_peer: self.rate(&per_peer, strangers_per_peer),
            total_bytes_max,
            reserve_bytes,
            serve_reads_unrecorded: *read == ReadFailureSetting::Serve,
        }
    }
}
