//! One short request and its whole response, for token calls, probes and the command line; callers' requests use the pool.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use tokio::time::{Instant, timeout_at};

use crate::{
    net::{body::request_body::RequestBody, method::Method, tls::AlpnOffer},
    tasks::Tasks,
};

use super::{
    connector::{Connector, DialedConnection},
    endpoint::Endpoint,
    exchange_error::ExchangeError,
    http1::{Http1ClientConnection, OutgoingRequestHead},
    response_body::ClientResponseBody,
};

/// Sends one request over HTTP/1.1 on a connection of its own and reads the whole response. The request's URI is a path;
/// `Host` and `Content-Length` are set here. Redirects are not followed. Of the response's headers, those remain that may
/// reach a caller.
///
/// # Errors
/// The response's body is longer than `response_bytes_max`, `time_limit` passed, or the network failed. The lookup of the
/// host's name has a time limit of its own, the endpoint's.
pub async fn exchange(
    endpoint: &Endpoint,
    request: Request<Bytes>,
    response_bytes_max: usize,
    time_limit: Duration,
) -> Result<Response<Bytes>, ExchangeError> {
    // The connection has a little less, so that its error tells what took too long.
    let connect = time_limit.mul_f32(0.9);
    let connector = Connector::new(endpoint.clone(), AlpnOffer::Http1, connect)
        .map_err(|_| ExchangeError::Tls)?;
    connector.resolve().await?;
    let deadline = Instant::now() + time_limit;
    // Apart from the rest: what could not connect has sent nothing.
    let dialed = timeout_at(deadline, connector.dial(&Tasks::new())).await;
    let dialed = dialed.unwrap_or(Err(ExchangeError::ConnectTimedOut))?;
    let DialedConnection::Http1(connection) = dialed else {
        return Err(ExchangeError::NotHttp);
    };
    let exchanged = exchange_over(connection, connector.host(), request, response_bytes_max);
    let exchanged = timeout_at(deadline, exchanged).await;
    exchanged.unwrap_or(Err(ExchangeError::TimedOut))
}

/// Looks up what [`exchange`] would connect to, so that the next one need not.
///
/// # Errors
/// The name has no address, or no answer came in time.
pub async fn resolve(endpoint: &Endpoint) -> Result<(), ExchangeError> {
    let connector = Connector::new(endpoint.clone(), AlpnOffer::Http1, endpoint.resolve_timeout);
    connector.map_err(|_| ExchangeError::Tls)?.resolve().await
}

async fn exchange_over(
    connection: Box<Http1ClientConnection>,
    host: &HeaderValue,
    request: Request<Bytes>,
    response_bytes_max: usize,
) -> Result<Response<Bytes>, ExchangeError> {
    let (parts, body) = request.into_parts();
    let headers = parts.headers.iter();
    // The connection says these itself.
    let headers =
        headers.filter(|(name, _)| ![header::HOST, header::CONTENT_LENGTH].contains(name));
    let headers: Vec<_> = headers
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let head = OutgoingRequestHead {
        method: Method::parse(parts.method.as_str()).ok_or(ExchangeError::NotHttp)?,
        target: parts.uri.path_and_query().map_or("/", |it| it.as_str()),
        host,
        headers: &headers,
        extra_headers: &[],
    };
    let received = connection
        .send(&head, RequestBody::from_bytes(body))
        .await?;
    let body = ClientResponseBody::http1(received.connection, None);
    let body = body.collect(response_bytes_max).await?;
    let mut response = Response::new(body);
    *response.status_mut() = received.status;
    *response.headers_mut() = received.headers.into();
    Ok(response)
}
