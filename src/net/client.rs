//! The way out: connections to configured hosts over TCP or TLS. A host never comes from a request, and a redirect is
//! never followed.

use std::{io, path::PathBuf, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header, uri::Authority};
use http_body::Body;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, BufReader},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::tasks::Tasks;

use super::tls::{self, Offer, TlsError};

/// What is read at once beneath TLS. The TLS library asks for 4 KiB at a time: for an answer of 20 KB that is nine system
/// calls instead of four.
const READ_AHEAD_BYTES: usize = 32 * 1024;
const H2_STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
const H2_CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;
/// What a server may send in one frame: each frame wakes the caller's side once.
const H2_FRAME_BYTES: u32 = 64 * 1024;
const H2_PING_INTERVAL: Duration = Duration::from_secs(20);
const H2_PING_PATIENCE: Duration = Duration::from_secs(10);

/// A host that we were configured to talk to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub tls: bool,
    pub host: String,
    pub port: u16,
    /// A PEM file of certificate authorities to trust besides the system's.
    pub ca: Option<PathBuf>,
}

impl Endpoint {
    /// `host` or `host:port`, the latter where the port is not the scheme's own; IPv6 in brackets.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    /// `https://host` or `https://host:port`.
    #[must_use]
    pub fn origin(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.authority())
    }
}

/// Why an exchange came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ExchangeError {
    #[error("the host name could not be resolved")]
    Resolve,
    #[error("the connection was refused or could not be made")]
    Connect,
    #[error("the TLS certificate was not accepted")]
    Certificate,
    #[error("TLS failed")]
    Tls,
    #[error("it took too long")]
    TimedOut,
    #[error("the connection broke")]
    Broken,
    #[error("the answer is not HTTP")]
    NotHttp,
    #[error("the answer is too long")]
    TooLong,
}

impl ExchangeError {
    /// The error type of RFC 9209 section 2.3.
    #[must_use]
    pub const fn proxy_status(self) -> &'static str {
        match self {
            Self::Resolve => "dns_error",
            Self::Connect => "connection_refused",
            Self::Certificate => "tls_certificate_error",
            Self::Tls => "tls_protocol_error",
            Self::TimedOut => "connection_timeout",
            Self::Broken => "connection_terminated",
            Self::NotHttp => "http_protocol_error",
            Self::TooLong => "http_response_body_size",
        }
    }

    #[must_use]
    pub fn of_hyper(error: &hyper::Error) -> Self {
        if error.is_parse() || error.is_parse_status() {
            Self::NotHttp
        } else if error.is_timeout() {
            Self::TimedOut
        } else {
            Self::Broken
        }
    }
}

/// Makes connections to one endpoint.
pub struct Connector {
    endpoint: Endpoint,
    authority: Authority,
    host: HeaderValue,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    connect: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("{0:?} is not a host name")]
    Host(String),
}

/// A connection that requests with bodies of type `B` can be sent on.
pub enum Dialed<B> {
    Http1(http1::SendRequest<B>),
    Http2(http2::SendRequest<B>),
}

impl Connector {
    /// # Errors
    /// When TLS cannot be set up, or the host is not a host name.
    pub fn new(
        endpoint: Endpoint,
        offer: Offer,
        connect: Duration,
    ) -> Result<Self, ConnectorError> {
        let bad_host = || ConnectorError::Host(endpoint.host.clone());
        let authority = Authority::try_from(endpoint.authority()).map_err(|_| bad_host())?;
        let host = HeaderValue::try_from(endpoint.authority()).map_err(|_| bad_host())?;
        let tls = if endpoint.tls {
            let name = ServerName::try_from(endpoint.host.clone()).map_err(|_| bad_host())?;
            let config = tls::client(endpoint.ca.as_deref(), offer)?;
            Some((TlsConnector::from(config), name))
        } else {
            None
        };
        Ok(Self {
            endpoint,
            authority,
            host,
            tls,
            connect,
        })
    }

    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The value of `Host`.
    #[must_use]
    pub fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// Connects, and starts the connection's own task under `tasks`.
    ///
    /// # Errors
    /// When the host cannot be reached in time or does not prove who it is.
    pub async fn dial<B>(&self, tasks: &Tasks) -> Result<Dialed<B>, ExchangeError>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        timeout(self.connect, self.dial_untimed(tasks))
            .await
            .map_err(|_| ExchangeError::TimedOut)?
    }

    async fn dial_untimed<B>(&self, tasks: &Tasks) -> Result<Dialed<B>, ExchangeError>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let socket = self.tcp().await?;
        let Some((connector, name)) = &self.tls else {
            return http1_over(socket, tasks).await;
        };
        let buffered = BufReader::with_capacity(READ_AHEAD_BYTES, socket);
        let stream = connector
            .connect(name.clone(), buffered)
            .await
            .map_err(|error| tls_error(&error))?;
        let chosen = stream.get_ref().1.alpn_protocol();
        if chosen == Some(b"h2") {
            http2_over(stream, tasks).await
        } else {
            http1_over(stream, tasks).await
        }
    }

    async fn tcp(&self) -> Result<TcpStream, ExchangeError> {
        let addresses = tokio::net::lookup_host((self.endpoint.host.as_str(), self.endpoint.port))
            .await
            .map_err(|_| ExchangeError::Resolve)?;
        for address in addresses {
            if let Ok(socket) = TcpStream::connect(address).await {
                socket
                    .set_nodelay(true)
                    .map_err(|_| ExchangeError::Connect)?;
                return Ok(socket);
            }
        }
        Err(ExchangeError::Connect)
    }
}

fn tls_error(error: &io::Error) -> ExchangeError {
    if tls::is_certificate_error(error) {
        ExchangeError::Certificate
    } else {
        ExchangeError::Tls
    }
}

async fn http1_over<S, B>(socket: S, tasks: &Tasks) -> Result<Dialed<B>, ExchangeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (sender, connection) = http1::Builder::new()
        .handshake(TokioIo::new(socket))
        .await
        .map_err(|error| ExchangeError::of_hyper(&error))?;
    tasks.spawn(async move {
        // How it ends is told to whoever waits for an answer on it.
        let _ = connection.await;
    });
    Ok(Dialed::Http1(sender))
}

async fn http2_over<S, B>(socket: S, tasks: &Tasks) -> Result<Dialed<B>, ExchangeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(H2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(H2_CONNECTION_WINDOW_BYTES)
        .max_frame_size(H2_FRAME_BYTES)
        .keep_alive_interval(H2_PING_INTERVAL)
        .keep_alive_timeout(H2_PING_PATIENCE)
        .handshake(TokioIo::new(socket))
        .await
        .map_err(|error| ExchangeError::of_hyper(&error))?;
    tasks.spawn(async move {
        let _ = connection.await;
    });
    Ok(Dialed::Http2(sender))
}

/// One request with a short body over a connection of its own, and the whole answer: for token calls, probes and the
/// command line, not for the journey. Redirects are not followed. The request's URI is a path; `Host` is set here.
///
/// # Errors
/// The answer's body is longer than `answer_bytes_max`, or `time_out` passed, or the network failed.
pub async fn exchange(
    endpoint: &Endpoint,
    request: Request<Bytes>,
    answer_bytes_max: usize,
    time_out: Duration,
) -> Result<Response<Bytes>, ExchangeError> {
    let connector =
        Connector::new(endpoint.clone(), Offer::Http1, time_out).map_err(|_| ExchangeError::Tls)?;
    timeout(
        time_out,
        exchange_over(&connector, request, answer_bytes_max),
    )
    .await
    .map_err(|_| ExchangeError::TimedOut)?
}

async fn exchange_over(
    connector: &Connector,
    request: Request<Bytes>,
    answer_bytes_max: usize,
) -> Result<Response<Bytes>, ExchangeError> {
    let tasks = Tasks::new();
    let mut request = request.map(Full::new);
    request
        .headers_mut()
        .insert(header::HOST, connector.host().clone());
    let Dialed::Http1(mut sender) = connector.dial::<Full<Bytes>>(&tasks).await? else {
        return Err(ExchangeError::NotHttp);
    };
    let answer = sender
        .send_request(request)
        .await
        .map_err(|error| ExchangeError::of_hyper(&error))?;
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, answer_bytes_max)
        .collect()
        .await
        .map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                ExchangeError::TooLong
            } else {
                ExchangeError::Broken
            }
        })?;
    Ok(Response::from_parts(parts, body.to_bytes()))
}
