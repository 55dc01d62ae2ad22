//! Why an outgoing proxy gave no way to a server. Nothing of a request has left then.

/// Why there is no tunnel through an outgoing proxy. The texts are for operators and callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TunnelError {
    #[error("the host name of the outgoing proxy could not be resolved")]
    Resolve,
    #[error("the outgoing proxy refused the connection or could not be reached")]
    Connect,
    #[error("the outgoing proxy took too long")]
    TimedOut,
    /// During CONNECT, or before TLS with the server was agreed on.
    #[error("the outgoing proxy broke the connection")]
    Broken,
    #[error("what answers at the outgoing proxy's address is not an HTTP proxy")]
    NotHttp,
    /// 407, and we have none to send.
    #[error("the outgoing proxy asks for a user and a password (status 407)")]
    CredentialsMissing,
    /// 407, or 401, to those that were sent.
    #[error("the outgoing proxy refuses the user or the password (status {0})")]
    CredentialsRefused(u16),
    /// 407, with other schemes than ours.
    #[error("the outgoing proxy takes no user and password by Basic (status 407)")]
    BasicNotOffered,
    /// Any other status: it does not want to connect, or cannot.
    #[error("the outgoing proxy refuses the tunnel with status {0}")]
    Status(u16),
}

impl TunnelError {
    /// The error type of RFC 9209 section 2.3, of the connection to the proxy, which is our next hop.
    #[must_use]
    pub const fn proxy_status(self) -> &'static str {
        match self {
            Self::Resolve => "dns_error",
            Self::Connect => "connection_refused",
            Self::TimedOut => "connection_timeout",
            Self::Broken => "connection_terminated",
            Self::NotHttp => "http_protocol_error",
            Self::CredentialsMissing | Self::CredentialsRefused(_) | Self::BasicNotOffered => {
                "proxy_configuration_error"
            }
            Self::Status(_) => "destination_unavailable",
        }
    }

    /// Whether the proxy did not answer as one: another address of its name may.
    #[must_use]
    pub const fn is_of_the_proxy_itself(self) -> bool {
        matches!(self, Self::TimedOut | Self::Broken | Self::NotHttp)
    }

    /// Whether trying again soon is pointless: somebody has to change the credentials first.
    #[must_use]
    pub const fn needs_operator(self) -> bool {
        matches!(
            self,
            Self::CredentialsMissing | Self::CredentialsRefused(_) | Self::BasicNotOffered
        )
    }
}
