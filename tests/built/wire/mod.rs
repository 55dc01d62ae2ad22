//! The built program's wire: what stands behind an answer, what HTTP/2 may say, and heads that do not end.
#![allow(clippy::disallowed_methods)]

mod dirty;
mod frames;
mod heads;
mod http2;
mod proxy;
mod statuses;
mod unasked;
mod upstream;
