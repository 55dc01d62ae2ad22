//! A snapshot of all counters, for `/metrics`: plain numbers, read from the parts that count.

use std::sync::Arc;

use crate::audit::decision::Decision;

use super::{overall_health::Health, trouble::TroubleKind};

/// All counters at one moment. Every label comes from a closed set: names of the configuration, of the catalogue, or ours.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetricsSnapshot {
    pub version: &'static str,
    /// As `status` says; none for a page that does not have it.
    pub health: Option<Health>,
    /// How often each kind of trouble is there now.
    pub troubles: Vec<(TroubleKind, u64)>,
    pub requests: Vec<RequestCount>,
    /// From the first byte of the request to the last of the response.
    pub duration: HistogramSnapshot,
    /// The part of it that was ours alone.
    pub overhead: HistogramSnapshot,
    pub in_flight: u64,
    pub connections: u64,
    /// Reason and count of connections that were refused.
    pub connections_refused: Vec<(&'static str, u64)>,
    /// Reason and count of unauthenticated connections that were evicted.
    pub connections_evicted: Vec<(&'static str, u64)>,
    pub tokens: Vec<TokenMetrics>,
    pub renewals: Vec<RenewalCount>,
    pub throttled: Vec<ThrottleCount>,
    pub audit_records: u64,
    pub audit_failures: u64,
    pub audit_queued: u64,
    /// Requests without a valid proof that have no audit line of their own.
    pub audit_strangers_counted: u64,
    /// None where the log is in memory.
    pub audit_space: Option<AuditSpaceMetrics>,
    pub config_generation: u64,
    /// The configuration on disk is not the one in force.
    pub config_refused: bool,
    /// Lines of the program's own log that were not written.
    pub log_lines_lost: u64,
    /// Each watched part of the program, and whether it has stalled.
    pub parts: Vec<(String, bool)>,
}

/// The room of the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditSpaceMetrics {
    /// What its files take.
    pub used_bytes: u64,
    /// What may still be written, the reserve included.
    pub room_bytes: u64,
    /// Only the reserve is left, or less.
    pub is_reserve_only: bool,
}

/// Requests with the same labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestCount {
    /// The configured name, or `none` for a caller that was not authenticated.
    pub caller: Arc<str>,
    /// The operation id, or `none`.
    pub operation: Arc<str>,
    /// Allowed, or the code of a refusal.
    pub decision: Decision,
    /// `2xx`, see [`status_class`].
    pub status_class: &'static str,
    pub count: u64,
}

/// Durations by bucket.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HistogramSnapshot {
    /// Ascending, in seconds.
    pub bounds_s: Vec<f64>,
    /// How many were within each bound and above the one before (not cumulative); last, how many above all: one more than
    /// bounds.
    pub counts: Vec<u64>,
    pub sum_s: f64,
}

/// The token of one identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenMetrics {
    pub tenant: Arc<str>,
    pub identity: &'static str,
    /// Seconds since 1970; none while there is no token.
    pub expires_unix_s: Option<i64>,
    /// NinjaOne refuses the secret that a reload has brought.
    pub new_secret_refused: bool,
    /// Of a user identity only.
    pub login: Option<LoginMetrics>,
}

/// The login of a user identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginMetrics {
    /// Nothing but a login helps.
    pub needed: bool,
    /// What NinjaOne issued is in memory only.
    pub unsaved: bool,
}

/// Renewals of one identity with the same result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewalCount {
    pub tenant: Arc<str>,
    pub identity: &'static str,
    /// `renewed`, `refused`, `failed`
    pub result: &'static str,
    pub count: u64,
}

/// Throttles of one tenant and kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThrottleCount {
    pub tenant: Arc<str>,
    /// `status` for a 429, `html` for a page
    pub kind: &'static str,
    pub count: u64,
}

/// The label of a status by its first digit.
#[must_use]
pub const fn status_class(first_digit: u8) -> &'static str {
    match first_digit {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}
