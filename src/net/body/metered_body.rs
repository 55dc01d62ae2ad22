//! A caller's body, counted, capped and timed while it is read.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, SizeHint};

use crate::net::exceeded_size::ExceededSize;

use super::{
    incoming_body::IncomingBody, incoming_body_error::IncomingBodyError, progress::BodyProgress,
    request_body_error::RequestBodyError, timeouts::BodyTimeouts, timer::BodyTimer,
};

/// A caller's body under its size limit and its timeouts.
pub struct MeteredBody {
    inner: IncomingBody,
    bytes_max: u64,
    upload_bytes_max: u64,
    timer: BodyTimer,
    progress: Arc<BodyProgress>,
    /// What came before anybody sent it on.
    read_ahead: VecDeque<Bytes>,
    read_ahead_bytes: u64,
}

impl MeteredBody {
    /// Sizes in bytes; `upload_bytes_max` holds after `allow_upload`.
    #[must_use]
    pub fn new(
        inner: IncomingBody,
        bytes_max: u64,
        upload_bytes_max: u64,
        timeouts: BodyTimeouts,
    ) -> Self {
        Self {
            inner,
            bytes_max,
            upload_bytes_max,
            timer: BodyTimer::new(timeouts),
            progress: Arc::default(),
            read_ahead: VecDeque::new(),
            read_ahead_bytes: 0,
        }
    }

    pub(in crate::net) fn progress(&self) -> &Arc<BodyProgress> {
        &self.progress
    }

    pub(in crate::net) fn allow_upload(&mut self) {
        self.bytes_max = self.bytes_max.max(self.upload_bytes_max);
    }

    /// What is declared, if that is more than may come. What is not declared is counted as it comes.
    pub(in crate::net) fn declared_excess(&self) -> Option<ExceededSize> {
        let declared = self.size_hint().lower();
        (declared > self.bytes_max).then_some(ExceededSize {
            allowed: self.bytes_max,
            sent: Some(declared),
        })
    }

    pub(in crate::net) fn is_still_arriving(&self) -> bool {
        !matches!(self.inner, IncomingBody::Empty | IncomingBody::Buffered(_))
    }

    /// Reads on until all of it is there, or `bytes_max` of it. What was read stays here for [`poll_data`](Self::poll_data).
    pub(in crate::net) async fn read_ahead(
        &mut self,
        bytes_max: u64,
    ) -> Result<(), RequestBodyError> {
        let mut error = None;
        while self.read_ahead_bytes < bytes_max && !self.inner.is_end_stream() {
            match poll_fn(|cx| self.poll_incoming(cx)).await {
                None => break,
                Some(Ok(data)) => {
                    self.read_ahead_bytes += data.len() as u64;
                    self.read_ahead.push_back(data);
                }
                Some(Err(why)) => {
                    error = Some(why);
                    break;
                }
            }
        }
        self.progress.end_read_ahead();
        self.timer.reset_window();
        error.map_or(Ok(()), Err)
    }

    pub(in crate::net) fn is_end_stream(&self) -> bool {
        self.read_ahead.is_empty() && self.inner.is_end_stream()
    }

    pub(in crate::net) fn size_hint(&self) -> SizeHint {
        let mut hint = self.inner.size_hint();
        if self.read_ahead_bytes > 0 {
            let (lower, upper) = (hint.lower(), hint.upper());
            if let Some(upper) = upper {
                hint.set_upper(upper.saturating_add(self.read_ahead_bytes));
            }
            hint.set_lower(lower.saturating_add(self.read_ahead_bytes));
        }
        hint
    }

    fn record_error(&self, error: RequestBodyError) -> RequestBodyError {
        self.progress.set_error(error);
        error
    }

    /// The next chunk: what was read ahead first.
    pub(in crate::net) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, RequestBodyError>>> {
        let next = match self.read_ahead.pop_front() {
            Some(data) => {
                self.read_ahead_bytes = self.read_ahead_bytes.saturating_sub(data.len() as u64);
                Some(Ok(data))
            }
            None => ready!(self.poll_incoming(cx)),
        };
        // Nobody polls for more than was declared, so the last chunk ends the body as well as its end does.
        if next.is_none() || (matches!(next, Some(Ok(_))) && self.is_end_stream()) {
            self.progress.finish();
        }
        Poll::Ready(next)
    }

    /// The next chunk that comes from the caller. Trailers end here (RFC 9110 section 6.5.1 lets us drop them).
    fn poll_incoming(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, RequestBodyError>>> {
        loop {
            let Poll::Ready(next) = Pin::new(&mut self.inner).poll_frame(cx) else {
                let timeout = ready!(self.timer.poll_timeout(cx));
                return Poll::Ready(Some(Err(self.record_error(timeout.into()))));
            };
            let bytes = match &next {
                Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
                Some(Err(_)) | None => 0,
            };
            if self.timer.record_received(bytes as u64) {
                self.progress.set_wait_time(self.timer.total_wait());
            }
            match next {
                None => return Poll::Ready(None),
                Some(Err(IncomingBodyError::Disconnected)) => {
                    return Poll::Ready(Some(Err(self.record_error(RequestBodyError::Broken))));
                }
                Some(Err(IncomingBodyError::Malformed)) => {
                    return Poll::Ready(Some(Err(self.record_error(RequestBodyError::Malformed))));
                }
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    let received = self.progress.add_bytes(data.len() as u64);
                    if received > self.bytes_max {
                        let exceeded = ExceededSize {
                            allowed: self.bytes_max,
                            sent: None,
                        };
                        let error = RequestBodyError::TooLarge(exceeded);
                        return Poll::Ready(Some(Err(self.record_error(error))));
                    }
                    return Poll::Ready(Some(Ok(data)));
                }
            }
        }
    }
}
