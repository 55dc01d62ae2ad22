//! Where a host's authorization server is found: its own word (RFC 8414), else the paths that NinjaOne is known to use.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde::Deserialize;

use crate::{
    net::{
        client::{Endpoint, ExchangeError},
        exchange::exchange,
    },
    ninjaone::endpoint::{AUTHORIZE_PATH, DISCOVERY_PATH, REVOKE_PATH, TOKEN_PATH},
};

/// Longest metadata that are read.
const METADATA_BYTES_MAX: usize = 64 * 1024;

/// Longest that the metadata are waited for: without them the known paths do.
const DISCOVERY_MS_MAX: u64 = 3_000;

/// Longest path that is taken from metadata, in bytes.
const PATH_BYTES_MAX: usize = 512;

/// The paths of a host's authorization server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    pub authorize: String,
    pub token: String,
    pub revoke: String,
    /// Whether the host promises to name itself in its answers (`iss`, RFC 9207 section 3).
    pub names_issuer: bool,
}

/// Why what a host says of itself is not used. The texts are the host's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untold {
    /// It answers with this status.
    Absent(u16),
    NotMetadata,
    /// It names itself differently than it is configured.
    OtherIssuer(String),
    /// This address of its is on another host, or cannot be one.
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
    /// What NinjaOne's documents say.
    #[must_use]
    pub fn known() -> Self {
        Self {
            authorize: AUTHORIZE_PATH.to_owned(),
            token: TOKEN_PATH.to_owned(),
            revoke: REVOKE_PATH.to_owned(),
            names_issuer: false,
        }
    }

    /// Asks the host. Metadata of another issuer, or with an address on another host, are not believed (RFC 8414 section
    /// 3.3): credentials go to the configured host only.
    pub async fn discover(endpoint: &Endpoint) -> Self {
        match Self::ask(endpoint).await {
            Ok(answer) => Self::told(endpoint, &answer).unwrap_or_else(|_| Self::known()),
            Err(_) => Self::known(),
        }
    }

    /// What the host answers when it is asked for its metadata.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn ask(endpoint: &Endpoint) -> Result<Response<Bytes>, ExchangeError> {
        let request = Request::get(DISCOVERY_PATH)
            .body(Bytes::new())
            .map_err(|_| ExchangeError::NotHttp)?;
        let time_out = Duration::from_millis(DISCOVERY_MS_MAX);
        exchange(endpoint, request, METADATA_BYTES_MAX, time_out).await
    }

    /// What the host says of itself, if that can be believed.
    ///
    /// # Errors
    /// It says nothing, or nothing that can be believed.
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
