//! Detects NinjaOne's `user_context_required`, and keeps what a retry as the user needs.

use std::{sync::Arc, time::Duration};

use http::header;
use tokio::time::timeout;

use crate::{
    audit::Intended,
    credentials::TokenCells,
    names::IdentityKind,
    net::body::{replay_buffer::ReplayBuffer, request_body::RequestBody},
    ninjaone::api_error::{ApiErrorBody, ApiErrorKind},
    policy::identity::IdentityPreference,
};

use super::attempt_result::AttemptResult;

/// Longest refusal that is read, in bytes; NinjaOne's is 150.
const REFUSAL_BYTES_MAX: usize = 8 * 1024;
/// How long the rest of a refusal is waited for before it is passed on as it comes.
const REFUSAL_WAIT_MS_MAX: u64 = 2_000;
/// Keeps the request's body if it may be needed twice.
pub(super) fn keep_body_for_replay(
    intended: &Intended,
    body: &mut RequestBody,
    token_cells: &TokenCells,
) -> Option<Arc<ReplayBuffer>> {
    let has_user = || {
        let user = token_cells.get(intended.tenant().index, IdentityKind::User);
        user.is_some()
    };
    if may_retry_as_user(intended) && has_user() {
        body.buffer_for_replay()
    } else {
        None
    }
}

/// Whether a request that NinjaOne refuses to the service may go as the user: nobody has pinned its identity.
pub(super) fn may_retry_as_user(intended: &Intended) -> bool {
    intended.identity() == IdentityKind::Service
        && intended.identity_preference() == IdentityPreference::Auto
}

/// Whether a response says `user_context_required`. A body that cannot be read, because it is compressed, long or slow,
/// says nothing; whatever was read of it is passed on.
pub(super) async fn requires_user(result: &mut AttemptResult) -> bool {
    let AttemptResult::Response(response) = result else {
        return false;
    };
    if response.headers.contains(&header::CONTENT_ENCODING) {
        return false;
    }
    let wait_max = Duration::from_millis(REFUSAL_WAIT_MS_MAX);
    let reading = response.body.read_ahead(REFUSAL_BYTES_MAX);
    let Ok(Some(body)) = timeout(wait_max, reading).await else {
        return false;
    };
    ApiErrorBody::parse(&body).map(|it| it.kind()) == Some(ApiErrorKind::UserContextRequired)
}
