//! The body of a refusal: problem details (RFC 9457) and NinjaOne's own error members in one JSON object, so that clients of
//! either can read it.

use bytes::Bytes;
use serde::Serialize;

/// The media type of problem details.
pub(super) const CONTENT_TYPE: &str = "application/problem+json";

/// The JSON object. Absent members are left out.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ProblemDetails<'a> {
    /// `urn:ninjaone-proxy:error:<code>`
    #[serde(rename = "type")]
    pub kind: String,
    /// The same for every occurrence of `code`.
    pub title: &'a str,
    /// The HTTP status code.
    pub status: u16,
    /// What happened to this request.
    pub detail: &'a str,
    /// `/requests/<id>`
    pub instance: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<&'a str>,
    /// Ours, such as `rate-limited`.
    pub code: &'a str,
    /// The caller's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<&'a str>,
    /// The operation's id in NinjaOne's API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<&'a str>,
    /// The limit that was hit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<&'a str>,
    /// NinjaOne's own word for the error, such as `not_found`.
    pub error: &'a str,
    /// The same text as `detail`.
    pub error_description: &'a str,
    /// NinjaOne's number of an error, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<u32>,
}

impl ProblemDetails<'_> {
    /// Serialises it.
    #[must_use]
    pub(super) fn to_bytes(&self) -> Bytes {
        serde_json::to_vec(self).map_or_else(|_| Bytes::from_static(b"{}"), Bytes::from)
    }
}
