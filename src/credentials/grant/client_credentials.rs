//! The client credentials grant (RFC 6749 section 4.4): the service identity gets a token with the application's secret.

use std::time::Duration;

use oauth2::Scope;

use crate::{clock::Reading, ninjaone::paths::TOKEN_PATH};

use super::{
    application::{Application, send_token_request, strip_body},
    issued_token::IssuedToken,
    token_endpoint_error::TokenEndpointError,
};

/// The credentials of a service identity.
pub struct ClientCredentials {
    pub application: Application,
    /// The scopes to ask for; empty means all scopes of the application.
    pub scopes: Vec<String>,
}

/// What NinjaOne granted, without the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSummary {
    /// Empty if NinjaOne did not say.
    pub scopes: Vec<Box<str>>,
    pub lifetime: Duration,
}

impl ClientCredentials {
    /// Checks the credentials by requesting a token, which is discarded.
    ///
    /// # Errors
    /// NinjaOne issued no usable token.
    pub async fn verify(&self) -> Result<TokenSummary, TokenEndpointError> {
        let IssuedToken {
            scopes, lifetime, ..
        } = self.request_token().await?;
        Ok(TokenSummary { scopes, lifetime })
    }

    pub(in crate::credentials) async fn request_token(
        &self,
    ) -> Result<IssuedToken, TokenEndpointError> {
        let application = &self.application;
        let client = application.token_client(TOKEN_PATH)?;
        let scopes = self.scopes.iter().cloned().map(Scope::new);
        let requested = Reading::now();
        let response = client
            .exchange_client_credentials()
            .add_scopes(scopes)
            .request_async(&|request| send_token_request(application.endpoint.clone(), request))
            .await
            .map_err(strip_body)?;
        Ok(response.validate(requested)?)
    }
}
