//! The refresh token grant (RFC 6749 section 6). NinjaOne rotates refresh tokens: each use issues a new one and revokes the
//! old one.

use oauth2::RefreshToken;

use crate::{clock::Reading, secret::Secret};

use super::{
    application::{Application, send_token_request, strip_body},
    token_endpoint_error::TokenEndpointError,
    token_set::TokenSet,
};

impl Application {
    /// Exchanges a refresh token for new tokens. Sends no `scope`, so the login keeps the scopes it was granted.
    pub(in crate::credentials) async fn refresh(
        &self,
        token: &Secret<String>,
        token_path: &str,
    ) -> Result<TokenSet, TokenEndpointError> {
        let client = self.token_client(token_path)?;
        let token = RefreshToken::new(token.expose().clone());
        let requested = Reading::now();
        let response = client
            .exchange_refresh_token(&token)
            .request_async(&|request| send_token_request(self.endpoint.clone(), request))
            .await
            .map_err(strip_body)?;
        Ok(response.token_set(requested))
    }
}
