//! What NinjaOne, or the way there, refused of the answers, and which of them has to be given again.

use crate::{
    cli::exit::ExitStatus,
    config::Origin,
    credentials::grant::token_endpoint_error::{
        TokenEndpointError, TokenRejection, TokenResponseError,
    },
    net::client::exchange_error::ExchangeError,
};

/// The answers, or what is not one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefusedPart {
    Place,
    PlaceAndClientId,
    Secret,
    /// The application as NinjaOne has it.
    Application,
    OutgoingProxy,
    /// No answer is wrong: it may pass.
    Trouble,
}

/// A refusal, its text for the operator, and the exit code if nobody can be asked.
#[derive(Debug, Clone)]
pub(super) struct InitRefusal {
    pub(super) part: RefusedPart,
    pub(super) text: String,
    pub(super) exit: ExitStatus,
}

impl InitRefusal {
    pub(super) fn of(error: TokenEndpointError, origin: &Origin) -> Self {
        let host = &origin.host;
        match error {
            TokenEndpointError::Rejected(rejection) => Self::rejected(rejection, host),
            TokenEndpointError::Throttled { .. } | TokenEndpointError::ServerError { .. } => Self {
                part: RefusedPart::Trouble,
                text: format!("{error}. Try again in a while."),
                exit: ExitStatus::TryAgainLater,
            },
            TokenEndpointError::Response(
                TokenResponseError::LifetimeMissing
                | TokenResponseError::LifetimeNotPositive
                | TokenResponseError::LifetimeNotANumber
                | TokenResponseError::TokenTypeUnknown
                | TokenResponseError::TokenMalformed,
            ) => Self {
                part: RefusedPart::Trouble,
                text: format!("{host} takes the credentials, but its token is of no use: {error}."),
                exit: ExitStatus::Failed,
            },
            TokenEndpointError::Response(_) | TokenEndpointError::UnexpectedStatus { .. } => Self {
                part: RefusedPart::Place,
                text: format!("{host} does not answer as NinjaOne does: {error}."),
                exit: ExitStatus::ConfigurationWrong,
            },
            TokenEndpointError::Unreachable(error) => Self::unreachable(error, host),
        }
    }

    fn rejected(rejection: TokenRejection, host: &str) -> Self {
        let (part, text) = match rejection {
            TokenRejection::WrongRegion => (
                RefusedPart::PlaceAndClientId,
                format!(
                    "{host} does not know this client ID: the region (or address) is wrong, or the client ID is."
                ),
            ),
            TokenRejection::InvalidClient => (
                RefusedPart::Secret,
                format!(
                    "{host} refuses the client secret. If it is the right one, the application lacks the grant Client \
                     Credentials (platform API Services): allow it in NinjaOne."
                ),
            ),
            TokenRejection::InvalidScope => (
                RefusedPart::Application,
                format!(
                    "{host} takes the credentials but grants no scope: tick Monitoring, and Management if needed, in the \
                     application in NinjaOne."
                ),
            ),
            TokenRejection::InvalidGrant => (
                RefusedPart::Application,
                format!("{host} refuses the grant: allow Client Credentials in the application."),
            ),
            TokenRejection::Redirected => (
                RefusedPart::Place,
                format!(
                    "{host} sends us elsewhere, and a secret is never sent after a redirect: give the address that the \
                     browser shows at its end."
                ),
            ),
        };
        Self {
            part,
            text,
            exit: ExitStatus::ConfigurationWrong,
        }
    }

    fn unreachable(error: ExchangeError, host: &str) -> Self {
        let (part, text, exit) = match error {
            ExchangeError::Tunnel(tunnel) => (
                RefusedPart::OutgoingProxy,
                format!("{host} could not be reached: {tunnel}."),
                if tunnel.needs_operator() {
                    ExitStatus::ConfigurationWrong
                } else {
                    ExitStatus::TryAgainLater
                },
            ),
            ExchangeError::Certificate => (
                RefusedPart::Place,
                format!(
                    "The TLS certificate of {host} is not trusted on this machine. If the network inspects TLS, name its \
                     authorities in SSL_CERT_FILE."
                ),
                ExitStatus::ConfigurationWrong,
            ),
            other => (
                RefusedPart::Place,
                format!("{host} could not be reached: {other}."),
                ExitStatus::TryAgainLater,
            ),
        };
        Self { part, text, exit }
    }
}
