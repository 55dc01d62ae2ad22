//! Why a login failed, and the exit code that follows.

use std::{io, net::SocketAddr};

use crate::{
    cli::exit::ExitStatus,
    credentials::{
        grant::token_endpoint_error::{TokenEndpointError, TokenRejection},
        login::{
            authorization::AuthorizationError, callback::CallbackError, completion::CompletionError,
        },
        store::error::StoreError,
    },
    net::client::exchange_error::ExchangeError,
};

#[derive(Debug, thiserror::Error)]
pub(super) enum LoginCommandError {
    #[error(
        "{0} is in use by another program, which must not see this login: stop that program, or log in with --paste"
    )]
    PortTaken(SocketAddr),
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    #[error("the redirect {0} is not an address of this machine: log in with --paste")]
    RedirectNotLocal(String),
    #[error("the browser did not come back from NinjaOne in time; {0}")]
    TimedOut(&'static str),
    #[error("interrupted")]
    Interrupted,
    #[error("the input ended before the address was pasted")]
    EndOfInput,
    #[error("{}{}", if .0.ends_login() { "" } else { "what came back is not this login: " }, .0)]
    Callback(#[from] CallbackError),
    #[error(transparent)]
    Authorization(#[from] AuthorizationError),
    #[error(transparent)]
    Completion(#[from] CompletionError),
    #[error("the login was not started, because it could not be stored: {0}")]
    Store(#[from] StoreError),
    #[error("the address of the login page is not on {0}, so it is not opened")]
    UntrustedUrl(String),
    #[error("the proxy cannot be reached at {0}: {1}")]
    Unreachable(String, ExchangeError),
    #[error("{0} does not answer as the admin listener of a proxy does")]
    UnexpectedResponse(String),
    /// The proxy's own error.
    #[error("the proxy says: {detail}")]
    Proxy { error: String, detail: String },
    #[error("{0}")]
    Key(String),
}

impl LoginCommandError {
    pub(super) fn from_bind(at: SocketAddr, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::PortTaken(at),
            kind => Self::Listen(at, kind.into()),
        }
    }

    /// A name out of a closed set.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::PortTaken(_) => "port-taken",
            Self::Listen(..) => "port-unavailable",
            Self::RedirectNotLocal(_) => "redirect-elsewhere",
            Self::TimedOut(_) => "timed-out",
            Self::Interrupted => "interrupted",
            Self::EndOfInput => "no-input",
            Self::Callback(error) => error.as_str(),
            Self::Authorization(error) => error.as_str(),
            Self::Completion(error) => error.as_str(),
            Self::Store(_) => "store",
            Self::UntrustedUrl(_) => "address",
            Self::Unreachable(..) => "proxy-unreachable",
            Self::UnexpectedResponse(_) => "proxy-unknown",
            Self::Proxy { error, .. } => error,
            Self::Key(_) => "key",
        }
    }

    pub(super) fn exit_code(&self) -> ExitStatus {
        match self {
            Self::Store(StoreError::Busy { .. })
            | Self::Completion(
                CompletionError::StoreFailedRevoked(StoreError::Busy { .. })
                | CompletionError::StoreFailedNotRevoked(StoreError::Busy { .. }),
            )
            | Self::Unreachable(..) => ExitStatus::TryAgainLater,
            Self::Proxy { error, .. } if error == "busy" || error == "stopping" => {
                ExitStatus::TryAgainLater
            }
            Self::Authorization(error)
            | Self::Completion(CompletionError::Authorization(error)) => {
                authorization_error_exit_code(error)
            }
            Self::RedirectNotLocal(_) | Self::Key(_) => ExitStatus::ConfigurationWrong,
            _ => ExitStatus::Failed,
        }
    }
}

fn authorization_error_exit_code(error: &AuthorizationError) -> ExitStatus {
    match error {
        AuthorizationError::Exchange(error) => exit_of_token_error(*error),
        AuthorizationError::InvalidUrl => ExitStatus::ConfigurationWrong,
        AuthorizationError::NoRandomness
        | AuthorizationError::CodeRefused
        | AuthorizationError::Token(_) => ExitStatus::Failed,
    }
}

/// 78 if the configuration or the application in NinjaOne is wrong, 75 if the network or NinjaOne has a problem.
pub(in crate::cli) fn exit_of_token_error(error: TokenEndpointError) -> ExitStatus {
    match error {
        TokenEndpointError::Rejected(TokenRejection::InvalidGrant)
        | TokenEndpointError::UnexpectedStatus { .. }
        | TokenEndpointError::Response(_) => ExitStatus::Failed,
        TokenEndpointError::Rejected(_) => ExitStatus::ConfigurationWrong,
        TokenEndpointError::Throttled { .. }
        | TokenEndpointError::ServerError { .. }
        | TokenEndpointError::Unreachable(_) => ExitStatus::TryAgainLater,
    }
}
