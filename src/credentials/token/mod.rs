//! TODO: what this folder is for.

pub mod access_token;
pub mod cell;
pub mod event;
pub mod renewer;
pub mod schedule;
pub mod service_renewer;
pub mod snapshot;
