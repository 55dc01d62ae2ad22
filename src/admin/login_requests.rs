//! Who asked for a login or a logout, until the store shows it: whoever follows the store puts it on record.

use std::{sync::Arc, time::Duration};

use crate::{clock::Moment, credentials::store::stored_login::Slot, lock::Lock};

/// The store is looked at every second; what was asked for longer ago was something else.
const NOTE_TIME_MAX: Duration = Duration::from_mins(1);

/// The requests that are under way, at most one for each slot.
#[derive(Clone, Default)]
pub struct LoginRequests(Arc<Lock<Vec<LoginRequest>>>);

struct LoginRequest {
    slot: Slot,
    by: String,
    at: Moment,
}

impl LoginRequests {
    /// What happens to the slot next is done for `by`.
    pub(super) fn note(&self, slot: &Slot, by: String) {
        let mut requests = self.0.lock();
        requests.retain(|it| it.slot != *slot);
        requests.push(LoginRequest {
            slot: slot.clone(),
            by,
            at: Moment::now(),
        });
    }

    /// It did not happen.
    pub(super) fn forget(&self, slot: &Slot) {
        self.0.lock().retain(|it| it.slot != *slot);
    }

    /// Who asked for what has just happened to the slot; none where another process did it by itself.
    #[must_use]
    pub fn take(&self, slot: &Slot) -> Option<String> {
        let mut requests = self.0.lock();
        let at = requests.iter().position(|it| it.slot == *slot)?;
        let request = requests.swap_remove(at);
        (Moment::now().since(request.at) <= NOTE_TIME_MAX).then_some(request.by)
    }
}
