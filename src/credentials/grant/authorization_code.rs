//! The authorization code grant with PKCE (RFC 6749 section 4.1, RFC 7636): exchanges a user's consent for tokens.

use std::borrow::Cow;

use oauth2::{AuthorizationCode, PkceCodeVerifier, RedirectUrl};

use crate::{clock::Reading, net::client::exchange_error::ExchangeError, secret::Secret};

use super::{
    application::{Application, send_token_request, strip_body},
    token_endpoint_error::TokenEndpointError,
    token_set::TokenSet,
};

impl Application {
    /// Exchanges a code for tokens. `redirect` must be, byte for byte, the redirect URI of the authorization request.
    pub(in crate::credentials) async fn exchange_code(
        &self,
        code: &Secret<String>,
        verifier: &Secret<String>,
        redirect: &str,
        token_path: &str,
    ) -> Result<TokenSet, TokenEndpointError> {
        let client = self.token_client(token_path)?;
        let redirect = RedirectUrl::new(redirect.to_owned())
            .map_err(|_| TokenEndpointError::Unreachable(ExchangeError::Resolve))?;
        let requested = Reading::now();
        let response = client
            .exchange_code(AuthorizationCode::new(code.expose().clone()))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().clone()))
            .set_redirect_uri(Cow::Borrowed(&redirect))
            .request_async(&|request| send_token_request(self.endpoint.clone(), request))
            .await
            .map_err(strip_body)?;
        Ok(response.token_set(requested))
    }
}
