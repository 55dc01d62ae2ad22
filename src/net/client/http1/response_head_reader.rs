//! The wait for a response's head: parsed once a line while it comes, past the interim responses before it
//! (RFC 9110 section 15.2).

use bytes::BytesMut;
use http::StatusCode;

use crate::net::method::Method;

use super::{
    error::Failure,
    head::{self, AnswerHead, HEAD_BYTES_MAX},
};

/// Most interim responses (1xx) before the final one.
const INTERIM_MAX: u32 = 8;

/// Finds the head of the final response in what has been read.
pub(super) struct Wait {
    method: Method,
    /// So much was there when it was not the whole head.
    looked_at: usize,
    interim: u32,
}

impl Wait {
    /// For the response to a request with `method`, which decides whether it may have a body.
    pub(super) const fn new(method: Method) -> Self {
        Self {
            method,
            looked_at: 0,
            interim: 0,
        }
    }

    /// Whether an interim response (1xx) has come.
    pub(super) const fn has_interim(&self) -> bool {
        self.interim > 0
    }

    /// Takes the final response's head off the front of `read`; none while it is incomplete. Interim responses are skipped.
    ///
    /// # Errors
    /// [`Failure::NotHttp`]: it is malformed, switches protocols, or follows too many interim responses.
    pub(super) fn look(&mut self, read: &mut BytesMut) -> Result<Option<AnswerHead>, Failure> {
        loop {
            // A head that comes byte by byte is parsed once a line, not once a byte.
            let new = read.get(self.looked_at..).unwrap_or_default();
            if !new.contains(&b'\n') && read.len() < HEAD_BYTES_MAX {
                return Ok(None);
            }
            let parsed = head::read_answer(read, self.method);
            let Some(head) = parsed.map_err(|_| Failure::NotHttp)? else {
                self.looked_at = read.len();
                return Ok(None);
            };
            if !head.status.is_informational() {
                return Ok(Some(head));
            }
            self.interim += 1;
            // An upgrade that was not requested.
            if head.status == StatusCode::SWITCHING_PROTOCOLS || self.interim > INTERIM_MAX {
                return Err(Failure::NotHttp);
            }
            self.looked_at = 0;
        }
    }
}
