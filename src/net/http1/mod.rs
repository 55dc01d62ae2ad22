//! HTTP/1.1 (RFC 9112) by code of our own: strict where two readers could differ, and without a task beside the request.

pub mod buffer;
pub mod chunked;
pub mod framing;
