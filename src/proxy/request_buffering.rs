//! Buffers a short request body, or the start of a long one, before the request goes on. Until then the request holds no token and
//! no part of the tenant's budget, so a caller that sends slowly delays nobody else.

use std::sync::Arc;

use crate::{
    limits::Admitted,
    net::body::{
        progress::BodyProgress, request_body::RequestBody, request_body_error::RequestBodyError,
    },
    ninjaone::operation::Payload,
};

/// Longest body that is waited for. A longer one, or one of unknown length, is read this far and streams on from there.
pub(crate) const BUFFERED_BODY_BYTES_MAX: u64 = 64 * 1024;

/// A request whose body did not come as it should.
pub(crate) struct BodyNotReceived {
    /// The request, which nothing is sent of.
    pub admitted: Admitted,
    /// How far the body had come.
    pub body_progress: Option<Arc<BodyProgress>>,
    /// What is wrong with it.
    pub error: RequestBodyError,
}

/// Passes on what has no body or a whole one, and waits for the rest of a short one or the beginning of a long one.
///
/// # Errors
/// When that does not come.
pub(crate) async fn receive(
    admitted: Admitted,
    body: &mut RequestBody,
) -> Result<Admitted, Box<BodyNotReceived>> {
    if !body.is_still_arriving() {
        return Ok(admitted);
    }
    if admitted.operation().payload == Payload::Upload {
        body.allow_upload();
    }
    // What is too long is refused where every body is.
    if body.declared_excess().is_some() {
        return Ok(admitted);
    }
    // Boxed, so that what waiting needs does not lie in every request's future.
    match Box::pin(body.read_ahead(BUFFERED_BODY_BYTES_MAX)).await {
        Ok(()) => Ok(admitted),
        Err(why) => Err(Box::new(BodyNotReceived {
            admitted,
            body_progress: body.progress(),
            error: why,
        })),
    }
}
