//! The kinds of limits that a request can exceed.

/// Which limit a request ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LimitKind {
    CallerRate,
    CallerConcurrency,
    /// At our own token endpoint.
    CallerTokens,
    TenantRate,
    TenantConcurrency,
    /// NinjaOne told us to slow down.
    TenantPaused,
    /// Too many requests wait for the tenant's budget already.
    TenantQueue,
}

impl LimitKind {
    /// The word of the audit line, the metrics and the problem body.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CallerRate => "caller-rate",
            Self::CallerConcurrency => "caller-concurrency",
            Self::CallerTokens => "caller-tokens",
            Self::TenantRate => "tenant-rate",
            Self::TenantConcurrency => "tenant-concurrency",
            Self::TenantPaused => "tenant-paused",
            Self::TenantQueue => "tenant-queue",
        }
    }
}
