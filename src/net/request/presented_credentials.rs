//! The credentials that a caller presented, kept apart from the headers that may reach NinjaOne.

use http::HeaderValue;

/// The credentials of one request, taken out of its headers so that they cannot be forwarded.
#[derive(Default)]
pub struct PresentedCredentials {
    /// The value of `Authorization`.
    pub authorization: Option<HeaderValue>,
    /// The value of `X-Api-Key`.
    pub api_key: Option<HeaderValue>,
}
