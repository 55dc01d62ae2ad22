//! The form of a request target that is accepted, the same over every protocol.

use super::{
    request_error::RequestError,
    target::{TARGET_BYTES_MAX, TargetError},
};

/// Checks that a received target is in origin form (RFC 9112 section 3.2.1) and may be given to the parser of paths, which
/// would cut a fragment off without a word.
///
/// # Errors
/// When it names a host, is no path, has a fragment, or is too long. The rest is left to [`Target`](super::target::Target).
pub fn check_origin_form(received: &[u8]) -> Result<(), RequestError> {
    if received.first() != Some(&b'/') {
        let names_host = received.windows(3).any(|it| it == b"://");
        return Err(if names_host {
            RequestError::AbsoluteForm
        } else {
            TargetError::NotAPath.into()
        });
    }
    if memchr::memchr(b'#', received).is_some() {
        return Err(TargetError::Fragment.into());
    }
    if received.len() > TARGET_BYTES_MAX {
        return Err(TargetError::TooLong.into());
    }
    Ok(())
}
