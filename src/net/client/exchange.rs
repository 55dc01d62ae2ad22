//! One short request and its whole response, for token calls, probes and the command line; callers' requests use the pool.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, header};
use tokio::time::timeout;

use crate::{
    net::{body::request_body::RequestBody, method::Method, tls::AlpnOffer},
    tasks::Tasks,
};

use super::{
    connector::{Connector, DialedConnection},
    endpoint::Endpoint,
    exchange_error::ExchangeError,
    http1::OutgoingRequestHead,
    response_body::ClientResponseBody,
};

/// Sends one request over HTTP/1.1 on a connection of its own and reads the whole response. The request's URI is a path;
/// `Host` and `Content-Length` are set here. Redirects are not followed. Of the response's headers, those remain that may
/// reach a caller.
///
/// # Errors
/// The response's body is longer than `response_bytes_max`, `time_limit` passed, or the network failed.
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
    timeout(
        time_limit,
        exchange_over(&connector, request, response_bytes_max),
    )
    .await
    .map_err(|_| ExchangeError::TimedOut)?
}

async fn exchange_over(
    connector: &Connector,
    request: Request<Bytes>,
    response_bytes_max: usize,
) -> Result<Response<Bytes>, ExchangeError> {
    let DialedConnection::Http1(connection) = connector.dial(&Tasks::new()).await? else {
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
    let head = OutgoingRequestHead {
        method: Method::parse(parts.method.as_str()).ok_or(ExchangeError::NotHttp)?,
        target: parts.uri.path_and_query().map_or("/", |it| it.as_str()),
        host: connector.host(),
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
