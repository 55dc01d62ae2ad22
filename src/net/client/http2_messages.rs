//! Requests and responses in the form that the HTTP/2 library wants them, and back.

use http::{
    HeaderMap, HeaderValue, Request, Uri, Version, header,
    uri::{Authority, Scheme},
};

use crate::net::{body::request_body::RequestBody, method::Method};

use super::{
    exchange_error::ExchangeError, forwardable_response_headers, outgoing_request::OutgoingRequest,
    response::ClientResponse, response_body::ClientResponseBody, send_error::SendError,
};

/// Room for the headers of most requests.
const TYPICAL_HTTP2_HEADERS: usize = 8;

/// The request as the library wants it.
pub fn http2_request(outgoing: OutgoingRequest<'_>, authority: &Authority) -> Request<RequestBody> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTPS);
    parts.authority = Some(authority.clone());
    parts.path_and_query = Some(outgoing.target);
    let mut headers = HeaderMap::with_capacity(TYPICAL_HTTP2_HEADERS);
    for (name, value) in outgoing.headers {
        headers.append(name.clone(), value.clone());
    }
    for (name, value) in outgoing.extra_headers {
        headers.insert(name.clone(), (*value).clone());
    }
    if outgoing.body.is_empty() && !matches!(outgoing.method, Method::Get | Method::Head) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    let mut request = Request::new(outgoing.body);
    *request.method_mut() = outgoing.method.to_http();
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = headers;
    request
}

/// The library's response as ours, reduced to what may reach a caller.
///
/// # Errors
/// When its status is none of HTTP's.
pub fn http2_response(
    response: http::Response<hyper::body::Incoming>,
) -> Result<ClientResponse, SendError> {
    let (parts, body) = response.into_parts();
    if !forwardable_response_headers::VALID_STATUS_CODES.contains(&parts.status.as_u16()) {
        return Err(SendError::MaybeSent(ExchangeError::NotHttp));
    }
    Ok(ClientResponse {
        status: parts.status,
        headers: forwardable_response_headers::filter_response_headers(parts.headers),
        body: ClientResponseBody::http2(body),
    })
}

/// What the library's error means for a request that was sent. `reused`: its connection had served before.
pub fn http2_send_error(error: &hyper::Error, reused: bool) -> SendError {
    match ExchangeError::from_hyper(error) {
        ExchangeError::Broken if reused && !error.is_canceled() => SendError::StaleConnection,
        other => SendError::MaybeSent(other),
    }
}
