//! Who asked for a login or a logout, until the store shows it: whoever follows the store puts it on record.

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::{sync::Notify, time::timeout};

use crate::{clock::Moment, credentials::store::stored_login::Slot, lock::Lock};

/// The store is looked at every second; what was asked for longer ago was something else.
const NOTE_TIME_MAX: Duration = Duration::from_mins(1);

/// How long an answer waits for that.
const SHOWN_WAIT_MAX: Duration = Duration::from_secs(3);

/// The requests that are under way, at most one for each slot.
#[derive(Clone, Default)]
pub struct LoginRequests(Arc<LoginRequestsShared>);

#[derive(Default)]
struct LoginRequestsShared {
    pending: Lock<Vec<LoginRequest>>,
    changed: Notify,
}

struct LoginRequest {
    slot: Slot,
    by: String,
    at: Moment,
}

impl LoginRequests {
    /// What happens to the slot next is done for `by`.
    pub(super) fn note(&self, slot: &Slot, by: String) {
        let mut requests = self.0.pending.lock();
        requests.retain(|it| it.slot != *slot);
        requests.push(LoginRequest {
            slot: slot.clone(),
            by,
            at: Moment::now(),
        });
    }

    /// It did not happen.
    pub(super) fn forget(&self, slot: &Slot) {
        self.0.pending.lock().retain(|it| it.slot != *slot);
        self.0.changed.notify_waiters();
    }

    /// Returns once what was asked for the slot has been seen in the store, so that the status shows it; at the latest after
    /// [`SHOWN_WAIT_MAX`]: a configuration may meanwhile know the slot no more.
    pub(super) async fn shown(&self, slot: &Slot) {
        let shown = async {
            loop {
                let mut changed = pin!(self.0.changed.notified());
                // Before the look, so that no change falls between.
                changed.as_mut().enable();
                if !self.0.pending.lock().iter().any(|it| it.slot == *slot) {
                    return;
                }
                changed.await;
            }
        };
        let _ = timeout(SHOWN_WAIT_MAX, shown).await;
    }

    /// Who asked for what has just happened to the slot; none where another process did it by itself.
    #[must_use]
    pub fn take(&self, slot: &Slot) -> Option<String> {
        let mut requests = self.0.pending.lock();
        let at = requests.iter().position(|it| it.slot == *slot)?;
        let request = requests.swap_remove(at);
        self.0.changed.notify_waiters();
        (Moment::now().since(request.at) <= NOTE_TIME_MAX).then_some(request.by)
    }
}
