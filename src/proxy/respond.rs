//! Turns the outcome of a request into its response: the only place where outcomes are recorded. The texts of refusals are in
//! `refusal.rs`.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use tokio::time::Instant;

use crate::{
    audit::{
        Recorded, Unrecordable,
        decision::Decision,
        entry::{Ending, Source, Subject},
        ledger::Ledger,
    },
    caller::AuthMethod,
    limits::{LimitKind, Standing},
    names::RequestId,
    net::{
        Peer,
        problem_details::{self, ProblemDetails},
        request::incoming_request::Malformed,
        response::{Response, ResponseHeaders},
    },
    upstream::{Failed, Forwarded, Journal},
};

use super::{
    error_code::Code,
    outcome::Outcome,
    recorded_response::{self, ReplyBody, Stream},
    refusal::{self, Refusal},
    request_buffering::Unreceived,
    token_response::{self, Issued, NotIssued},
    worker_metrics::Tally,
};

const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");
const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What `Retry-After` may say, in seconds.
const RETRY_AFTER_S: std::ops::RangeInclusive<u64> = 1..=300;

/// Puts the outcome on record and makes the response of it.
pub fn of(outcome: Outcome, ledger: &Ledger, tally: &Arc<Tally>) -> Recorded<Response<ReplyBody>> {
    match outcome {
        Outcome::Forwarded(forwarded) => pass_on(*forwarded, tally),
        Outcome::Failed(failed) => fail(*failed, tally),
        Outcome::Malformed(it) => {
            let subject = of_malformed(&it);
            refuse(&refusal::malformed(&it), subject, it.started, ledger, tally)
        }
        Outcome::Unidentified(it) => {
            let subject = Subject::of_incoming(&it.incoming);
            refuse(
                &refusal::unidentified(&it),
                subject,
                it.incoming.started(),
                ledger,
                tally,
            )
        }
        Outcome::Denied(it) => {
            let subject = Subject::of_denied(&it);
            let started = it.identified.request().started();
            refuse(&refusal::denied(&it), subject, started, ledger, tally)
        }
        Outcome::Throttled(it) => {
            let subject = Subject::of_authorized(&it.authorized);
            let started = it.authorized.request().started();
            refuse(&refusal::throttled(&it), subject, started, ledger, tally)
        }
        Outcome::Unreceived(it) => unreceived(&it, ledger, tally),
        Outcome::NoToken(it) => {
            let authorized = it.admitted.authorized();
            let subject = Subject {
                identity: Some(it.unavailable.identity),
                ..Subject::of_authorized(authorized)
            };
            let started = authorized.request().started();
            let refusal = refusal::no_token(&it.unavailable, authorized);
            refuse(&refusal, subject, started, ledger, tally)
        }
        Outcome::Unrecordable(it) => {
            let Unrecordable { leased } = *it;
            let subject = Subject::of_leased(&leased);
            let started = leased.request().started();
            let refusal = Refusal::new(
                Code::AuditUnavailable,
                "The audit log cannot be written, so nothing was sent.",
            );
            refuse(
                &refusal.after(Duration::from_secs(5)),
                subject,
                started,
                ledger,
                tally,
            )
        }
        Outcome::Issued(it) => issued(&it, ledger, tally),
        Outcome::NotIssued(it) => not_issued(&it, ledger, tally),
    }
}

// === NinjaOne's responses

fn pass_on(forwarded: Forwarded, tally: &Arc<Tally>) -> Recorded<Response<ReplyBody>> {
    let (leased, entry, status, mut fields, body, journal) = forwarded.into_parts();
    let started = leased.request().started();
    tally.count(
        Some(&leased.caller().name),
        Some(leased.operation()),
        Decision::Allowed,
        status.as_u16(),
    );
    let ended = journal.ended.unwrap_or(started);
    tally.overhead.add(own(ended - started, &journal));
    fields.append(
        recorded_response::REQUEST_ID,
        recorded_response::id_value(leased.request().id()),
    );
    put_standing(
        &mut fields,
        leased.policy_header(),
        *leased.rate_limit_status(),
    );
    let passage = journal.passage.clone();
    let ending = ending(
        Decision::Allowed,
        None,
        None,
        status,
        Source::Ninjaone,
        &journal,
    );
    let tally = Arc::clone(tally);
    entry.ride(|entry| {
        let stream = Stream {
            body,
            entry: Some(entry),
            ending,
            leased,
            passage,
            started,
            tally,
            left: recorded_response::CALLER_GONE,
        };
        Response {
            status,
            headers: fields,
            body: ReplyBody::stream(stream),
        }
    })
}

fn fail(failed: Failed, tally: &Arc<Tally>) -> Recorded<Response<ReplyBody>> {
    let Failed {
        leased,
        entry,
        why,
        journal,
    } = failed;
    let mut refusal = refusal::of_failure(why, leased.authorized());
    refusal.standing = Some((leased.policy_header().clone(), *leased.rate_limit_status()));
    // A request of which a byte may have reached NinjaOne was allowed, whatever came of it.
    let sent = journal.attempts > 0;
    let (decision, error) = if sent {
        let code = refusal.code.as_str();
        (Decision::Allowed, refusal.error.or(Some(code)))
    } else {
        (refusal.code.decision(), refusal.error)
    };
    let mut ending = ending(
        decision,
        error,
        refusal.bucket,
        refusal.code.status(),
        Source::Proxy,
        &journal,
    );
    let duration = leased.request().started().elapsed();
    ending.duration_us = micros(duration);
    tally.count(
        Some(&leased.caller().name),
        Some(leased.operation()),
        decision,
        refusal.code.status().as_u16(),
    );
    tally.duration.add(duration);
    tally.overhead.add(own(duration, &journal));
    let response = respond(&refusal, leased.request().id(), entry.subject());
    entry.close_with(ending, response)
}

// === Refusals

fn refuse(
    refusal: &Refusal,
    subject: Subject,
    started: Instant,
    ledger: &Ledger,
    tally: &Tally,
) -> Recorded<Response<ReplyBody>> {
    let journal = Journal::default();
    refuse_after(refusal, subject, started, &journal, ledger, tally)
}

fn refuse_after(
    refusal: &Refusal,
    subject: Subject,
    started: Instant,
    journal: &Journal,
    ledger: &Ledger,
    tally: &Tally,
) -> Recorded<Response<ReplyBody>> {
    let duration = started.elapsed();
    let decision = refusal.code.decision();
    let mut ending = ending(
        decision,
        refusal.error,
        refusal.bucket,
        refusal.code.status(),
        Source::Proxy,
        journal,
    );
    ending.duration_us = micros(duration);
    tally.count(
        subject.caller.as_ref(),
        subject.operation.as_ref(),
        decision,
        refusal.code.status().as_u16(),
    );
    tally.duration.add(duration);
    tally.overhead.add(own(duration, journal));
    let response = respond(refusal, subject.request, &subject);
    ledger.record(subject, ending, response)
}

/// A request whose short body did not come: nothing was sent, and the time was the caller's.
fn unreceived(it: &Unreceived, ledger: &Ledger, tally: &Tally) -> Recorded<Response<ReplyBody>> {
    let started = it.admitted.request().started();
    let mut refusal = refusal::of_body(it.why);
    refusal.standing = Some((
        it.admitted.policy_header().clone(),
        *it.admitted.rate_limit_status(),
    ));
    let journal = Journal {
        passage: it.passage.clone(),
        ..Journal::default()
    };
    let subject = Subject::of_authorized(it.admitted.authorized());
    refuse_after(&refusal, subject, started, &journal, ledger, tally)
}

/// For a request that ended without an outcome, which only a bug of ours can do. If an intent was open, its line says
/// that it was abandoned; this one says what the caller was told.
pub fn lost(
    id: RequestId,
    peer: Peer,
    ledger: &Ledger,
    tally: &Tally,
) -> Recorded<Response<ReplyBody>> {
    let refusal = Refusal::new(
        Code::Internal,
        "The proxy failed; the request may have been sent.",
    );
    let subject = Subject::of_stranger(id, peer);
    refuse(&refusal, subject, Instant::now(), ledger, tally)
}

// === The token endpoint

fn issued(it: &Issued, ledger: &Ledger, tally: &Tally) -> Recorded<Response<ReplyBody>> {
    let mut subject = Subject::of_incoming(&it.incoming);
    subject.caller = Some(it.caller.name.clone());
    subject.proof = Some(AuthMethod::ApiKey);
    let body = Bytes::copy_from_slice(it.answer.as_bytes());
    let length = body.len() as u64;
    let response = token_response(StatusCode::OK, it.incoming.id(), body);
    tally.count(subject.caller.as_ref(), None, Decision::Allowed, 200);
    record_own(
        subject,
        Decision::Allowed,
        StatusCode::OK,
        it.incoming.started(),
        length,
        response,
        ledger,
    )
}

fn not_issued(it: &NotIssued, ledger: &Ledger, tally: &Tally) -> Recorded<Response<ReplyBody>> {
    let (status, code) = match it.why {
        token_response::Why::InvalidClient => (StatusCode::UNAUTHORIZED, Code::Unauthenticated),
        token_response::Why::TooManyTokens => {
            (StatusCode::SERVICE_UNAVAILABLE, Code::TokenUnavailable)
        }
        token_response::Why::InvalidRequest | token_response::Why::UnsupportedGrant => {
            (StatusCode::BAD_REQUEST, Code::BadRequest)
        }
    };
    let subject = Subject::of_incoming(&it.incoming);
    let body = Bytes::from(format!(r#"{{"error":"{}"}}"#, it.why.error()));
    let length = body.len() as u64;
    let mut response = token_response(status, it.incoming.id(), body);
    put_proxy_status(&mut response.headers, code, None);
    if status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Basic realm=\"ninjaone-proxy\"");
        response.headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    tally.count(None, None, code.decision(), status.as_u16());
    record_own(
        subject,
        code.decision(),
        status,
        it.incoming.started(),
        length,
        response,
        ledger,
    )
}

fn token_response(status: StatusCode, id: RequestId, body: Bytes) -> Response<ReplyBody> {
    let mut response = Response::new(status, ReplyBody::text(body));
    let fields = &mut response.headers;
    fields.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(
        recorded_response::REQUEST_ID,
        recorded_response::id_value(id),
    );
    response
}

fn record_own(
    subject: Subject,
    decision: Decision,
    status: StatusCode,
    started: Instant,
    bytes_out: u64,
    response: Response<ReplyBody>,
    ledger: &Ledger,
) -> Recorded<Response<ReplyBody>> {
    let mut ending = ending(
        decision,
        None,
        None,
        status,
        Source::Proxy,
        &Journal::default(),
    );
    ending.duration_us = micros(started.elapsed());
    ending.bytes_out = bytes_out;
    ledger.record(subject, ending, response)
}

// === What they share

/// The part of a duration that was ours: without what NinjaOne took, and without what a caller took to send a short body.
/// A long one was on its way while NinjaOne was waited for.
fn own(duration: Duration, journal: &Journal) -> Duration {
    let ahead = journal.passage.as_ref().map(|it| it.read_ahead_wait_time());
    duration.saturating_sub(journal.waited + ahead.unwrap_or_default())
}

fn ending(
    decision: Decision,
    error: Option<&'static str>,
    bucket: Option<LimitKind>,
    status: StatusCode,
    source: Source,
    journal: &Journal,
) -> Ending {
    Ending {
        decision,
        error,
        bucket: bucket.map(LimitKind::as_str),
        status: status.as_u16(),
        source,
        attempts: journal.attempts,
        ninjaone_request: journal.ninjaone_request.clone(),
        duration_us: 0,
        bytes_in: journal.passage.as_ref().map_or(0, |it| it.bytes()),
        bytes_out: 0,
    }
}

fn of_malformed(it: &Malformed) -> Subject {
    Subject {
        method: it.method,
        raw_path: Some(it.path.clone()),
        ..Subject::of_stranger(it.id, it.peer)
    }
}

fn respond(refusal: &Refusal, id: RequestId, subject: &Subject) -> Response<ReplyBody> {
    let status = refusal.code.status();
    let code = refusal.code.as_str();
    // An unauthenticated caller learns nothing else.
    let known = subject.caller.is_some();
    let explain = || format!("ninjaone-proxy explain {id}");
    let hint = refusal.hint.clone().unwrap_or_else(explain);
    let problem = ProblemDetails {
        kind: format!("urn:ninjaone-proxy:error:{code}"),
        title: refusal.code.title(),
        status: status.as_u16(),
        detail: &refusal.detail,
        instance: format!("/requests/{id}"),
        hint: known.then_some(hint.as_str()),
        code,
        caller: subject
            .caller
            .as_ref()
            .map(crate::names::CallerName::as_str),
        operation: subject.operation.as_ref().map(|it| &*it.id),
        bucket: refusal.bucket.map(LimitKind::as_str),
        error: refusal.code.ninjaone_error(),
        error_description: &refusal.detail,
        error_code: (refusal.code == Code::Unauthenticated).then_some(10),
    };
    let mut response = Response::new(status, ReplyBody::text(problem.to_bytes()));
    let fields = &mut response.headers;
    fields.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(problem_details::CONTENT_TYPE),
    );
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(
        recorded_response::REQUEST_ID,
        recorded_response::id_value(id),
    );
    put_proxy_status(fields, refusal.code, refusal.proxy_status);
    if let Some((policy, standing)) = &refusal.standing {
        put_standing(fields, policy, *standing);
    }
    if let Some(after) = refusal.retry_after {
        let seconds = (after.as_secs() + u64::from(after.subsec_nanos() > 0))
            .clamp(*RETRY_AFTER_S.start(), *RETRY_AFTER_S.end());
        fields.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    match refusal.code {
        Code::Unauthenticated => {
            let challenge = HeaderValue::from_static("Bearer realm=\"ninjaone-proxy\"");
            fields.insert(header::WWW_AUTHENTICATE, challenge);
        }
        // An ambiguous request ends its connection: nobody guesses where the next one begins.
        Code::BadRequest => {
            let close = HeaderValue::from_static("close");
            fields.insert(header::CONNECTION, close);
        }
        Code::MethodRefused => {
            let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
            fields.insert(header::ALLOW, allowed);
        }
        _ => {}
    }
    response
}

fn put_proxy_status(fields: &mut ResponseHeaders, code: Code, exact: Option<&'static str>) {
    let error = exact.unwrap_or_else(|| code.proxy_status());
    let text = format!(
        "ninjaone-proxy; error={error}; details=\"{}\"",
        code.as_str()
    );
    if let Ok(value) = HeaderValue::try_from(text) {
        fields.insert(PROXY_STATUS, value);
    }
}

fn put_standing(fields: &mut ResponseHeaders, policy: &HeaderValue, standing: Standing) {
    fields.append(RATELIMIT_POLICY, policy.clone());
    fields.append(RATELIMIT, standing.header());
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
