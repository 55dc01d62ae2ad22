//! The OAuth grants: how tokens are requested, and revoked, at NinjaOne.

pub mod application;
mod authorization_code;
pub mod client_credentials;
pub mod discovery;
pub(super) mod issued_token;
mod refresh_token;
pub mod revocation;
pub mod token_endpoint_error;
pub(super) mod token_response;
mod token_set;

pub(super) use self::token_set::TokenSet;
