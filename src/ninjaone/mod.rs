//! THE VENDOR: what is known of NinjaOne. Facts as data, no I/O.

pub mod catalogue;
pub mod endpoint;
pub mod fault;
pub mod operation;
pub mod region;
pub mod secrets_query;
pub mod table;
