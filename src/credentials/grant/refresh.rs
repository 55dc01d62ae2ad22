//! The refresh token grant (RFC 6749 section 6). NinjaOne issues a new refresh token at every use, and the old one is dead
//! from that moment on.

use oauth2::RefreshToken;

use crate::{clock::Reading, secret::Secret};

use super::{
    Issued,
    application::{Application, call, without_body},
    mint_error::TokenEndpointError,
};

impl Application {
    /// Uses `token`. Asks for no scope: those of the login stay (the scope of a refresh never widens).
    pub(in crate::credentials) async fn refresh(
        &self,
        token: &Secret<String>,
        token_path: &str,
    ) -> Result<Issued, TokenEndpointError> {
        let client = self.token_client(token_path)?;
        let token = RefreshToken::new(token.expose().clone());
        let requested = Reading::now();
        let answer = client
            .exchange_refresh_token(&token)
            .request_async(&|request| call(self.endpoint.clone(), request))
            .await
            .map_err(without_body)?;
        Ok(answer.issued(requested))
    }
}
