//! What the status and the metrics show of the audit log.

use crate::{
    admin::{
        metrics_snapshot::AuditSpaceMetrics,
        status_snapshot::{AuditSpaceLevel, AuditSpaceStatus, AuditState, AuditStatus},
    },
    audit::{
        ledger::{LedgerSnapshot, WRITER_PART},
        log_space::{LogSpace, SpaceLevel},
    },
    watchdog::{Liveness, PartStatus},
};

/// The status of the log.
pub(super) fn audit_status(ledger: LedgerSnapshot, parts: &[PartStatus]) -> AuditStatus {
    // A disk call that never returns reports no failure, but nothing is written any longer.
    let is_stuck = parts
        .iter()
        .any(|it| it.name == WRITER_PART && it.liveness != Liveness::Alive);
    AuditStatus {
        state: if ledger.failure.is_some() || is_stuck {
            AuditState::Failing
        } else {
            AuditState::Writing
        },
        last_error: ledger.failure.map(|it| it.reason.into()),
        refuses_reads: !ledger.serves_reads_unrecorded,
        records: ledger.records,
        failures: ledger.failures,
        queued: ledger.queued as u64,
        lost: ledger.lost,
        strangers_counted: ledger.strangers_counted,
        space: ledger.space.as_ref().map(space_status),
        path: ledger
            .path
            .map_or_else(|| "memory".to_owned(), |it| it.display().to_string()),
    }
}

fn space_status(space: &LogSpace) -> AuditSpaceStatus {
    let level = match space.level() {
        SpaceLevel::Plenty => AuditSpaceLevel::Plenty,
        SpaceLevel::ReserveOnly => AuditSpaceLevel::ReserveOnly,
        SpaceLevel::Exhausted => AuditSpaceLevel::Exhausted,
    };
    AuditSpaceStatus {
        level,
        used_bytes: space.used_bytes,
        max_bytes: space.limits.total_bytes_max,
        reserve_bytes: space.limits.reserve_bytes,
        disk_free_bytes: space.disk_free_bytes(),
        shortage: (space.level() != SpaceLevel::Plenty).then(|| space.shortage()),
    }
}

/// The room of the log.
pub(super) fn space_metrics(space: &LogSpace) -> AuditSpaceMetrics {
    AuditSpaceMetrics {
        used_bytes: space.used_bytes,
        room_bytes: space.room_bytes(),
        is_reserve_only: space.level() != SpaceLevel::Plenty,
    }
}
