//! One attempt: a request with a token goes out once, and what comes back is judged.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use http::{HeaderValue, StatusCode, header};
use tokio::time::{Instant, timeout_at};

use crate::{
    audit::Intended,
    clock::Timestamp,
    credentials::token::AccessToken,
    limits::{budget::Permit, retry_after::retry_after},
    net::{
        Method,
        body::{BodyFault, Passage, RequestBody},
        client::ExchangeError,
        forwardable_headers::NINJAONE_REQUEST_ID,
        pace::{self, Pace},
        pool::{Answered, Freshness, Outgoing, Pool, SendError},
        response::Fields,
        worker_cell::WorkerFlag,
    },
    ninjaone::{
        fault::{self, Fault, Meaning},
        operation::Payload,
    },
};

use super::{
    Journal,
    answer_body::AnswerBody,
    incoming,
    origin::{Origin, Patience, ThrottleKind},
};

/// Our name towards NinjaOne (RFC 9110 section 7.6.3).
const VIA: HeaderValue = HeaderValue::from_static("1.1 ninjaone-proxy");
/// A request that must not be sent twice goes on a connection that was used this recently, or on a new one: the longer a
/// connection idles, the likelier the server is just closing it.
const WRITE_CONNECTION_IDLE_MAX: Duration = Duration::from_secs(5);
/// Longest body of a refusal that is read to learn why, in bytes.
const FAULT_BYTES_MAX: usize = 8 * 1024;
/// Longest `x-nj-request-id` that is kept, in bytes.
const NINJAONE_REQUEST_BYTES_MAX: usize = 128;

/// What came of an attempt.
pub enum Verdict {
    Answer(Answer),
    /// An answer of a gateway that is not well (502, 503, 504): passed on if it may not be tried again.
    Unwell(Answer),
    /// 429 or an HTML page, and how long it said to wait.
    Throttled(ThrottleKind, Option<Duration>),
    TokenRejected,
    InsufficientPrivileges,
    TimedOut,
    Body(BodyFault),
    Unsent(ExchangeError),
    DiedReused,
    Lost(ExchangeError),
}

/// NinjaOne's answer, ready to be passed on.
pub struct Answer {
    pub status: StatusCode,
    pub fields: Fields,
    pub body: AnswerBody,
}

/// One attempt.
pub struct Attempt {
    token: Arc<AccessToken>,
    fresh: bool,
}

impl Attempt {
    #[must_use]
    pub fn first(intended: &Intended) -> Self {
        Self {
            token: Arc::clone(intended.leased().token()),
            fresh: false,
        }
    }

    #[must_use]
    pub fn again(self, fresh: bool) -> Self {
        Self { fresh, ..self }
    }

    #[must_use]
    pub fn with_token(self, token: Arc<AccessToken>) -> Self {
        Self { token, ..self }
    }

    #[must_use]
    pub fn token(&self) -> &AccessToken {
        &self.token
    }

    /// Sends the request once; `permit` is spent on it.
    pub async fn send(
        &self,
        origin: &Origin,
        pool: &Arc<Pool>,
        intended: &mut Intended,
        permit: Permit,
        journal: &mut Journal,
        now: Instant,
    ) -> Verdict {
        let method = incoming(intended).method;
        let body = take_body(intended);
        if body.announces_too_much() {
            return Verdict::Body(BodyFault::TooLarge);
        }
        let passage = body.passage();
        journal.passage.clone_from(&passage);
        let freshness = match method {
            _ if self.fresh => Freshness::New,
            Method::Get | Method::Head => Freshness::Any,
            _ => Freshness::Within(WRITE_CONNECTION_IDLE_MAX),
        };
        intended.entry_mut().note_attempts(journal.attempts + 1);
        let begun = WorkerFlag::default();
        let sent = {
            let incoming = incoming(intended);
            let outgoing = Outgoing {
                method: incoming.method,
                target: incoming.target.forwarded(),
                headers: &incoming.headers,
                more: &[
                    (header::AUTHORIZATION, self.token.authorization()),
                    (header::VIA, &VIA),
                ],
                body,
            };
            let sending = pin!(pool.send(outgoing, freshness, now, &begun));
            first_byte(sending, passage.as_deref(), now, origin.patience()).await
        };
        let begun = begun.get();
        if begun && !matches!(sent, Some(Err(SendError::Unsent(_)))) {
            journal.attempts += 1;
        }
        intended.entry_mut().note_attempts(journal.attempts);
        if let Some(fault) = passage.as_ref().and_then(|it| it.fault()) {
            return Verdict::Body(fault);
        }
        match sent {
            None if begun => Verdict::TimedOut,
            None => Verdict::Unsent(ExchangeError::TimedOut),
            Some(Err(SendError::Unsent(error))) => Verdict::Unsent(error),
            Some(Err(SendError::DiedReused)) => Verdict::DiedReused,
            Some(Err(SendError::Lost(error))) => Verdict::Lost(error),
            Some(Ok(answered)) => {
                let payload = intended
                    .leased()
                    .admitted()
                    .authorized()
                    .operation()
                    .payload;
                self.judge(answered, payload, origin, permit, journal).await
            }
        }
    }

    async fn judge(
        &self,
        answered: Answered,
        payload: Payload,
        origin: &Origin,
        permit: Permit,
        journal: &mut Journal,
    ) -> Verdict {
        let Answered {
            status,
            mut fields,
            body,
        } = answered;
        journal.ninjaone_request = ninjaone_request(&fields);
        if let Some(kind) = throttle(status, &fields)
            && !is_file(payload, &fields)
        {
            return Verdict::Throttled(kind, told(&fields));
        }
        // An upgrade that nobody asked for.
        if status.is_informational() {
            return Verdict::Lost(ExchangeError::NotHttp);
        }
        let body = AnswerBody::new(body, permit, origin.patience().body);
        if status == StatusCode::UNAUTHORIZED {
            let told = Box::pin(body.read_short(FAULT_BYTES_MAX)).await;
            return match Fault::parse(&told).map(|it| it.meaning()) {
                Some(Meaning::InsufficientPrivileges) => Verdict::InsufficientPrivileges,
                _ => Verdict::TokenRejected,
            };
        }
        self.token.accept();
        pass_retry_after(&mut fields);
        let answer = Answer {
            status,
            fields,
            body,
        };
        if matches!(status.as_u16(), 502..=504) {
            Verdict::Unwell(answer)
        } else {
            Verdict::Answer(answer)
        }
    }
}

fn take_body(intended: &mut Intended) -> RequestBody {
    let authorized = intended.leased_mut().admitted_mut().authorized_mut();
    let takes_file = authorized.operation().payload == Payload::Upload;
    let mut body = authorized.identified_mut().incoming_mut().body.take();
    if takes_file {
        body.allow_upload();
    }
    body
}

/// Waits for the head of an answer. The wait begins anew while the caller's body is still on its way, unless NinjaOne takes
/// it too slowly. How fast the caller sends is judged by the body itself.
async fn first_byte<F>(
    mut sending: Pin<&mut F>,
    passage: Option<&Passage>,
    began: Instant,
    patience: Patience,
) -> Option<F::Output>
where
    F: Future,
{
    let mut deadline = began + patience.first_byte;
    let at_first = passage.map(|it| (it.bytes(), it.waited()));
    let (mut passed, mut callers) = at_first.unwrap_or_default();
    let (mut pace, mut since) = (Pace::new(), began);
    loop {
        if let Ok(sent) = timeout_at(deadline, sending.as_mut()).await {
            return Some(sent);
        }
        let passage = passage.filter(|it| !it.is_ended())?;
        let (bytes, waited) = (passage.bytes(), passage.waited());
        if bytes == passed {
            return None;
        }
        let now = Instant::now();
        pace.moved(bytes - passed);
        // What the caller took of that time is not NinjaOne's.
        pace.waited((now - since).saturating_sub(waited.saturating_sub(callers)));
        let is_overdue = pace::end(began, patience.body.total).is_some_and(|end| now >= end);
        if is_overdue || pace.is_too_slow(patience.body.rate) {
            return None;
        }
        (passed, callers, since) = (bytes, waited, now);
        deadline = now + patience.first_byte;
    }
}

fn ninjaone_request(fields: &Fields) -> Option<Box<str>> {
    let value = fields.get(&NINJAONE_REQUEST_ID)?.to_str().ok()?;
    let end = value.len().min(NINJAONE_REQUEST_BYTES_MAX);
    value.get(..end).map(Box::from)
}

/// NinjaOne signals its limits by an HTML page as often as by 429; its API never answers HTML.
fn throttle(status: StatusCode, fields: &Fields) -> Option<ThrottleKind> {
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Some(ThrottleKind::Status);
    }
    // Servers send pages with redirects and refusals of tokens too: those are what their status says.
    if status.is_redirection() || status == StatusCode::UNAUTHORIZED {
        return None;
    }
    let content_type = fields.get(&header::CONTENT_TYPE)?.to_str().ok()?;
    if !fault::is_html(content_type) {
        return None;
    }
    // Pages of limits have been seen with these. Any other page is an error's: a caller that provokes one must not bring
    // the whole tenant to a stop.
    Some(match status.as_u16() {
        200 | 403 | 503 => ThrottleKind::Page,
        _ => ThrottleKind::ErrorPage,
    })
}

/// An operation that answers with a file may answer with a page: it says that it is an attachment.
fn is_file(payload: Payload, fields: &Fields) -> bool {
    payload == Payload::Download && fields.contains(&header::CONTENT_DISPOSITION)
}

/// What a caller is told to wait is a whole number of seconds, 1 to 300, or nothing.
fn pass_retry_after(fields: &mut Fields) {
    if !fields.contains(&header::RETRY_AFTER) {
        return;
    }
    match told(fields) {
        Some(wait) => fields.insert(header::RETRY_AFTER, wait.as_secs().into()),
        None => fields.remove(&header::RETRY_AFTER),
    }
}

fn told(fields: &Fields) -> Option<Duration> {
    let value = fields.get(&header::RETRY_AFTER)?.to_str().ok()?;
    retry_after(value, Timestamp::now())
}
