//! The client credentials grant (RFC 6749 section 4.4): the machine identity mints a token with its own secret.

use std::time::Duration;

use oauth2::Scope;

use crate::{clock::Reading, ninjaone::endpoint::TOKEN_PATH};

use super::{
    application::{Application, call, without_body},
    issued_token::IssuedToken,
    mint_error::TokenEndpointError,
};

/// What the machine identity has in hand.
pub struct ClientCredentials {
    pub application: Application,
    /// Empty means all scopes of the application.
    pub scopes: Vec<String>,
}

/// What NinjaOne gives for credentials: all but the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Empty if it did not say.
    pub scopes: Vec<Box<str>>,
    pub life: Duration,
}

impl ClientCredentials {
    /// Asks for a token and drops it: do they work?
    ///
    /// # Errors
    /// Why they do not.
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
