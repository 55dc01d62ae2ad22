//! A refusal's body: RFC 9457 and NinjaOne's own shape in one JSON object, so that clients of both worlds can read it.

use bytes::Bytes;
use serde::Serialize;

/// `application/problem+json`
pub const CONTENT_TYPE: &str = "application/problem+json";

/// Absent members are left out.
#[derive(Debug, Clone, Serialize)]
pub struct Problem<'a> {
    /// `urn:ninjaone-proxy:error:<code>`
    #[serde(rename = "type")]
    pub kind: String,
    pub title: &'a str,
    pub status: u16,
    pub detail: &'a str,
    /// `/requests/<id>`
    pub instance: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<&'a str>,
    pub code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<&'a str>,
    /// The limit that was hit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<&'a str>,
    pub error: &'a str,
    pub error_description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<u32>,
}

impl Problem<'_> {
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        serde_json::to_vec(self).map_or_else(|_| Bytes::from_static(b"{}"), Bytes::from)
    }
}
