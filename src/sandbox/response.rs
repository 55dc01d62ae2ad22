//! Responses: status, headers and body, and the error bodies that NinjaOne is known to send.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
};
use http_body::{Body, Frame, SizeHint};
use serde::Serialize;
use serde_json::json;

use super::report_rows::ReportRows;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

const PAGE: HeaderValue = HeaderValue::from_static("text/html;charset=utf-8");

/// A response, unless a fault changes it.
pub(super) struct SandboxResponse {
    pub(super) status: StatusCode,
    pub(super) headers: Box<HeaderMap>,
    pub(super) content: SandboxContent,
}

pub(super) enum SandboxContent {
    Bytes(Bytes),
    /// Generated while it is sent.
    Rows(Box<ReportRows>),
}

impl SandboxResponse {
    pub(super) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: Box::default(),
            content: SandboxContent::Bytes(Bytes::new()),
        }
    }

    pub(super) fn no_content() -> Self {
        Self::empty(StatusCode::NO_CONTENT)
    }

    pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Self {
        // Only maps with keys that are no strings fail here, and none is ever made.
        let bytes = serde_json::to_vec(value).unwrap_or_default();
        Self::json_bytes(status, bytes.into())
    }

    pub(super) fn json_bytes(status: StatusCode, bytes: Bytes) -> Self {
        Self::bytes(status, JSON, bytes)
    }

    pub(super) fn ok(value: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, value)
    }

    pub(super) fn bytes(status: StatusCode, content_type: HeaderValue, bytes: Bytes) -> Self {
        Self {
            content: SandboxContent::Bytes(bytes),
            ..Self::empty(status).with(CONTENT_TYPE, content_type)
        }
    }

    pub(super) fn rows(status: StatusCode, rows: ReportRows) -> Self {
        Self {
            content: SandboxContent::Rows(Box::new(rows)),
            ..Self::empty(status).with(CONTENT_TYPE, JSON)
        }
    }

    /// A page instead of data after too many requests: status 200.
    pub(super) fn throttle_page(text: &str) -> Self {
        Self::page(StatusCode::OK, text)
    }

    /// The page of a gateway that could not get a response.
    pub(super) fn gateway_page(status: StatusCode) -> Self {
        Self::page(status, status.canonical_reason().unwrap_or("Error"))
    }

    fn page(status: StatusCode, text: &str) -> Self {
        let page = format!(
            "<!DOCTYPE html><html><head><title>{text}</title></head><body><h1>{text}</h1></body></html>"
        );
        Self::bytes(status, PAGE, page.into())
    }

    /// The gateway's form of an error.
    pub(super) fn gateway_error(
        status: StatusCode,
        error: &str,
        description: &str,
        code: Option<u8>,
    ) -> Self {
        match code {
            Some(code) => Self::json(
                status,
                &json!({"error": error, "error_description": description, "error_code": code}),
            ),
            None => Self::json(
                status,
                &json!({"error": error, "error_description": description}),
            ),
        }
    }

    /// The application's form of an error.
    pub(super) fn application_error(status: StatusCode, result: &str, message: &str) -> Self {
        Self::json(
            status,
            &json!({
                "resultCode": result,
                "errorMessage": message,
                "incidentId": incident_id(result),
            }),
        )
    }

    pub(super) fn not_found(message: &str) -> Self {
        Self::application_error(StatusCode::NOT_FOUND, "NOT_FOUND", message)
    }

    pub(super) fn insufficient_privileges() -> Self {
        Self::gateway_error(
            StatusCode::UNAUTHORIZED,
            "insufficient_privileges",
            "Access key does not have the privileges which are required for this request",
            None,
        )
    }

    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    pub(super) fn with_retry_after(self, seconds: Option<u32>) -> Self {
        match seconds {
            Some(seconds) => self.with(RETRY_AFTER, HeaderValue::from(seconds)),
            None => self,
        }
    }

    pub(super) fn with_retry_after_text(self, text: &str) -> Self {
        match HeaderValue::from_str(text) {
            Ok(value) => self.with(RETRY_AFTER, value),
            Err(_) => self,
        }
    }

    pub(super) fn into_response(self) -> Response<SandboxBody> {
        let body = match self.content {
            SandboxContent::Bytes(bytes) => {
                SandboxBody::Full(Some(bytes).filter(|it| !it.is_empty()))
            }
            SandboxContent::Rows(rows) => SandboxBody::Rows(rows),
        };
        build_response(self.status, *self.headers, body)
    }

    /// Announces the whole body, sends half of it, and breaks off. Rows break off after their first chunk.
    pub(super) fn into_truncated_response(mut self) -> Response<SandboxBody> {
        let sent = match self.content {
            SandboxContent::Bytes(mut bytes) => {
                let announced = bytes.len().max(1);
                self.headers
                    .insert(CONTENT_LENGTH, HeaderValue::from(announced));
                bytes.truncate(announced / 2);
                Some(bytes)
            }
            SandboxContent::Rows(mut rows) => rows.next_chunk(),
        };
        build_response(
            self.status,
            *self.headers,
            SandboxBody::Truncated(TruncatedBody::Part(sent)),
        )
    }
}

fn build_response(
    status: StatusCode,
    headers: HeaderMap,
    body: SandboxBody,
) -> Response<SandboxBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Stable for the same error, so that a world stays the same byte for byte.
pub(super) fn incident_id(of: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, of.as_bytes());
    let number = digest
        .as_ref()
        .iter()
        .take(6)
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("WEB_MGMT_SERVICE-{number:012x}")
}

/// A response body.
pub(super) enum SandboxBody {
    Full(Option<Bytes>),
    Rows(Box<ReportRows>),
    Truncated(TruncatedBody),
}

pub(super) enum TruncatedBody {
    Part(Option<Bytes>),
    /// The part was returned; one pause, so that it is sent before the connection breaks.
    Pause,
    Break,
}

impl Body for SandboxBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|it| Ok(Frame::data(it)))),
            Self::Rows(rows) => Poll::Ready(rows.next_chunk().map(|it| Ok(Frame::data(it)))),
            Self::Truncated(cut) => cut.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Full(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => {
                let length = bytes.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
            Self::Rows(_) | Self::Truncated(_) => SizeHint::default(),
        }
    }
}

impl TruncatedBody {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self {
            Self::Part(part) => {
                let part = part.take().unwrap_or_default();
                *self = Self::Pause;
                Poll::Ready(Some(Ok(Frame::data(part))))
            }
            Self::Pause => {
                *self = Self::Break;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Self::Break => Poll::Ready(Some(Err(io::Error::other("cut on purpose")))),
        }
    }
}
