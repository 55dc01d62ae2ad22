//! The rules that hold for every request, whoever sent it.

use crate::net::body::timeouts::BodyTimeouts;

use super::allowed_hosts::AllowedHosts;

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
