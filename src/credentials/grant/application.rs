//! An application as NinjaOne knows it, and how it speaks to the token endpoint.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use oauth2::{
    AuthType, Client, ClientId, ClientSecret, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, RequestTokenError, StandardRevocableToken, TokenUrl,
    basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse},
};

use crate::{
    net::client::{Endpoint, ExchangeError, exchange},
    secret::Secret,
};

use super::{
    answer::{Answer, sift},
    mint_error::{TokenEndpointError, TokenResponseError},
};

/// Longest answer of the token endpoint that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Longest that a token call takes, from the connection to the last byte.
pub const TOKEN_CALL_MS_MAX: u64 = 10_000;

/// Who we are to NinjaOne. A client id lives on one host only.
#[derive(Clone)]
pub struct Application {
    pub endpoint: Endpoint,
    pub client_id: String,
    /// None for those that cannot keep one: *Native* and *Single Page*.
    pub client_secret: Option<Secret<String>>,
    pub auth: ClientAuth,
}

/// How an application proves its secret (RFC 6749 section 2.3.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// In the form: all that NinjaOne documents.
    #[default]
    Body,
    /// As `Authorization: Basic`: NinjaOne's metadata offers it.
    Basic,
}

pub(super) type TokenClient = Client<
    BasicErrorResponse,
    Answer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

impl Application {
    /// A client whose tokens are issued at `token_path`.
    pub(super) fn token_client(&self, token_path: &str) -> Result<TokenClient, TokenEndpointError> {
        let address = format!("{}{token_path}", self.endpoint.origin());
        let address = TokenUrl::new(address)
            .map_err(|_| TokenEndpointError::Unreachable(ExchangeError::Resolve))?;
        let client = Client::new(ClientId::new(self.client_id.clone()));
        let client = match &self.client_secret {
            Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose().clone())),
            None => client,
        };
        let auth = match self.auth {
            ClientAuth::Body => AuthType::RequestBody,
            ClientAuth::Basic => AuthType::BasicAuth,
        };
        Ok(client.set_auth_type(auth).set_token_uri(address))
    }
}

/// Sends a token request of the library's making, and lets through only what may hold a token.
pub(super) async fn call(
    endpoint: Endpoint,
    request: HttpRequest,
) -> Result<HttpResponse, TokenEndpointError> {
    sift(send(&endpoint, request.map(Bytes::from)).await?)
}

/// Sends a request to a host. Its URI may be a whole address; only the path is used.
pub(super) async fn send(
    endpoint: &Endpoint,
    mut request: Request<Bytes>,
) -> Result<Response<Bytes>, TokenEndpointError> {
    if let Some(path) = request.uri().path_and_query().cloned() {
        *request.uri_mut() = Uri::from(path);
    }
    let time_out = Duration::from_millis(TOKEN_CALL_MS_MAX);
    exchange(endpoint, request, ANSWER_BYTES_MAX, time_out)
        .await
        .map_err(unreachable)
}

fn unreachable(error: ExchangeError) -> TokenEndpointError {
    match error {
        ExchangeError::TooLong => TokenResponseError::TooLong.into(),
        other => TokenEndpointError::Unreachable(other),
    }
}

/// Only our own errors come out: those of the library can hold the body, and the body can hold a token.
#[expect(
    clippy::needless_pass_by_value,
    reason = "what the library kept ends here"
)]
pub(super) fn without_body(
    error: RequestTokenError<TokenEndpointError, BasicErrorResponse>,
) -> TokenEndpointError {
    match error {
        RequestTokenError::Request(ours) => ours,
        RequestTokenError::ServerResponse(_)
        | RequestTokenError::Parse(..)
        | RequestTokenError::Other(_) => TokenResponseError::NotJson.into(),
    }
}
