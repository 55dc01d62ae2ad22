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
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::CallerRate,
        Self::CallerConcurrency,
        Self::CallerTokens,
        Self::TenantRate,
        Self::TenantConcurrency,
        Self::TenantPaused,
        Self::TenantQueue,
    ];

    /// The kind that `word` names, as [`LimitKind::as_str`] does.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == word)
    }

    /// The setting that raises it, for operators. None where NinjaOne sets it.
    ///
    /// A caller's own limit, `caller.NAME.limit`, or that of its policy, `policy.NAME.limit`, goes before `limits.caller`.
    #[must_use]
    pub const fn setting(self) -> Option<&'static str> {
        match self {
            Self::CallerRate => Some("limits.caller.rate"),
            Self::CallerConcurrency => Some("limits.caller.concurrency"),
            Self::CallerTokens => Some("limits.tokens.rate"),
            Self::TenantRate | Self::TenantQueue => Some("limits.upstream.rate"),
            Self::TenantConcurrency => Some("limits.upstream.concurrency"),
            Self::TenantPaused => None,
        }
    }

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
