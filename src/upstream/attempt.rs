//! One attempt: sends a request with a token once, and classifies the response.

use std::{
    pin::{Pin, pin},
    time::Duration,
};

use http::{HeaderValue, StatusCode, header};
use tokio::time::{Instant, timeout_at};

use crate::{
    clock::Timestamp,
    limits::{budget::Permit, retry_after::parse_retry_after},
    net::{
        body::{
            progress::BodyProgress,
            request_body_error::RequestBodyError,
            throughput_window::{self, ThroughputWindow},
        },
        client::{
            exchange_error::ExchangeError,
            forwardable_response_headers::NINJAONE_REQUEST_ID,
            outgoing_request::{OutgoingRequest, ReusePolicy},
            pool::Pool,
            response::ClientResponse,
            send_error::SendError,
            send_progress::SendProgress,
        },
        response::ResponseHeaders,
    },
    ninjaone::{
        api_error::{ApiErrorBody, ApiErrorKind},
        operation::Payload,
    },
};

use super::{
    attempt_result::{AttemptResult, UpstreamResponse},
    page, references,
    retry::Repeatability,
    send_loop::SendLoop,
    tenant_upstream::{ThrottleKind, UpstreamTimeouts},
    upstream_body::UpstreamBody,
};

/// Our name towards NinjaOne (RFC 9110 section 7.6.3).
const VIA: HeaderValue = HeaderValue::from_static("1.1 ninjaone-proxy");
/// A request that must not be sent twice goes on a connection that was used this recently, or on a new one: the longer a
/// connection idles, the likelier the server is just closing it.
const ONCE_ONLY_CONNECTION_IDLE_MAX: Duration = Duration::from_secs(5);
/// A request that has been without a response for this long makes the connections suspect that were idle when it was sent:
/// they are not used any more. Most of NinjaOne's answers take less; where one takes longer, that costs a few connections.
const SUSPICION_AFTER: Duration = Duration::from_secs(3);
/// Longest body of a 401 that is read to learn why, in bytes.
const UNAUTHORIZED_BODY_BYTES_MAX: usize = 8 * 1024;
/// Longest `x-nj-request-id` that is kept, in bytes.
const NINJAONE_REQUEST_ID_BYTES_MAX: usize = 128;

impl SendLoop<'_> {
    /// Sends the request once, and takes its body along; `permit` is spent on it. `now` is when the wait for the response
    /// begins.
    pub(super) async fn send_once(&mut self, permit: Permit, now: Instant) -> AttemptResult {
        let mut body = self.body.take();
        if self.intended.operation().payload == Payload::Upload {
            body.allow_upload();
        }
        if let Some(exceeded) = body.declared_excess() {
            return AttemptResult::RequestBody(RequestBodyError::TooLarge(exceeded));
        }
        let progress = body.progress();
        self.send_log.body_progress.clone_from(&progress);
        let freshness = match self.retry.repeatability() {
            _ if self.new_connection => ReusePolicy::NewConnection,
            Repeatability::Always => ReusePolicy::Any,
            Repeatability::Never | Repeatability::IfNotServed => {
                ReusePolicy::IdleAtMost(ONCE_ONLY_CONNECTION_IDLE_MAX)
            }
        };
        self.intended.set_attempts(self.send_log.attempts + 1);
        self.send_log.upstream_status = None;
        let sending_progress = SendProgress::default();
        let sent = {
            let request = self.intended.request();
            let outgoing = OutgoingRequest {
                method: request.method(),
                target: request.target().forwarded(),
                headers: request.headers(),
                extra_headers: &[
                    (header::AUTHORIZATION, self.token.authorization()),
                    (header::VIA, &VIA),
                ],
                body,
            };
            let sending = pin!(self.pool.send(outgoing, freshness, now, &sending_progress));
            let wait = HeadWait {
                pool: self.pool,
                body: progress.as_deref(),
                sending: &sending_progress,
                timeouts: self.upstream.timeouts(),
            };
            wait.wait(sending, now).await
        };
        let begun = sending_progress.has_started();
        if begun && !matches!(sent, Some(Err(SendError::NotSent(_)))) {
            self.send_log.attempts += 1;
        }
        self.intended.set_attempts(self.send_log.attempts);
        if let Some(error) = progress.as_ref().and_then(|it| it.error()) {
            return AttemptResult::RequestBody(error);
        }
        match sent {
            None if begun => {
                self.pool.record_silence(&sending_progress, now);
                AttemptResult::TimedOut
            }
            None => AttemptResult::Unsent(ExchangeError::ConnectTimedOut),
            Some(Err(SendError::NotSent(error))) => AttemptResult::Unsent(error),
            Some(Err(SendError::StaleConnection)) => AttemptResult::StaleConnection,
            Some(Err(SendError::MaybeSent(error))) => AttemptResult::ExchangeFailed(error),
            Some(Ok(response)) => self.classify(response, permit).await,
        }
    }

    async fn classify(&mut self, response: ClientResponse, permit: Permit) -> AttemptResult {
        let ClientResponse {
            status,
            mut headers,
            body,
        } = response;
        self.send_log.ninjaone_request_id = ninjaone_request_id(&headers);
        self.send_log.upstream_status = Some(status);
        if status == StatusCode::TOO_MANY_REQUESTS {
            let told = requested_delay(&headers);
            return AttemptResult::Throttled(ThrottleKind::TooManyRequests, told);
        }
        // An upgrade that nobody asked for.
        if status.is_informational() {
            return AttemptResult::ExchangeFailed(ExchangeError::NotHttp);
        }
        let body = UpstreamBody::new(body, permit, self.upstream.timeouts().body);
        if status == StatusCode::UNAUTHORIZED {
            let told = Box::pin(body.collect_limited(UNAUTHORIZED_BODY_BYTES_MAX)).await;
            return match ApiErrorBody::parse(&told).map(|it| it.kind()) {
                Some(ApiErrorKind::InsufficientPrivileges) => AttemptResult::InsufficientPrivileges,
                _ => AttemptResult::TokenRejected,
            };
        }
        self.token.accept();
        let operation = self.intended.operation();
        let is_page = page::is_page(status, &headers, operation.payload);
        let retry_after = sanitize_retry_after(&mut headers);
        references::rewrite(
            &mut headers,
            self.upstream.endpoint(),
            self.intended.request().target(),
        );
        let response = UpstreamResponse {
            status,
            headers,
            body,
        };
        if !is_page {
            return response.into();
        }
        if response.body.is_ended() {
            return page::pass_on_without_type(response);
        }
        let method = self.intended.request().method();
        let is_read = self.intended.leased().class().is_read(method);
        Box::pin(page::judge(response, is_read, retry_after)).await
    }
}

/// What the wait for the head of a response depends on.
struct HeadWait<'a> {
    pool: &'a Pool,
    /// Of the caller's body, if there is one.
    body: Option<&'a BodyProgress>,
    sending: &'a SendProgress,
    timeouts: UpstreamTimeouts,
}

impl HeadWait<'_> {
    /// Waits for the head of a response. The time-out starts anew while the caller's body is still on its way, unless
    /// NinjaOne takes it too slowly. How fast the caller sends is judged by the body itself. A connection that is still being
    /// made has time-outs of its own.
    async fn wait<F>(&self, mut sending: Pin<&mut F>, began: Instant) -> Option<F::Output>
    where
        F: Future,
    {
        let timeouts = self.timeouts;
        let mut deadline = began + timeouts.first_byte;
        let at_first = self.body.map(|it| (it.bytes(), it.wait_time()));
        let (mut passed, mut callers) = at_first.unwrap_or_default();
        let (mut throughput, mut since) = (ThroughputWindow::new(), began);
        let (mut was_dialing, mut suspicion) = (false, Some(began + SUSPICION_AFTER));
        loop {
            let wake = suspicion.map_or(deadline, |at| at.min(deadline));
            if let Ok(sent) = timeout_at(wake, sending.as_mut()).await {
                return Some(sent);
            }
            if suspicion.take().is_some() {
                self.suspect(began);
            }
            if wake < deadline {
                continue;
            }
            let is_dialing = !self.sending.has_started();
            // What left within this time has had no more than a part of it to be answered.
            if is_dialing || was_dialing {
                was_dialing = is_dialing;
                deadline = Instant::now() + timeouts.first_byte;
                continue;
            }
            let progress = self.body.filter(|it| !it.is_complete())?;
            let (bytes, waited) = (progress.bytes(), progress.wait_time());
            if bytes == passed {
                return None;
            }
            let now = Instant::now();
            throughput.add_bytes(bytes - passed);
            // What the caller took of that time is not NinjaOne's.
            throughput.add_wait((now - since).saturating_sub(waited.saturating_sub(callers)));
            let is_overdue = throughput_window::deadline(began, timeouts.body.total)
                .is_some_and(|end| now >= end);
            if is_overdue || throughput.is_too_slow(timeouts.body.min_rate) {
                return None;
            }
            (passed, callers, since) = (bytes, waited, now);
            deadline = now + timeouts.first_byte;
        }
    }

    /// There is no response yet to what was sent after `began`, and nothing else that is waited for.
    fn suspect(&self, began: Instant) {
        if self.sending.has_started() && self.body.is_none_or(BodyProgress::is_complete) {
            self.pool.record_silence(self.sending, began);
        }
    }
}

fn ninjaone_request_id(headers: &ResponseHeaders) -> Option<Box<str>> {
    let value = headers.get(&NINJAONE_REQUEST_ID)?.to_str().ok()?;
    let end = value.len().min(NINJAONE_REQUEST_ID_BYTES_MAX);
    value.get(..end).map(Box::from)
}

/// What a caller is told to wait is a whole number of seconds, 1 to 300, or nothing.
fn sanitize_retry_after(headers: &mut ResponseHeaders) -> Option<Duration> {
    if !headers.contains(&header::RETRY_AFTER) {
        return None;
    }
    let told = requested_delay(headers);
    match told {
        Some(wait) => headers.insert(header::RETRY_AFTER, wait.as_secs().into()),
        None => headers.remove(&header::RETRY_AFTER),
    }
    told
}

fn requested_delay(headers: &ResponseHeaders) -> Option<Duration> {
    let value = headers.get(&header::RETRY_AFTER)?.to_str().ok()?;
    parse_retry_after(value, Timestamp::now())
}
