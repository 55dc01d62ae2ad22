//! Finds the paths of a host's authorization server: from its metadata (RFC 8414), or else NinjaOne's documented paths.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde::Deserialize;

use crate::{
    net::client::{
        connector::{Endpoint, ExchangeError},
        exchange::exchange,
    },
    ninjaone::paths::{AUTHORIZE_PATH, DISCOVERY_PATH, REVOKE_PATH, TOKEN_PATH},
};

/// Largest metadata response that is read, in bytes.
const METADATA_BYTES_MAX: usize = 64 * 1024;

/// Timeout for the metadata request. Without a response the documented paths are used.
const DISCOVERY_MS_MAX: u64 = 3_000;

/// Longest path that is accepted from metadata, in bytes.
const PATH_BYTES_MAX: usize = 512;

/// The paths of a host's authorization server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    pub authorize: String,
    pub token: String,
    pub revoke: String,
    /// Whether the host promises to send `iss` in its authorization responses (RFC 9207 section 3).
    pub names_issuer: bool,
}

/// Why a host's metadata is not used. The strings come from the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untold {
    /// The host answered with this status.
    Absent(u16),
    NotMetadata,
    /// The metadata names another issuer than the configured host.
    OtherIssuer(String),
    /// This endpoint URL is on another host, or is no URL that we accept.
    OtherHost(String),
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    #[serde(default)]
    revocation_endpoint: Option<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Paths {
    /// The paths that NinjaOne documents.
    #[must_use]
    pub fn known() -> Self {
        Self {
            authorize: AUTHORIZE_PATH.to_owned(),
            token: TOKEN_PATH.to_owned(),
            revoke: REVOKE_PATH.to_owned(),
            names_issuer: false,
        }
    }

    /// Fetches the host's metadata. Rejects metadata of another issuer or with an endpoint on another host (RFC 8414 section
    /// 3.3), because credentials go to the configured host only, and falls back to the documented paths.
    pub async fn discover(endpoint: &Endpoint) -> Self {
        match Self::ask(endpoint).await {
            Ok(answer) => Self::told(endpoint, &answer).unwrap_or_else(|_| Self::known()),
            Err(_) => Self::known(),
        }
    }

    /// Requests the host's metadata.
    ///
    /// # Errors
    /// The host cannot be reached.
    pub async fn ask(endpoint: &Endpoint) -> Result<Response<Bytes>, ExchangeError> {
        let request = Request::get(DISCOVERY_PATH)
            .body(Bytes::new())
            .map_err(|_| ExchangeError::NotHttp)?;
        let time_out = Duration::from_millis(DISCOVERY_MS_MAX);
        exchange(endpoint, request, METADATA_BYTES_MAX, time_out).await
    }

    /// Reads the paths from a metadata response.
    ///
    /// # Errors
    /// The response is no metadata, or not trustworthy.
    pub fn told(endpoint: &Endpoint, answer: &Response<Bytes>) -> Result<Self, Untold> {
        if answer.status() != StatusCode::OK {
            return Err(Untold::Absent(answer.status().as_u16()));
        }
        let metadata: Metadata =
            serde_json::from_slice(answer.body()).map_err(|_| Untold::NotMetadata)?;
        let origin = endpoint.origin();
        if metadata.issuer.trim_end_matches('/') != origin {
            return Err(Untold::OtherIssuer(metadata.issuer));
        }
        let path = |address: String| match path_on(&origin, &address) {
            Some(path) => Ok(path),
            None => Err(Untold::OtherHost(address)),
        };
        Ok(Self {
            authorize: path(metadata.authorization_endpoint)?,
            token: path(metadata.token_endpoint)?,
            revoke: match metadata.revocation_endpoint {
                Some(address) => path(address)?,
                None => REVOKE_PATH.to_owned(),
            },
            names_issuer: metadata.authorization_response_iss_parameter_supported,
        })
    }
}

fn path_on(origin: &str, address: &str) -> Option<String> {
    let path = address.strip_prefix(origin)?;
    let is_plain = path
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'\\'));
    let fits = path.len() <= PATH_BYTES_MAX && path.starts_with('/') && is_plain;
    fits.then(|| path.to_owned())
}
