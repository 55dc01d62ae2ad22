//! A request as the sandbox received it.

use bytes::Bytes;
use http::{HeaderMap, Method};

use super::form_pairs::FormPairs;

/// A request with its body.
pub(super) struct SandboxRequest {
    pub(super) method: Method,
    /// Percent-decoded, `/api/v2` folded onto `/v2`.
    pub(super) path: String,
    pub(super) query: FormPairs,
    pub(super) headers: HeaderMap,
    /// At most the first mebibyte.
    pub(super) body: Bytes,
    /// `http://host` or `https://host`, as the client addressed us.
    pub(super) origin: String,
}
