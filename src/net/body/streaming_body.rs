//! A caller's body while it streams to NinjaOne, remembered for a replay where one may be needed.

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::SizeHint;

use super::{
    metered_body::MeteredBody,
    replay_buffer::{Keeping, Kept},
    request_body_error::BodyFault,
};

/// A caller's body on its way through.
pub struct CallerBody {
    metered: MeteredBody,
    /// Remembers what passes, for a request that may have to be sent once more.
    keeping: Option<Keeping>,
}

impl CallerBody {
    pub(in crate::net) const fn new(metered: MeteredBody) -> Self {
        Self {
            metered,
            keeping: None,
        }
    }

    pub(in crate::net) const fn metered(&self) -> &MeteredBody {
        &self.metered
    }

    pub(in crate::net) const fn metered_mut(&mut self) -> &mut MeteredBody {
        &mut self.metered
    }

    /// Remembers what passes from here on; none if more is declared than can be kept.
    pub(in crate::net) fn keep(&mut self) -> Option<Arc<Kept>> {
        let (keeping, kept) = Keeping::begin(self.size_hint().lower())?;
        self.keeping = Some(keeping);
        Some(kept)
    }

    /// Nobody sends it any more. What the caller has still to send may be wanted for the replay.
    pub(in crate::net) fn leave(self) {
        if let Some(keeping) = self.keeping {
            keeping.leave(Box::new(self.metered));
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
    ) -> Poll<Option<Result<Bytes, BodyFault>>> {
        let next = ready!(self.metered.poll_data(cx));
        if let Some(keeping) = &self.keeping {
            if let Some(Ok(data)) = &next {
                keeping.add(data);
            }
            let is_end = matches!(next, None | Some(Ok(_))) && self.is_end_stream();
            if (next.is_none() || is_end)
                && let Some(keeping) = self.keeping.take()
            {
                keeping.end();
            }
        }
        Poll::Ready(next)
    }
}
