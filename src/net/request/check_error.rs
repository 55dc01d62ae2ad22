//! Why a request is refused, with what of it the caller is told.

use crate::net::exceeded_size::ExceededSize;

use super::{headers::HeaderError, request_error::RequestError, target::TargetError};

/// What is wrong with a request, and the host or the sizes that make it so.
pub(super) struct CheckError {
    pub(super) error: RequestError,
    /// The host that it named, if that is not ours.
    pub(super) host: Option<Box<str>>,
    /// The sizes of what is too large.
    pub(super) exceeded: Option<ExceededSize>,
}

impl From<RequestError> for CheckError {
    fn from(error: RequestError) -> Self {
        Self {
            error,
            host: None,
            exceeded: None,
        }
    }
}

impl From<HeaderError> for CheckError {
    fn from(error: HeaderError) -> Self {
        RequestError::from(error).into()
    }
}

impl From<TargetError> for CheckError {
    fn from(error: TargetError) -> Self {
        RequestError::from(error).into()
    }
}

impl CheckError {
    /// Of what has `sent` bytes, where `allowed` are taken.
    pub(super) fn too_large(error: RequestError, allowed: u64, sent: u64) -> Self {
        let sent = Some(sent);
        Self {
            exceeded: Some(ExceededSize { allowed, sent }),
            ..Self::from(error)
        }
    }
}
