//! TODO: what this folder is for.

pub mod allowed_hosts;
pub mod headers;
pub mod incoming_request;
pub mod origin_form;
pub mod presented_credentials;
pub mod target;
