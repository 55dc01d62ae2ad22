//! Turns the outcome of a request into its response: the only place where outcomes are recorded. The texts of refusals are in
//! `refusal.rs`.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use tokio::time::Instant;

use crate::{
    audit::{
        Recorded, Unrecordable,
        decision::Decision,
        entry::{OutcomeDetails, RequestFacts, ResponseSource},
        ledger::Ledger,
    },
    limits::LimitKind,
    names::RequestId,
    net::{Peer, request::incoming_request::Malformed, response::Response},
    upstream::{ForwardFailed, Forwarded, SendLog},
};

use super::{
    malformed_refusal::malformed,
    outcome::Outcome,
    problem_response::{append_rate_limit_headers, problem_response},
    recorded_response::{self, AuditedStream, ProxyResponseBody},
    refusal::{self, Refusal},
    request_buffering::BodyNotReceived,
    token_outcome_response::{metadata_served, token_issued, token_refused, token_revoked},
    worker_metrics::WorkerMetrics,
};

/// Puts the outcome on record and makes the response of it.
pub(crate) fn record_and_respond(
    outcome: Outcome,
    ledger: &Ledger,
    metrics: &Arc<WorkerMetrics>,
) -> Recorded<Response<ProxyResponseBody>> {
    match outcome {
        Outcome::Forwarded(forwarded) => forwarded_response(*forwarded, metrics),
        Outcome::ForwardFailed(failed) => failed_response(*failed, metrics),
        Outcome::Malformed(it) => {
            let facts = malformed_facts(&it);
            record_refusal(&malformed(&it), facts, it.started, ledger, metrics)
        }
        Outcome::Unidentified(it) => {
            let facts = RequestFacts::from_incoming(&it.incoming);
            record_refusal(
                &refusal::unidentified(&it),
                facts,
                it.incoming.started(),
                ledger,
                metrics,
            )
        }
        Outcome::Denied(it) => {
            let facts = RequestFacts::from_denied(&it);
            let started = it.identified.request().started();
            record_refusal(&refusal::denied(&it), facts, started, ledger, metrics)
        }
        Outcome::Throttled(it) => {
            let facts = RequestFacts::from_authorized(&it.authorized);
            let started = it.authorized.request().started();
            record_refusal(&refusal::throttled(&it), facts, started, ledger, metrics)
        }
        Outcome::BodyNotReceived(it) => body_not_received(&it, ledger, metrics),
        Outcome::NoToken(it) => {
            let authorized = it.admitted.authorized();
            let facts = RequestFacts {
                identity: Some(it.unavailable.identity),
                ..RequestFacts::from_authorized(authorized)
            };
            let started = authorized.request().started();
            let refusal = refusal::no_token(&it.unavailable, authorized);
            record_refusal(&refusal, facts, started, ledger, metrics)
        }
        Outcome::Unrecordable(it) => {
            let Unrecordable { leased } = *it;
            let facts = RequestFacts::from_leased(&leased);
            let started = leased.request().started();
            record_refusal(&refusal::unrecordable(), facts, started, ledger, metrics)
        }
        Outcome::TokenIssued(it) => token_issued(&it, ledger, metrics),
        Outcome::TokenRevoked(it) => token_revoked(&it, ledger, metrics),
        Outcome::TokenRefused(it) => token_refused(&it, ledger, metrics),
        Outcome::MetadataServed(it) => metadata_served(*it, ledger, metrics),
    }
}

// === NinjaOne's responses

fn forwarded_response(
    forwarded: Forwarded,
    metrics: &Arc<WorkerMetrics>,
) -> Recorded<Response<ProxyResponseBody>> {
    let (leased, entry, status, mut headers, body, send_log) = forwarded.into_parts();
    let started = leased.request().started();
    metrics.count_request(
        Some(&leased.caller().name),
        Some(leased.operation()),
        Decision::Allowed,
        status.as_u16(),
        started,
    );
    let ended = send_log.wait_ended.unwrap_or(started);
    metrics
        .overhead
        .observe(proxy_overhead(ended - started, &send_log));
    headers.append(
        recorded_response::REQUEST_ID,
        recorded_response::request_id_value(leased.request().id()),
    );
    append_rate_limit_headers(
        &mut headers,
        leased.policy_header(),
        *leased.rate_limit_status(),
    );
    let body_progress = send_log.body_progress.clone();
    let details = outcome_details(
        Decision::Allowed,
        None,
        None,
        status,
        ResponseSource::Ninjaone,
        &send_log,
    );
    let metrics = Arc::clone(metrics);
    entry.defer_close(|entry| {
        let stream = AuditedStream {
            body,
            entry: Some(entry),
            details,
            leased,
            body_progress,
            started,
            metrics,
            abort_reason: recorded_response::CALLER_GONE,
        };
        Response {
            status,
            headers,
            body: ProxyResponseBody::streaming(stream),
        }
    })
}

fn failed_response(
    failed: ForwardFailed,
    metrics: &Arc<WorkerMetrics>,
) -> Recorded<Response<ProxyResponseBody>> {
    let ForwardFailed {
        leased,
        entry,
        error: why,
        send_log,
    } = failed;
    let mut refusal = refusal::from_forward_error(why, leased.authorized());
    refusal.rate_limit = Some((leased.policy_header().clone(), *leased.rate_limit_status()));
    // A request of which a byte may have reached NinjaOne was allowed, whatever came of it.
    let sent = send_log.attempts > 0;
    let (decision, error) = if sent {
        let code = refusal.code.as_str();
        (Decision::Allowed, refusal.error.or(Some(code)))
    } else {
        (refusal.code.decision(), refusal.error)
    };
    let mut details = outcome_details(
        decision,
        error,
        refusal.bucket,
        refusal.status(),
        ResponseSource::Proxy,
        &send_log,
    );
    let duration = leased.request().started().elapsed();
    details.duration_us = micros(duration);
    details.detail = Some(text_for_operators(&refusal));
    metrics.count_request(
        Some(&leased.caller().name),
        Some(leased.operation()),
        decision,
        refusal.status().as_u16(),
        leased.request().started(),
    );
    metrics.duration.observe(duration);
    metrics
        .overhead
        .observe(proxy_overhead(duration, &send_log));
    let response = problem_response(&refusal, leased.request().id(), entry.facts());
    entry.close_with(details, response)
}

// === Refusals

fn record_refusal(
    refusal: &Refusal,
    facts: RequestFacts,
    started: Instant,
    ledger: &Ledger,
    metrics: &WorkerMetrics,
) -> Recorded<Response<ProxyResponseBody>> {
    let send_log = SendLog::default();
    record_refusal_with(refusal, facts, started, &send_log, ledger, metrics)
}

fn record_refusal_with(
    refusal: &Refusal,
    facts: RequestFacts,
    started: Instant,
    send_log: &SendLog,
    ledger: &Ledger,
    metrics: &WorkerMetrics,
) -> Recorded<Response<ProxyResponseBody>> {
    let duration = started.elapsed();
    let decision = refusal.code.decision();
    let mut details = outcome_details(
        decision,
        refusal.error,
        refusal.bucket,
        refusal.status(),
        ResponseSource::Proxy,
        send_log,
    );
    details.duration_us = micros(duration);
    details.detail = Some(text_for_operators(refusal));
    metrics.count_request(
        facts.caller.as_ref(),
        facts.operation.as_ref(),
        decision,
        refusal.status().as_u16(),
        started,
    );
    metrics.duration.observe(duration);
    metrics.overhead.observe(proxy_overhead(duration, send_log));
    let response = problem_response(refusal, facts.request_id, &facts);
    ledger.record(facts, details, response)
}

/// A request whose short body did not come: nothing was sent, and the time was the caller's.
fn body_not_received(
    it: &BodyNotReceived,
    ledger: &Ledger,
    metrics: &WorkerMetrics,
) -> Recorded<Response<ProxyResponseBody>> {
    let started = it.admitted.request().started();
    let mut refusal = refusal::from_body_error(it.error, it.admitted.operation());
    refusal.rate_limit = Some((
        it.admitted.policy_header().clone(),
        *it.admitted.rate_limit_status(),
    ));
    let send_log = SendLog {
        body_progress: it.body_progress.clone(),
        ..SendLog::default()
    };
    let facts = RequestFacts::from_authorized(it.admitted.authorized());
    record_refusal_with(&refusal, facts, started, &send_log, ledger, metrics)
}

/// For a request that ended without an outcome, which only a bug of ours can do. If an intent was open, its line says
/// that it was abandoned; this one says what the caller was told.
pub(crate) fn internal_error(
    id: RequestId,
    peer: Peer,
    ledger: &Ledger,
    metrics: &WorkerMetrics,
) -> Recorded<Response<ProxyResponseBody>> {
    let facts = RequestFacts::from_peer(id, peer);
    record_refusal(&refusal::internal(), facts, Instant::now(), ledger, metrics)
}

// === What they share

/// For whoever watches the log: what happened, and what an operator can do about it.
fn text_for_operators(refusal: &Refusal) -> Box<str> {
    match &refusal.hint {
        Some(hint) => format!("{} {}", refusal.detail, hint.for_operator()).into(),
        None => refusal.detail.as_str().into(),
    }
}

/// The part of a duration that was ours: without what NinjaOne took, and without what a caller took to send a short body.
/// A long one was on its way while NinjaOne was waited for.
fn proxy_overhead(duration: Duration, send_log: &SendLog) -> Duration {
    let ahead = send_log
        .body_progress
        .as_ref()
        .map(|it| it.read_ahead_wait_time());
    duration.saturating_sub(send_log.upstream_wait + ahead.unwrap_or_default())
}

fn outcome_details(
    decision: Decision,
    error: Option<&'static str>,
    bucket: Option<LimitKind>,
    status: StatusCode,
    source: ResponseSource,
    send_log: &SendLog,
) -> OutcomeDetails {
    OutcomeDetails {
        decision,
        error,
        bucket: bucket.map(LimitKind::as_str),
        status: status.as_u16(),
        source,
        upstream_status: send_log.upstream_status.map(|it| it.as_u16()),
        attempts: send_log.attempts,
        ninjaone_request_id: send_log.ninjaone_request_id.clone(),
        duration_us: 0,
        bytes_in: send_log.body_progress.as_ref().map_or(0, |it| it.bytes()),
        bytes_out: 0,
        detail: None,
    }
}

fn malformed_facts(it: &Malformed) -> RequestFacts {
    RequestFacts {
        method: it.method,
        raw_path: Some(it.path.clone()),
        ..RequestFacts::from_peer(it.id, it.peer)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
