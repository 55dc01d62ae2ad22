//! The values that settings hold as text: addresses, durations, sizes, rates, dates, digests, and references to secrets.
//! Each file parses one kind.

pub(crate) mod address;
pub(crate) mod byte_rate;
pub(crate) mod duration;
pub(crate) mod expiry;
pub mod key_digest;
pub(crate) mod no_proxy;
pub(crate) mod percentage;
pub(crate) mod proxy_url;
pub(crate) mod redirect_uri;
pub mod secret_ref;
pub mod secret_text;
pub(crate) mod size;
pub(in crate::config) mod store_key_hint;
