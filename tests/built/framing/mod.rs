//! The built program's wire: what stands behind an answer, what HTTP/2 may say, and heads that do not end.
#![allow(clippy::disallowed_methods)]

mod dirty;
mod front;
mod heads;
mod http2;
mod statuses;
mod unasked;
mod upstream;
