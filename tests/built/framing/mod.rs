//! Framing on both sides: bytes after a response, what HTTP/2 may carry, and heads that never end.
#![allow(clippy::disallowed_methods)]

mod dirty;
mod front;
mod heads;
mod http2;
mod statuses;
mod unasked;
mod upstream;
