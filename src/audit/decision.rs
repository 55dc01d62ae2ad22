//! What was decided about a request: the `decision` of its audit line, of `/status` and of the metrics.

/// What was decided about a request. A refused one has put no byte on the wire to NinjaOne.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// It was sent, or may have been, or our own token endpoint served it.
    Allowed,
    /// Holds the code of the refusal, such as `policy-denied`.
    Refused(&'static str),
}

impl Decision {
    /// `allowed`, or the code of the refusal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Refused(code) => code,
        }
    }

    /// Whether the request was refused.
    #[must_use]
    pub const fn is_refused(self) -> bool {
        matches!(self, Self::Refused(_))
    }
}
