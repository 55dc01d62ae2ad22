//! The wait for a response's head: parsed once a line while it comes, past the interim responses before it
//! (RFC 9110 section 15.2).

use bytes::BytesMut;
use http::StatusCode;

use crate::net::method::Method;

use super::{
    error::Http1ClientError,
    head::{self, RESPONSE_HEAD_BYTES_MAX, ResponseHead},
};

/// Most interim responses (1xx) before the final one.
const INTERIM_RESPONSES_MAX: u32 = 8;

/// Finds the head of the final response in what has been read.
pub(super) struct ResponseHeadReader {
    method: Method,
    /// So much was there when it was not the whole head.
    scanned: usize,
    interim_responses: u32,
}

impl ResponseHeadReader {
    /// For the response to a request with `method`, which decides whether it may have a body.
    pub(super) const fn new(method: Method) -> Self {
        Self {
            method,
            scanned: 0,
            interim_responses: 0,
        }
    }

    /// Whether an interim response (1xx) has come.
    pub(super) const fn has_interim(&self) -> bool {
        self.interim_responses > 0
    }

    /// Takes the final response's head off the front of `read`; none while it is incomplete. Interim responses are skipped.
    ///
    /// # Errors
    /// [`Http1ClientError::NotHttp`]: it is malformed, switches protocols, or follows too many interim responses.
    pub(super) fn read(
        &mut self,
        read: &mut BytesMut,
    ) -> Result<Option<ResponseHead>, Http1ClientError> {
        loop {
            // A head that comes byte by byte is parsed once a line, not once a byte.
            let new = read.get(self.scanned..).unwrap_or_default();
            if !new.contains(&b'\n') && read.len() < RESPONSE_HEAD_BYTES_MAX {
                return Ok(None);
            }
            let parsed = head::parse_response_head(read, self.method);
            let Some(head) = parsed.map_err(|_| Http1ClientError::NotHttp)? else {
                self.scanned = read.len();
                return Ok(None);
            };
            if !head.status.is_informational() {
                return Ok(Some(head));
            }
            self.interim_responses += 1;
            // An upgrade that was not requested.
            if head.status == StatusCode::SWITCHING_PROTOCOLS
                || self.interim_responses > INTERIM_RESPONSES_MAX
            {
                return Err(Http1ClientError::NotHttp);
            }
            self.scanned = 0;
        }
    }
}
