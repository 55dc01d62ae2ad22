//! The client credentials grant (RFC 6749 section 4.4): the service identity gets a token with the application's secret.

use std::time::Duration;

use oauth2::Scope;

use crate::{clock::Reading, ninjaone::paths::TOKEN_PATH};

use super::{
    application::{Application, call, without_body},
    issued_token::IssuedToken,
    token_error::TokenEndpointError,
};

/// The credentials of a service identity.
pub struct ClientCredentials {
    pub application: Application,
    /// The scopes to ask for; empty means all scopes of the application.
    pub scopes: Vec<String>,
}

/// What NinjaOne granted, without the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Empty if NinjaOne did not say.
    pub scopes: Vec<Box<str>>,
    pub life: Duration,
}

impl ClientCredentials {
    /// Checks the credentials by requesting a token, which is discarded.
    ///
    /// # Errors
    /// NinjaOne issued no usable token.
    pub async fn try_out(&self) -> Result<Offered, TokenEndpointError> {
        let IssuedToken {
            scopes, lifetime, ..
        } = self.mint().await?;
        Ok(Offered {
            scopes,
            life: lifetime,
        })
    }

    pub(in crate::credentials) async fn mint(&self) -> Result<IssuedToken, TokenEndpointError> {
        let application = &self.application;
        let client = application.token_client(TOKEN_PATH)?;
        let scopes = self.scopes.iter().cloned().map(Scope::new);
        let requested = Reading::now();
        let answer = client
            .exchange_client_credentials()
            .add_scopes(scopes)
            .request_async(&|request| call(application.endpoint.clone(), request))
            .await
            .map_err(without_body)?;
        Ok(answer.judge(requested)?)
    }
}
