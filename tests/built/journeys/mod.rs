//! Whole journeys over real sockets through the built program: a NinjaOne of our own making behind it, raw bytes in front of
//! it, and the audit log on disk. Every world is audited when it ends, see `record.rs`.

#![allow(clippy::disallowed_methods)]

mod answers;
mod audit;
mod bounds;
mod callers;
mod connections;
mod forwarding;
pub(crate) mod hostile;
mod identities;
mod levels;
mod limits;
mod logins;
mod outages;
mod process;
mod protocols;
mod proxy_client;
mod record;
mod refusals;
mod reload;
mod retries;
mod stalls;
mod stderr;
mod tls_front;
mod token_endpoint;
mod tokens;
mod upstream_tls;
pub(crate) mod user_login;
pub(crate) mod world;
