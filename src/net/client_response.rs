//! A response as its head arrives, whatever the protocol.

use http::StatusCode;

use super::{pool::answer_stream::AnswerStream, response::Fields};

/// A response whose body is still to be read.
pub struct Answered {
    /// One of HTTP's, not interim over HTTP/1.1.
    pub status: StatusCode,
    /// Those that may reach a caller, and no others.
    pub fields: Fields,
    /// To be read to its end, or dropped.
    pub body: AnswerStream,
}
