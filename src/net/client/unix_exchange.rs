//! One request to a server on a Unix socket of this machine, and its whole response.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{net::UnixStream, time::timeout};

use super::exchange_error::ExchangeError;

/// Sends the request and reads the response.
///
/// # Errors
/// Nobody listens, the response's body is longer than `response_bytes_max`, or `time_limit` passed.
pub async fn exchange_unix(
    path: &Path,
    request: Request<Bytes>,
    response_bytes_max: usize,
    time_limit: Duration,
) -> Result<Response<Bytes>, ExchangeError> {
    let exchanged = exchange(path, request, response_bytes_max);
    let exchanged = timeout(time_limit, exchanged).await;
    exchanged.unwrap_or(Err(ExchangeError::TimedOut))
}

async fn exchange(
    path: &Path,
    request: Request<Bytes>,
    response_bytes_max: usize,
) -> Result<Response<Bytes>, ExchangeError> {
    let stream = UnixStream::connect(path).await;
    let stream = stream.map_err(|_| ExchangeError::Connect)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| ExchangeError::from_hyper(&error))?;
    let exchanged = async {
        let response = sender.send_request(request.map(Full::new)).await;
        let response = response.map_err(|error| ExchangeError::from_hyper(&error))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, response_bytes_max).collect().await;
        let body = body.map_err(|_| ExchangeError::TooLong)?.to_bytes();
        Ok(Response::from_parts(head, body))
    };
    let mut exchanged = std::pin::pin!(exchanged);
    // The connection moves the bytes of both directions; the exchange may still be reading what it has when it ends.
    tokio::select! {
        done = &mut exchanged => done,
        _ = connection => exchanged.await,
    }
}
