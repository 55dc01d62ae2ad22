//! Connections to configured servers over TCP or TLS. A host never comes from a request, and a redirect is never followed.

use std::{io, sync::Arc, time::Duration};

use http::{HeaderValue, uri::Authority};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::{net::TcpStream, time::timeout_at};

use crate::{
    net::tls::{self, AlpnOffer, TlsError},
    tasks::Tasks,
};

use super::{
    endpoint::Endpoint,
    exchange_error::ExchangeError,
    http1::{Http1ClientConnection, transport::Transport},
    http2::Http2Sender,
    tcp_dialer::{ConnectTimeouts, TcpDialer},
    tls_io::TlsIo,
    tls_stream::TlsStream,
    tunnel,
    tunnel_error::TunnelError,
};

/// Makes connections to one server.
pub struct Connector {
    endpoint: Endpoint,
    authority: Authority,
    host: HeaderValue,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    tcp: TcpDialer,
}

/// Why no connections can be made to a server at all. The texts are for operators.
#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("{0:?} is not a host name")]
    Host(String),
}

/// A connection that requests can be sent on.
pub enum DialedConnection {
    /// For one request at a time.
    Http1(Box<Http1ClientConnection>),
    /// Shared by all requests.
    Http2(Http2Sender),
}

impl Connector {
    /// Makes connections with ALPN as offered; each has to be made, TLS handshake included, within `connect` after the
    /// endpoint's name has been looked up.
    ///
    /// # Errors
    /// When TLS cannot be configured, or the host is not a host name.
    pub fn new(
        endpoint: Endpoint,
        offer: AlpnOffer,
        connect: Duration,
    ) -> Result<Self, ConnectorError> {
        let bad_host = || ConnectorError::Host(endpoint.host.clone());
        let authority = Authority::try_from(endpoint.authority()).map_err(|_| bad_host())?;
        let host = HeaderValue::try_from(endpoint.authority()).map_err(|_| bad_host())?;
        let tls = if endpoint.tls {
            let name = ServerName::try_from(endpoint.host.clone()).map_err(|_| bad_host())?;
            let config = tls::client_config(endpoint.ca.as_deref(), offer)?;
            Some((config, name))
        } else {
            None
        };
        let tcp = TcpDialer::new(ConnectTimeouts {
            resolve: endpoint.resolve_timeout,
            connect,
        });
        Ok(Self {
            endpoint,
            authority,
            host,
            tls,
            tcp,
        })
    }

    /// Where it connects to.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The value of `:authority`.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The value of `Host`.
    #[must_use]
    pub fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// Connects. An HTTP/2 connection's own task is started under `tasks`.
    ///
    /// # Errors
    /// When the host cannot be reached in time, or its certificate is not trusted.
    pub async fn dial(&self, tasks: &Tasks) -> Result<DialedConnection, ExchangeError> {
        let (host, port) = self.dialed_host();
        let dialed = self.tcp.connect(host, port).await;
        let dialed = dialed.map_err(|error| self.connect_error(error))?;
        let (mut socket, deadline) = (dialed.stream, dialed.deadline);
        if let Some(proxy) = &self.endpoint.proxy {
            let tunnel = tunnel::open(&mut socket, proxy, &self.endpoint, deadline).await;
            if tunnel.is_err_and(TunnelError::is_of_the_proxy_itself) {
                self.tcp.record_unfit(host, dialed.address);
            }
            tunnel?;
        }
        let opened = timeout_at(deadline, self.open(socket, tasks)).await;
        let opened = opened.unwrap_or(Err(ExchangeError::ConnectTimedOut));
        // What fails behind a tunnel is no fault of the proxy's address.
        if opened.is_err() && self.endpoint.proxy.is_none() {
            self.tcp.record_unfit(host, dialed.address);
        }
        opened
    }

    /// Looks the name up, so that the next [`Connector::dial`] need not.
    ///
    /// # Errors
    /// The name has no address, or no answer came in time.
    pub async fn resolve(&self) -> Result<(), ExchangeError> {
        let resolved = self.tcp.resolve(self.dialed_host().0).await;
        resolved.map_err(|error| self.connect_error(error))
    }

    /// What TCP connects to.
    fn dialed_host(&self) -> (&str, u16) {
        match &self.endpoint.proxy {
            Some(proxy) => (proxy.host(), proxy.port()),
            None => (&self.endpoint.host, self.endpoint.port),
        }
    }

    /// Names the outgoing proxy in an error of the connection to it.
    fn connect_error(&self, error: ExchangeError) -> ExchangeError {
        match self.endpoint.proxy {
            Some(_) => tunnel::connect_error(error).into(),
            None => error,
        }
    }

    /// Agrees with the server on all that comes before the first request.
    async fn open(
        &self,
        socket: TcpStream,
        tasks: &Tasks,
    ) -> Result<DialedConnection, ExchangeError> {
        let Some((config, name)) = &self.tls else {
            return Ok(http1_over(Transport::Plain(socket)));
        };
        let (stream, plain) = TlsStream::connect(socket, Arc::clone(config), name.clone())
            .await
            .map_err(|error| self.tls_error(&error))?;
        if stream.protocol() == Some(b"h2") {
            let sender = Http2Sender::connect(TlsIo::new(stream, plain), tasks).await?;
            return Ok(DialedConnection::Http2(sender));
        }
        // Over HTTP/1.1, bytes that come before a request would be taken for its response.
        if !plain.is_empty() {
            return Err(ExchangeError::NotHttp);
        }
        Ok(http1_over(Transport::Tls(stream)))
    }

    fn tls_error(&self, error: &io::Error) -> ExchangeError {
        if tls::is_certificate_error(error) {
            ExchangeError::Certificate
        } else if self.endpoint.proxy.is_some() && error.get_ref().is_none() {
            // The socket's own error, and the socket is the proxy's.
            TunnelError::Broken.into()
        } else {
            ExchangeError::Tls
        }
    }
}

fn http1_over(transport: Transport) -> DialedConnection {
    DialedConnection::Http1(Http1ClientConnection::new(transport))
}
