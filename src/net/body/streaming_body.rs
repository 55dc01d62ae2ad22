//! A caller's body while it streams to NinjaOne, recorded for a replay where one may be needed.

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::SizeHint;

use super::{
    metered_body::MeteredBody,
    replay_buffer::{ReplayBuffer, ReplayRecorder},
    request_body_error::RequestBodyError,
};

/// A caller's body on its way through.
pub struct StreamingBody {
    metered: MeteredBody,
    /// Records what passes, for a request that may have to be sent once more.
    replay_recorder: Option<ReplayRecorder>,
}

impl StreamingBody {
    pub(in crate::net) const fn new(metered: MeteredBody) -> Self {
        Self {
            metered,
            replay_recorder: None,
        }
    }

    pub(in crate::net) const fn metered(&self) -> &MeteredBody {
        &self.metered
    }

    pub(in crate::net) const fn metered_mut(&mut self) -> &mut MeteredBody {
        &mut self.metered
    }

    /// Records what passes from here on; none if more is declared than can be kept.
    pub(in crate::net) fn record_for_replay(&mut self) -> Option<Arc<ReplayBuffer>> {
        let (recorder, buffer) = ReplayRecorder::start(self.size_hint().lower())?;
        self.replay_recorder = Some(recorder);
        Some(buffer)
    }

    /// Nobody sends it any more. What the caller has still to send may be wanted for the replay.
    pub(in crate::net) fn abandon(self) {
        if let Some(recorder) = self.replay_recorder {
            recorder.interrupt(Box::new(self.metered));
        }
    }

    pub(in crate::net) fn is_end_stream(&self) -> bool {
        self.metered.is_end_stream()
    }

    pub(in crate::net) fn size_hint(&self) -> SizeHint {
        self.metered.size_hint()
    }

    pub(in crate::net) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, RequestBodyError>>> {
        let next = ready!(self.metered.poll_data(cx));
        if let Some(recorder) = &self.replay_recorder {
            if let Some(Ok(data)) = &next {
                recorder.record(data);
            }
            let is_end = matches!(next, None | Some(Ok(_))) && self.is_end_stream();
            if (next.is_none() || is_end)
                && let Some(recorder) = self.replay_recorder.take()
            {
                recorder.finish();
            }
        }
        Poll::Ready(next)
    }
}
