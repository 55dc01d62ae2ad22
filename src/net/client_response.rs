//! A response as its head arrives, whatever the protocol.

use http::StatusCode;

use super::{pool::answer_stream::AnswerStream, response::Fields};

/// A response whose body is still to be read.
pub struct Answered {
    pub status: StatusCode,
    /// Those that may reach a caller, and no others.
    pub fields: Fields,
    pub body: AnswerStream,
}
