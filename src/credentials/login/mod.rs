//! TODO: what this folder is for.

pub mod authorization;
pub mod callback;
pub mod change;
pub mod completion;
pub mod logout;
pub mod refresh_calls;
pub mod renewal_error;
pub mod renewer;
pub mod session;
