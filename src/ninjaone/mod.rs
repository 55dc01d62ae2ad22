//! THE VENDOR: what is known of NinjaOne. Facts as data, no I/O.

pub mod api_error;
pub mod builtin_operations;
pub mod catalogue;
pub mod operation;
pub mod paging;
pub mod paths;
pub mod region;
pub mod secrets_query;
