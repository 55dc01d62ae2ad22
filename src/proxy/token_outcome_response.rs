//! Records how a request to our own token endpoint ended, and makes the response of it.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};

use crate::{
    audit::{
        Recorded,
        decision::Decision,
        entry::{OutcomeDetails, RequestFacts, ResponseSource},
        ledger::Ledger,
    },
    caller::{AuthMethod, Caller},
    limits::LimitKind,
    net::{IncomingRequest, response::Response},
};

use super::{
    error_code::ErrorCode,
    problem_response::{insert_proxy_status, retry_after_s},
    recorded_response::{self, ProxyResponseBody},
    token_response::{MetadataServed, TokenIssued, TokenRefused, TokenRequestError, TokenRevoked},
    worker_metrics::WorkerMetrics,
};

/// The response to a request of our token endpoint, before it is recorded.
struct TokenOutcome<'a> {
    incoming: &'a IncomingRequest,
    caller: Option<&'a Caller>,
    status: StatusCode,
    /// JSON; may hold a token.
    body: Bytes,
    refused: Option<(&'a TokenRequestError, ErrorCode)>,
}

pub(super) fn token_issued(
    it: &TokenIssued,
    ledger: &Ledger,
    metrics: &WorkerMetrics,
) -> Recorded<Response<ProxyResponseBody>> {
    let issued = TokenOutcome {
        incoming: &it.incoming,
        caller: Some(&it.caller),
        status: StatusCode::OK,
        body: Bytes::copy_from_slice(it.response_json.as_bytes()),
        refused: None,
    };
    issued.record(ledger, metrics)
}

/// RFC 7009 section 2.2: a 200, whose body says nothing. It is JSON, because simple-oauth2 reads it as such.
pub(super) fn token_revoked(
    it: &TokenRevoked,
    ledger: &Ledger,
    metrics: &WorkerMetrics,
) -> Recorded<Response<ProxyResponseBody>> {
    let revoked = TokenOutcome {
        incoming: &it.incoming,
        caller: Some(&it.caller),
        status: StatusCode::OK,
        body: Bytes::from_static(b"{}"),
        refused: None,
    };
    revoked.record(ledger, metrics)
}

pub(super) fn metadata_served(
    it: MetadataServed,
    ledger: &Ledger,
    metrics: &WorkerMetrics,
) -> Recorded<Response<ProxyResponseBody>> {
    let served = TokenOutcome {
        incoming: &it.incoming,
        caller: None,
        status: StatusCode::OK,
        body: Bytes::from(it.metadata_json),
        refused: None,
    };
    served.record(ledger, metrics)
}

/// RFC 6749 section 5.2.
pub(super) fn token_refused(
    it: &TokenRefused,
    ledger: &Ledger,
    metrics: &WorkerMetrics,
) -> Recorded<Response<ProxyResponseBody>> {
    let (status, code) = it.error.status();
    let body = serde_json::json!({
        "error": it.error.error_code(),
        "error_description": it.error.description(),
    });
    let refused = TokenOutcome {
        incoming: &it.incoming,
        caller: it.caller.as_deref(),
        status,
        body: Bytes::from(body.to_string()),
        refused: Some((&it.error, code)),
    };
    refused.record(ledger, metrics)
}

impl TokenOutcome<'_> {
    fn record(
        self,
        ledger: &Ledger,
        metrics: &WorkerMetrics,
    ) -> Recorded<Response<ProxyResponseBody>> {
        let mut facts = RequestFacts::from_incoming(self.incoming);
        facts.caller = self.caller.map(|it| it.name.clone());
        facts.auth_method = self.caller.map(|_| AuthMethod::ApiKey);
        let decision = self
            .refused
            .map_or(Decision::Allowed, |(_, code)| code.decision());
        metrics.count_request(
            facts.caller.as_ref(),
            None,
            decision,
            self.status.as_u16(),
            self.incoming.started(),
        );
        let duration = self.incoming.started().elapsed();
        let is_limited = self
            .refused
            .is_some_and(|(error, _)| matches!(error, TokenRequestError::CallerLimit { .. }));
        let details = OutcomeDetails {
            decision,
            error: self.refused.map(|(error, _)| error.as_str()),
            bucket: is_limited.then(|| LimitKind::CallerTokens.as_str()),
            status: self.status.as_u16(),
            upstream_status: None,
            source: ResponseSource::Proxy,
            attempts: 0,
            ninjaone_request_id: None,
            duration_us: u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
            bytes_in: 0,
            bytes_out: self.body.len() as u64,
            detail: self
                .refused
                .map(|(error, _)| error.text_for_operators().into()),
        };
        ledger.record(facts, details, self.response())
    }

    fn response(self) -> Response<ProxyResponseBody> {
        let mut response = Response::new(self.status, ProxyResponseBody::full(self.body));
        let headers = &mut response.headers;
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(
            recorded_response::REQUEST_ID,
            recorded_response::request_id_value(self.incoming.id()),
        );
        if let Some((error, code)) = self.refused {
            insert_proxy_status(headers, code, None);
            if let Some(after) = error.retry_after() {
                headers.insert(header::RETRY_AFTER, retry_after_s(after).into());
            }
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"ninjaone-proxy\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
