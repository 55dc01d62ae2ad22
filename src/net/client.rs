//! The way out: connections to configured hosts over TCP or TLS. A host never comes from a request, and a redirect is
//! never followed.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header, uri::Authority};
use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::{net::TcpStream, time::timeout};

use crate::tasks::Tasks;

use super::{
    body::RequestBody,
    http1::client::{Connection, Failure, RequestHead, transport::Transport},
    method::Method,
    tls::{self, Offer, TlsError},
    tls_stream::{TlsIo, TlsStream},
};

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

impl From<Failure> for ExchangeError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotHttp => Self::NotHttp,
            Failure::Unanswered | Failure::Broken | Failure::Upload => Self::Broken,
        }
    }
}

/// Makes connections to one endpoint.
pub struct Connector {
    endpoint: Endpoint,
    authority: Authority,
    host: HeaderValue,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    connect: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("{0:?} is not a host name")]
    Host(String),
}

/// A connection that requests can be sent on.
pub enum Dialed {
    Http1(Box<Connection>),
    Http2(http2::SendRequest<RequestBody>),
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
            Some((config, name))
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

    /// Connects. An HTTP/2 connection's own task is started under `tasks`.
    ///
    /// # Errors
    /// When the host cannot be reached in time or does not prove who it is.
    pub async fn dial(&self, tasks: &Tasks) -> Result<Dialed, ExchangeError> {
        timeout(self.connect, self.dial_untimed(tasks))
            .await
            .map_err(|_| ExchangeError::TimedOut)?
    }

    async fn dial_untimed(&self, tasks: &Tasks) -> Result<Dialed, ExchangeError> {
        let socket = self.tcp().await?;
        let Some((config, name)) = &self.tls else {
            return Ok(http1_over(Transport::Plain(socket)));
        };
        let (stream, plain) = TlsStream::connect(socket, Arc::clone(config), name.clone())
            .await
            .map_err(|error| tls_error(&error))?;
        if stream.protocol() == Some(b"h2") {
            return http2_over(TlsIo::new(stream, plain), tasks).await;
        }
        // Over HTTP/1.1 a server that speaks before it is asked could make its words the answer to a request.
        if !plain.is_empty() {
            return Err(ExchangeError::NotHttp);
        }
        Ok(http1_over(Transport::Tls(stream)))
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

fn http1_over(transport: Transport) -> Dialed {
    Dialed::Http1(Connection::new(transport))
}

async fn http2_over(stream: TlsIo, tasks: &Tasks) -> Result<Dialed, ExchangeError> {
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(H2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(H2_CONNECTION_WINDOW_BYTES)
        .max_frame_size(H2_FRAME_BYTES)
        .keep_alive_interval(H2_PING_INTERVAL)
        .keep_alive_timeout(H2_PING_PATIENCE)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| ExchangeError::of_hyper(&error))?;
    tasks.spawn(async move {
        let _ = connection.await;
    });
    Ok(Dialed::Http2(sender))
}

/// One request with a short body over a connection of its own, and the whole answer: for token calls, probes and the
/// command line, not for the journey. Redirects are not followed. The request's URI is a path; `Host` is set here. Of the
/// answer's headers there are those that may reach a caller.
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
    let Dialed::Http1(connection) = connector.dial(&Tasks::new()).await? else {
        return Err(ExchangeError::NotHttp);
    };
    let (parts, body) = request.into_parts();
    let headers = parts.headers.iter();
    // The connection says these itself.
    let headers =
        headers.filter(|(name, _)| ![header::HOST, header::CONTENT_LENGTH].contains(name));
    let headers: Vec<_> = headers
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let head = RequestHead {
        method: Method::parse(parts.method.as_str()).ok_or(ExchangeError::NotHttp)?,
        target: parts.uri.path_and_query().map_or("/", |it| it.as_str()),
        host: connector.host(),
        headers: &headers,
        more: &[],
    };
    let answer = connection.send(&head, RequestBody::own(body)).await?;
    let body = Limited::new(answer.body, answer_bytes_max)
        .collect()
        .await
        .map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                ExchangeError::TooLong
            } else {
                ExchangeError::Broken
            }
        })?;
    let mut response = Response::new(body.to_bytes());
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.fields.into();
    Ok(response)
}
