//! The rules that hold for every request, whoever sent it.

use crate::net::{body::timeouts::BodyTimeouts, exceeded_size::ExceededSize};

use super::{
    allowed_hosts::AllowedHosts,
    request_error::RequestError,
    target::{TARGET_BYTES_MAX, TargetError},
};

/// The rules that every request must keep, whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRules {
    /// Names that `Host` may have.
    pub allowed_hosts: AllowedHosts,
    /// Longest head, in bytes.
    pub head_bytes_max: usize,
    /// Longest body, in bytes, for operations that take no file.
    pub body_bytes_max: u64,
    /// Longest body, in bytes, for operations that take one.
    pub upload_bytes_max: u64,
    /// For a body to arrive.
    pub body_timeouts: BodyTimeouts,
}

impl RequestRules {
    /// The longest body of any operation, in bytes.
    #[must_use]
    pub fn any_body_bytes_max(&self) -> u64 {
        self.upload_bytes_max.max(self.body_bytes_max)
    }

    /// What is allowed of what `error` says is too large, where reading stopped before its size was known.
    pub(super) fn exceeded_size(&self, error: RequestError) -> Option<ExceededSize> {
        let allowed = match error {
            RequestError::HeadTooLarge => self.head_bytes_max as u64,
            RequestError::Target(TargetError::TooLong) => TARGET_BYTES_MAX as u64,
            RequestError::BodyTooLarge => self.any_body_bytes_max(),
            _ => return None,
        };
        let sent = None;
        Some(ExceededSize { allowed, sent })
    }
}
