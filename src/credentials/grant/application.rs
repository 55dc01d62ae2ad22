//! An OAuth client as it is registered with NinjaOne, and its calls to NinjaOne's OAuth endpoints.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use oauth2::{
    AuthType, Client, ClientId, ClientSecret, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, RequestTokenError, StandardRevocableToken, TokenUrl,
    basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse},
};

use crate::{
    net::client::{
        endpoint::Endpoint,
        exchange::{exchange, resolve},
        exchange_error::ExchangeError,
    },
    secret::Secret,
};

use super::{
    token_endpoint_error::{TokenEndpointError, TokenResponseError},
    token_response::{TokenEndpointResponse, check_response},
};

/// Largest response of an OAuth endpoint that is read, in bytes.
const RESPONSE_BYTES_MAX: usize = 64 * 1024;

/// Timeout for a token request, from connecting to the last byte of the response.
pub const TOKEN_REQUEST_TIMEOUT_MS: u64 = 10_000;

/// An OAuth client on one NinjaOne host. A client id is valid on one host only.
#[derive(Clone)]
pub struct Application {
    pub endpoint: Endpoint,
    pub client_id: String,
    /// None for public clients: NinjaOne's platforms *Native* and *Single Page*.
    pub client_secret: Option<Secret<String>>,
    pub client_auth: ClientAuthMethod,
}

/// How the client authenticates with its secret (RFC 6749 section 2.3.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClientAuthMethod {
    /// `client_secret` in the form body: the only method that NinjaOne documents.
    #[default]
    ClientSecretPost,
    /// `Authorization: Basic`, which NinjaOne's metadata lists.
    ClientSecretBasic,
}

pub(super) type TokenClient = Client<
    BasicErrorResponse,
    TokenEndpointResponse,
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
    /// Looks NinjaOne's name up, so that the next request need not.
    ///
    /// # Errors
    /// The name has no address, or no answer came in time.
    pub(in crate::credentials) async fn resolve_host(&self) -> Result<(), TokenEndpointError> {
        resolve(&self.endpoint).await.map_err(to_token_error)
    }

    /// An OAuth client of the library, for the token endpoint at `token_path`.
    pub(super) fn token_client(&self, token_path: &str) -> Result<TokenClient, TokenEndpointError> {
        let address = format!("{}{token_path}", self.endpoint.origin());
        let address = TokenUrl::new(address)
            .map_err(|_| TokenEndpointError::Unreachable(ExchangeError::Resolve))?;
        let client = Client::new(ClientId::new(self.client_id.clone()));
        let client = match &self.client_secret {
            Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose().clone())),
            None => client,
        };
        let auth = match self.client_auth {
            ClientAuthMethod::ClientSecretPost => AuthType::RequestBody,
            ClientAuthMethod::ClientSecretBasic => AuthType::BasicAuth,
        };
        Ok(client.set_auth_type(auth).set_token_uri(address))
    }
}

/// Sends a token request that the library has built, and passes on only a response that may hold a token.
pub(super) async fn send_token_request(
    endpoint: Endpoint,
    request: HttpRequest,
) -> Result<HttpResponse, TokenEndpointError> {
    check_response(send_request(&endpoint, request.map(Bytes::from)).await?)
}

/// Sends a request to `endpoint`. Of the request's URI only path and query are used.
pub(super) async fn send_request(
    endpoint: &Endpoint,
    mut request: Request<Bytes>,
) -> Result<Response<Bytes>, TokenEndpointError> {
    if let Some(path) = request.uri().path_and_query().cloned() {
        *request.uri_mut() = Uri::from(path);
    }
    let time_out = Duration::from_millis(TOKEN_REQUEST_TIMEOUT_MS);
    exchange(endpoint, request, RESPONSE_BYTES_MAX, time_out)
        .await
        .map_err(to_token_error)
}

fn to_token_error(error: ExchangeError) -> TokenEndpointError {
    match error {
        ExchangeError::TooLong => TokenResponseError::TooLong.into(),
        other => TokenEndpointError::Unreachable(other),
    }
}

/// Keeps our own errors and drops the library's, which may hold the response body, and with it a token.
#[expect(
    clippy::needless_pass_by_value,
    reason = "what the library kept ends here"
)]
pub(super) fn strip_body(
    error: RequestTokenError<TokenEndpointError, BasicErrorResponse>,
) -> TokenEndpointError {
    match error {
        RequestTokenError::Request(ours) => ours,
        RequestTokenError::ServerResponse(_)
        | RequestTokenError::Parse(..)
        | RequestTokenError::Other(_) => TokenResponseError::NotJson.into(),
    }
}
