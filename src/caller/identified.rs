//! `Identified`, the proof that a request is authenticated.

use std::sync::Arc;

use crate::net::IncomingRequest;

use super::authenticated::{AuthMethod, Caller};

/// A request whose caller is known.
///
/// [`CallerDirectory::identify`](super::CallerDirectory::identify) alone makes one. Neither the request nor its caller can be changed
/// or exchanged afterwards.
pub struct Identified {
    incoming: Box<IncomingRequest>,
    caller: Arc<Caller>,
    auth_method: AuthMethod,
}

impl Identified {
    /// Asserts that `caller` sent `incoming` and proved it by `proof`. `tests/architecture/` names the one function that
    /// may.
    pub(super) fn assert_identified(
        incoming: Box<IncomingRequest>,
        caller: Arc<Caller>,
        auth_method: AuthMethod,
    ) -> Self {
        Self {
            incoming,
            caller,
            auth_method,
        }
    }

    /// The request as it came in.
    #[must_use]
    pub fn request(&self) -> &IncomingRequest {
        &self.incoming
    }

    /// Who sent it.
    #[must_use]
    pub fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// How the caller was authenticated.
    #[must_use]
    pub fn auth_method(&self) -> AuthMethod {
        self.auth_method
    }
}
