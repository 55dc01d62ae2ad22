//! Finds the paths of a host's authorization server: from its metadata (RFC 8414), or else NinjaOne's documented paths.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde::Deserialize;

use crate::{
    net::client::{endpoint::Endpoint, exchange::exchange, exchange_error::ExchangeError},
    ninjaone::paths::{AUTHORIZE_PATH, DISCOVERY_PATH, REVOKE_PATH, TOKEN_PATH},
};

/// Largest metadata response that is read, in bytes.
const METADATA_BYTES_MAX: usize = 64 * 1024;

/// Timeout for the metadata request. Without a response the documented paths are used.
const DISCOVERY_TIMEOUT_MS: u64 = 3_000;

/// Longest path that is accepted from metadata, in bytes.
const PATH_BYTES_MAX: usize = 512;

/// The paths of a host's authorization server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthPaths {
    pub authorize: String,
    pub token: String,
    pub revoke: String,
    /// Whether the host promises to send `iss` in its authorization responses (RFC 9207 section 3).
    pub iss_parameter_supported: bool,
}

/// Why a host's metadata is not used. The strings come from the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiscoveryError {
    /// The host answered with this status.
    UnexpectedStatus(u16),
    InvalidMetadata,
    /// The metadata names another issuer than the configured host.
    IssuerMismatch(String),
    /// This endpoint URL is on another host, or is no URL that we accept.
    ForeignHost(String),
}

#[derive(Deserialize)]
struct ServerMetadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    #[serde(default)]
    revocation_endpoint: Option<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl OAuthPaths {
    /// The paths that NinjaOne documents.
    #[must_use]
    pub fn defaults() -> Self {
        Self {
            authorize: AUTHORIZE_PATH.to_owned(),
            token: TOKEN_PATH.to_owned(),
            revoke: REVOKE_PATH.to_owned(),
            iss_parameter_supported: false,
        }
    }

    /// Fetches the host's metadata. Rejects metadata of another issuer or with an endpoint on another host (RFC 8414 section
    /// 3.3), because credentials go to the configured host only, and falls back to the documented paths.
    pub async fn discover(endpoint: &Endpoint) -> Self {
        match Self::fetch_metadata(endpoint).await {
            Ok(response) => {
                Self::from_metadata(endpoint, &response).unwrap_or_else(|_| Self::defaults())
            }
            Err(_) => Self::defaults(),
        }
    }

    /// Requests the host's metadata.
    ///
    /// # Errors
    /// The host cannot be reached.
    pub async fn fetch_metadata(endpoint: &Endpoint) -> Result<Response<Bytes>, ExchangeError> {
        let request = Request::get(DISCOVERY_PATH)
            .body(Bytes::new())
            .map_err(|_| ExchangeError::NotHttp)?;
        let time_out = Duration::from_millis(DISCOVERY_TIMEOUT_MS);
        exchange(endpoint, request, METADATA_BYTES_MAX, time_out).await
    }

    /// Reads the paths from a metadata response.
    ///
    /// # Errors
    /// The response is no metadata, or not trustworthy.
    pub fn from_metadata(
        endpoint: &Endpoint,
        response: &Response<Bytes>,
    ) -> Result<Self, DiscoveryError> {
        if response.status() != StatusCode::OK {
            return Err(DiscoveryError::UnexpectedStatus(response.status().as_u16()));
        }
        let metadata: ServerMetadata =
            serde_json::from_slice(response.body()).map_err(|_| DiscoveryError::InvalidMetadata)?;
        let origin = endpoint.origin();
        if metadata.issuer.trim_end_matches('/') != origin {
            return Err(DiscoveryError::IssuerMismatch(metadata.issuer));
        }
        let path = |address: String| match path_on(&origin, &address) {
            Some(path) => Ok(path),
            None => Err(DiscoveryError::ForeignHost(address)),
        };
        Ok(Self {
            authorize: path(metadata.authorization_endpoint)?,
            token: path(metadata.token_endpoint)?,
            revoke: match metadata.revocation_endpoint {
                Some(address) => path(address)?,
                None => REVOKE_PATH.to_owned(),
            },
            iss_parameter_supported: metadata.authorization_response_iss_parameter_supported,
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
