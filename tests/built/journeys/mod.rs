//! Whole journeys over real sockets through the built program: a NinjaOne of our own making behind it, raw bytes in front of
//! it, and the audit log on disk. Every world is audited when it ends, see `record.rs`.

#![allow(clippy::disallowed_methods)]

mod answers;
mod audit;
mod bounds;
mod callers;
mod connections;
mod cursors;
mod forwarding;
mod half_closed;
mod hints;
pub(crate) mod hostile;
mod identities;
mod levels;
mod limits;
mod logins;
mod names;
mod oauth_clients;
mod outages;
mod outgoing_proxy;
mod pages;
mod process;
mod protocols;
mod proxy_client;
mod record;
mod references;
mod refusals;
mod reload;
mod request_log;
mod retries;
mod silence;
mod stalls;
mod stderr;
mod targets;
pub(crate) mod tls_front;
pub(crate) mod token_endpoint;
mod tokens;
mod upstream_tls;
pub(crate) mod user_login;
pub(crate) mod world;
