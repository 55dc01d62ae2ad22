//! Access tokens: the cell that hands out an identity's current one, and what its renewers share.

pub mod access_token;
pub mod cell;
pub mod event;
pub mod renewer;
pub mod schedule;
pub mod service_renewer;
pub mod snapshot;
pub mod update;
