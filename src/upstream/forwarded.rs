//! `Forwarded`, the proof that NinjaOne responded to a request.

use http::StatusCode;

use crate::{
    audit::{Intended, OpenEntry},
    credentials::Leased,
    net::response::ResponseHeaders,
};

use super::{attempt_result::UpstreamResponse, send_log::SendLog, upstream_body::UpstreamBody};

/// A request that NinjaOne has responded to, and the response.
///
/// `SendLoop::finish` alone makes one, for [`Upstream::forward`](super::Upstream::forward).
pub struct Forwarded {
    leased: Leased,
    entry: OpenEntry,
    response: UpstreamResponse,
    send_log: SendLog,
}

impl Forwarded {
    /// Asserts that `response` is NinjaOne's response to `intended`. `tests/architecture/` names the one function that may.
    pub(super) fn assert_forwarded(
        intended: Intended,
        response: UpstreamResponse,
        send_log: SendLog,
    ) -> Box<Self> {
        let (leased, entry) = intended.into_parts();
        Box::new(Self {
            leased,
            entry,
            response,
            send_log,
        })
    }

    /// What the caller gets (status, headers reduced to what it may see, body), the request's guards, and its line, which
    /// is still to be written. The request itself cannot be sent again.
    #[must_use]
    pub fn into_parts(
        self,
    ) -> (
        Leased,
        OpenEntry,
        StatusCode,
        ResponseHeaders,
        UpstreamBody,
        SendLog,
    ) {
        let UpstreamResponse {
            status,
            headers,
            body,
        } = self.response;
        (
            self.leased,
            self.entry,
            status,
            headers,
            body,
            self.send_log,
        )
    }
}
