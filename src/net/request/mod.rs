//! A request, whatever the protocol: parsed once, checked against the rules for all requests, and read-only from then on.

pub mod allowed_hosts;
pub mod bad_character;
mod check_error;
pub mod headers;
pub mod incoming_request;
pub mod origin_form;
pub mod parsed_request;
pub mod presented_credentials;
pub mod request_error;
pub mod request_rules;
pub mod target;
