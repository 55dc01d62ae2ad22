//! The client credentials grant (RFC 6749 section 4.4): the machine identity mints a token with its own secret.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Uri, header};
use oauth2::{
    AuthType, Client, ClientId, ClientSecret, HttpRequest, HttpResponse, RequestTokenError, Scope,
    StandardRevocableToken, TokenUrl,
    basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse},
};

use crate::{
    net::client::{Endpoint, ExchangeError, exchange},
    secret::Secret,
};

use super::{
    Granted,
    answer::{Answer, sift},
    mint_error::MintError,
};

/// Where NinjaOne issues tokens, on every host.
const TOKEN_PATH: &str = "/ws/oauth/token";

/// Longest answer of the token endpoint that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Longest that a token call takes, from the connection to the last byte.
const TOKEN_CALL_MS_MAX: u64 = 10_000;

/// What the machine identity has in hand.
pub struct ClientCredentials {
    pub endpoint: Endpoint,
    pub client_id: String,
    pub client_secret: Secret<String>,
    /// Empty means all scopes of the application.
    pub scopes: Vec<String>,
}

type TokenClient = Client<
    BasicErrorResponse,
    Answer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

impl ClientCredentials {
    pub(super) async fn mint(&self) -> Result<Granted, MintError> {
        let address = TokenUrl::new(address(&self.endpoint))
            .map_err(|_| MintError::Unreachable(ExchangeError::Resolve))?;
        // In the body: NinjaOne documents no other way, and a Basic header would have to be form-encoded first.
        let client = TokenClient::new(ClientId::new(self.client_id.clone()))
            .set_client_secret(ClientSecret::new(self.client_secret.expose().clone()))
            .set_auth_type(AuthType::RequestBody)
            .set_token_uri(address);
        let scopes = self.scopes.iter().cloned().map(Scope::new);
        client
            .exchange_client_credentials()
            .add_scopes(scopes)
            .request_async(&|request| send(self.endpoint.clone(), request))
            .await
            .map_err(without_body)?
            .judge()
    }
}

async fn send(endpoint: Endpoint, request: HttpRequest) -> Result<HttpResponse, MintError> {
    let (mut head, body) = request.into_parts();
    head.uri = Uri::from_static(TOKEN_PATH);
    let host = HeaderValue::try_from(authority(&endpoint))
        .map_err(|_| MintError::Unreachable(ExchangeError::Resolve))?;
    head.headers.insert(header::HOST, host);
    let request = Request::from_parts(head, Bytes::from(body));
    let time_out = Duration::from_millis(TOKEN_CALL_MS_MAX);
    let answer = exchange(&endpoint, request, ANSWER_BYTES_MAX, time_out).await;
    sift(answer.map_err(unreachable)?)
}

fn address(endpoint: &Endpoint) -> String {
    let scheme = if endpoint.tls { "https" } else { "http" };
    format!("{scheme}://{}{TOKEN_PATH}", authority(endpoint))
}

/// Host and port; the brackets of an IPv6 address belong to a URL, not to the address.
fn authority(endpoint: &Endpoint) -> String {
    let bare = endpoint.host.as_str();
    let host = if bare.contains(':') && !bare.starts_with('[') {
        format!("[{bare}]")
    } else {
        bare.to_owned()
    };
    match (endpoint.tls, endpoint.port) {
        (true, 443) | (false, 80) => host,
        (_, port) => format!("{host}:{port}"),
    }
}

fn unreachable(error: ExchangeError) -> MintError {
    match error {
        ExchangeError::TooLong => MintError::TooLong,
        other => MintError::Unreachable(other),
    }
}

/// Only our own errors come out: those of the library can hold the body, and the body can hold a token.
#[expect(
    clippy::needless_pass_by_value,
    reason = "what the library kept ends here"
)]
fn without_body(error: RequestTokenError<MintError, BasicErrorResponse>) -> MintError {
    match error {
        RequestTokenError::Request(ours) => ours,
        RequestTokenError::ServerResponse(_)
        | RequestTokenError::Parse(..)
        | RequestTokenError::Other(_) => MintError::NotJson,
    }
}
