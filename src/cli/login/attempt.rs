//! A login before and after the user has been in the browser.

use crate::credentials::login::authorization::AuthorizationFlow;

use super::callback::CallbackMatcher;

/// A login that waits for the user.
pub(super) struct LoginAttempt {
    /// `None` where the proxy chose it.
    pub(super) tenant: String,
    pub(super) url: String,
    pub(super) redirect: String,
    pub(super) flow: AuthorizationFlow,
    /// The origin of the address to open; `None` where only the proxy knows it.
    pub(super) origin: Option<String>,
    pub(super) matcher: CallbackMatcher,
}

/// A completed login.
pub(super) struct LoginSuccess {
    pub(super) tenant: String,
    pub(super) scopes: Vec<String>,
    pub(super) renewable: bool,
    pub(super) expires_at: Option<String>,
}
