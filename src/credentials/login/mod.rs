//! Logins of users: how one begins and is completed, how it is renewed and stored, and how it ends.

pub mod authorization;
pub mod callback;
pub mod change;
pub mod completion;
pub mod logout;
pub mod refresh_calls;
pub mod renewal_error;
pub mod renewer;
pub mod session;
