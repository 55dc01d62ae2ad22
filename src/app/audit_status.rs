//! What the status and the metrics show of the audit log.

use std::time::Duration;

use crate::{
    admin::{
        metrics_snapshot::AuditSpaceMetrics,
        status_snapshot::{AuditGap, AuditSpaceLevel, AuditSpaceStatus, AuditState, AuditStatus},
    },
    audit::{
        ledger::{LedgerGap, LedgerSnapshot, WRITER_PART},
        log_space::{LogSpace, SpaceLevel},
    },
    clock::Timestamp,
    watchdog::{Liveness, PartStatus},
};

/// How long a gap in the audit log is shown after its end, unless the proxy is restarted before.
const AUDIT_GAP_SHOWN: Duration = Duration::from_hours(24);

/// The status of the log.
pub(super) fn audit_status(ledger: LedgerSnapshot, parts: &[PartStatus]) -> AuditStatus {
    // A disk call that does not return reports no failure, but by then whoever waits for a line has been refused.
    let is_stuck = parts.iter().any(|it| {
        it.name == WRITER_PART && (it.liveness != Liveness::Alive || it.silent > ledger.intent_wait)
    });
    let state = if ledger.failure.is_some() || is_stuck {
        AuditState::Failing
    } else {
        AuditState::Writing
    };
    // Behind a slow disk, reads are queued.
    let queues_reads = state == AuditState::Failing && !ledger.takes_nothing;
    AuditStatus {
        state,
        last_error: ledger.failure.map(|it| it.reason.into()),
        gap: ledger.gap.and_then(audit_gap),
        refuses_reads: !ledger.serves_reads_unrecorded && !queues_reads,
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

fn audit_gap(it: LedgerGap) -> Option<AuditGap> {
    let is_shown = Timestamp::now().since(it.to) < AUDIT_GAP_SHOWN;
    is_shown.then(|| AuditGap {
        from: it.from.to_string(),
        to: it.to.to_string(),
        reason: it.reason.into(),
        lost: it.lost,
    })
}
