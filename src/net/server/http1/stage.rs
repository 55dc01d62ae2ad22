//! The stages of a caller's HTTP/1.1 connection, and how one follows another.

use crate::net::server::handler::{ConnectionEnd, ResponseFuture};

use super::response_writer::ResponseWriter;

/// What a connection is doing.
pub(super) enum Stage<B> {
    /// Waits for a request, or reads its head.
    Head,
    /// Waits for the handler's response, and passes the request's body on.
    Handling(ResponseFuture<B>),
    /// Writes the response.
    Sending(ResponseWriter<B>),
    /// Reads and drops what nobody wants of a request's body, `left` bytes of it at most.
    Discarding { left: u64 },
    /// Lingering close (RFC 9112 section 9.6): has sent its last response, and reads and drops what the caller still sends,
    /// `left` bytes of it at most.
    Lingering {
        left: u64,
        /// Our side of the connection has been shut down.
        is_shut: bool,
    },
}

/// What a stage came to.
pub(super) enum Step<B> {
    /// The same stage goes on.
    Stay,
    /// The next stage begins.
    Enter(Stage<B>),
    /// The connection ends.
    End(ConnectionEnd),
}
