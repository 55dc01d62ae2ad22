//! What a reload changes of a running renewer. Host and client id stay the same, so the token in use stays good: it serves
//! until the new credentials have brought another.

use std::{sync::Arc, time::Duration};

use crate::{credentials::grant::application::Application, lock::Lock};

use super::schedule::RenewalSchedule;

/// The part of an identity's credentials that is new and has brought no token yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnprovenChange {
    /// How the secret is sent, which scopes are asked for, or whom TLS trusts.
    Settings,
    Secret,
}

impl UnprovenChange {
    /// As people read it: `new secret`, `new settings`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "new settings",
            Self::Secret => "new secret",
        }
    }
}

/// New settings of a running renewer.
pub struct RenewerUpdate {
    pub application: Application,
    /// Asked for by a service identity.
    pub scopes: Vec<String>,
    pub schedule: RenewalSchedule,
    /// A token is renewed at least this often.
    pub interval_max: Duration,
    /// What has to bring a token before it counts; none if only times have changed.
    pub change: Option<UnprovenChange>,
}

/// Where a renewer finds its next settings. Only the newest count.
#[derive(Clone, Default)]
pub(in crate::credentials) struct UpdateSlot(Arc<Lock<Option<RenewerUpdate>>>);

impl UpdateSlot {
    /// Puts `update` there. What an update before it has changed, and nobody has taken up, is still to be proven.
    pub(in crate::credentials) fn put(&self, mut update: RenewerUpdate) {
        let mut slot = self.0.lock();
        let before = slot.take().and_then(|it| it.change);
        update.change = update.change.max(before);
        *slot = Some(update);
    }

    pub(in crate::credentials) fn take(&self) -> Option<RenewerUpdate> {
        self.0.lock().take()
    }
}
