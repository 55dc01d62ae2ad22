//! What those who may look ask with a body: `POST /explain`, `POST /audit/verify` and `POST /doctor`. Nothing is changed.
//!
//! The answers come from the disk and the network, so each kind has a bound on how many are made at a time and on how long one
//! is waited for. Work that blocks is done on other threads: the admin listeners go on.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::timeout,
};

use crate::audit::{
    chain::Head,
    verify::{VerifyError, verify_unless},
};

use super::{
    access::{AdminAuthError, Operator, Viewer},
    audit_report,
    explain::endpoint::ExplainEndpoint,
};

/// Explanations that are made at a time at most. A disk that hangs keeps its thread, and its place here.
pub const EXPLANATIONS_MAX: usize = 4;
/// How long one is waited for, in milliseconds: up to a gigabyte of the log is searched.
pub const EXPLAIN_MS_MAX: u64 = 30_000;
/// Verifications at a time: each reads the whole log.
pub const VERIFICATIONS_MAX: usize = 1;
/// After this a verification is given up, in milliseconds.
pub const VERIFY_MS_MAX: u64 = 35_000;
/// Runs of `doctor` at a time: each asks NinjaOne for a token.
pub const DOCTORS_MAX: usize = 1;
/// How long one is waited for, in milliseconds; the checks have shorter bounds of their own.
pub const DOCTOR_MS_MAX: u64 = 38_000;

/// Runs the checks of `doctor` and gives `doctor/1` with `text` and `exit`; or says why there is no such tenant.
pub type DoctorSource = Box<
    dyn Fn(
            DoctorQuestion,
            DoctorPlace,
        ) -> Pin<Box<dyn Future<Output = Result<Value, String>> + Send>>
        + Send
        + Sync,
>;

/// The right to run the checks, kept until the last of them has ended.
pub struct DoctorPlace {
    _permit: OwnedSemaphorePermit,
}

/// What `doctor` is to look at.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoctorQuestion {
    /// This one alone.
    #[serde(default)]
    pub tenant: Option<String>,
    /// Send nothing to NinjaOne.
    #[serde(default)]
    pub offline: bool,
    /// Have only what needs attention in `text`.
    #[serde(default)]
    pub brief: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct VerifyQuestion {
    /// `NUMBER:HASH`
    #[serde(default)]
    anchors: Vec<String>,
}

/// What is asked for.
#[derive(Clone, Copy)]
pub(super) enum Inquiry {
    Explain,
    VerifyAudit,
    Doctor,
}

impl Inquiry {
    pub(super) fn at(path: &str) -> Option<Self> {
        match path {
            "/explain" => Some(Self::Explain),
            "/audit/verify" => Some(Self::VerifyAudit),
            "/doctor" => Some(Self::Doctor),
            _ => None,
        }
    }
}

/// Answers inquiries.
pub struct Inquiries {
    explain: Arc<ExplainEndpoint>,
    doctor: DoctorSource,
    explanations: Arc<Semaphore>,
    verifications: Arc<Semaphore>,
    doctors: Arc<Semaphore>,
}

/// Why there is no answer.
struct InquiryError {
    status: StatusCode,
    text: String,
}

impl Inquiries {
    #[must_use]
    pub fn new(explain: ExplainEndpoint, doctor: DoctorSource) -> Self {
        let places = |count| Arc::new(Semaphore::new(count));
        Self {
            explain: Arc::new(explain),
            doctor,
            explanations: places(EXPLANATIONS_MAX),
            verifications: places(VERIFICATIONS_MAX),
            doctors: places(DOCTORS_MAX),
        }
    }

    /// `operator` is the proof of one, where the asker is.
    pub(super) async fn respond(
        &self,
        inquiry: Inquiry,
        request: &Request<Bytes>,
        _viewer: &Viewer,
        operator: Result<Operator, AdminAuthError>,
    ) -> Response<Value> {
        let body = request.body();
        let answer = match inquiry {
            Inquiry::Explain => self.explain(body.clone()).await,
            Inquiry::VerifyAudit => self.verify(body).await,
            Inquiry::Doctor => self.doctor(body, operator).await,
        };
        answer.map_or_else(InquiryError::into_response, Response::new)
    }

    async fn explain(&self, body: Bytes) -> Result<Value, InquiryError> {
        let place = Arc::clone(&self.explanations).try_acquire_owned();
        let place = place.map_err(|_| busy("explanations"))?;
        let explain = Arc::clone(&self.explain);
        let is_given_up = GiveUp::default();
        let seen = is_given_up.flag();
        let answering = spawn_blocking(move || {
            let answer = explain.answer(&body, &seen);
            drop(place);
            answer
        });
        let answer = timeout(Duration::from_millis(EXPLAIN_MS_MAX), answering);
        match answer.await {
            Ok(Ok(answer)) => answer.map_err(bad_request),
            Ok(Err(_)) => Err(stopping()),
            Err(_) => Err(too_slow(
                "the audit log could not be searched",
                EXPLAIN_MS_MAX,
            )),
        }
    }

    async fn verify(&self, body: &[u8]) -> Result<Value, InquiryError> {
        let question: VerifyQuestion = parse(body, "{\"anchors\":[\"NUMBER:HASH\"]}")?;
        let anchors = question.anchors.iter().map(|it| it.parse::<Head>());
        let anchors: Vec<Head> = anchors
            .collect::<Result<_, _>>()
            .map_err(|error| bad_request(error.to_string()))?;
        let place = Arc::clone(&self.verifications).try_acquire_owned();
        let place = place.map_err(|_| busy("verifications"))?;
        let is_given_up = GiveUp::default();
        let (seen, directory) = (is_given_up.flag(), self.explain.audit_directory().clone());
        let verifying = spawn_blocking(move || {
            let report = verify_unless(&directory, &anchors, &seen);
            drop(place);
            report
        });
        match timeout(Duration::from_millis(VERIFY_MS_MAX), verifying).await {
            Ok(Ok(Ok(report))) => {
                let mut document = audit_report::document(&report);
                let text = format!(
                    "{}\nThis is the running proxy's own word about its own log, and proves nothing. Verify the files: ninjaone-proxy audit verify {}\n",
                    audit_report::text(&report),
                    self.explain.audit_directory().display()
                );
                if let Some(members) = document.as_object_mut() {
                    members.insert("source".to_owned(), json!("proxy"));
                    members.insert("text".to_owned(), json!(text));
                    let exit = audit_report::exit_code(&report);
                    members.insert("exit".to_owned(), json!(exit));
                }
                Ok(document)
            }
            Ok(Ok(Err(VerifyError::GivenUp))) | Err(_) => {
                Err(too_slow("the audit log could not be read", VERIFY_MS_MAX))
            }
            Ok(Ok(Err(error))) => Err(InquiryError {
                status: StatusCode::CONFLICT,
                text: error.to_string(),
            }),
            Ok(Err(_)) => Err(stopping()),
        }
    }

    async fn doctor(
        &self,
        body: &[u8],
        operator: Result<Operator, AdminAuthError>,
    ) -> Result<Value, InquiryError> {
        let question: DoctorQuestion = parse(body, "{\"tenant\":…,\"offline\":false}")?;
        // It sends as the tenant, which an auditor may not have done.
        if let (Err(error), false) = (operator, question.offline) {
            return Err(InquiryError {
                status: error.status(),
                text: format!("{error}; an auditor may ask for: doctor --offline"),
            });
        }
        let place = Arc::clone(&self.doctors).try_acquire_owned();
        let place = DoctorPlace {
            _permit: place.map_err(|_| busy("runs of doctor"))?,
        };
        let checked = timeout(
            Duration::from_millis(DOCTOR_MS_MAX),
            (self.doctor)(question, place),
        );
        match checked.await {
            Ok(answer) => answer.map_err(|text| InquiryError {
                status: StatusCode::NOT_FOUND,
                text,
            }),
            Err(_) => Err(too_slow("the checks did not end", DOCTOR_MS_MAX)),
        }
    }
}

/// Tells work on another thread that nobody waits for it any more.
#[derive(Default)]
struct GiveUp(Arc<AtomicBool>);

impl GiveUp {
    fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

impl Drop for GiveUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn parse<'a, T: Deserialize<'a> + Default>(body: &'a [u8], shape: &str) -> Result<T, InquiryError> {
    if body.is_empty() || body == b"null" {
        return Ok(T::default());
    }
    serde_json::from_slice(body)
        .map_err(|error| bad_request(format!("the body is a JSON object, {shape}: {error}")))
}

fn bad_request(text: String) -> InquiryError {
    InquiryError {
        status: StatusCode::BAD_REQUEST,
        text,
    }
}

fn busy(what: &str) -> InquiryError {
    InquiryError {
        status: StatusCode::SERVICE_UNAVAILABLE,
        text: format!("the proxy is busy with other {what}; try again"),
    }
}

fn stopping() -> InquiryError {
    InquiryError {
        status: StatusCode::SERVICE_UNAVAILABLE,
        text: "the proxy is stopping".to_owned(),
    }
}

fn too_slow(what: &str, after_ms: u64) -> InquiryError {
    InquiryError {
        status: StatusCode::GATEWAY_TIMEOUT,
        text: format!("{what} within {} s", after_ms / 1000),
    }
}

impl InquiryError {
    /// `{"schema":"error/1","error":…}`
    fn into_response(self) -> Response<Value> {
        let mut response = Response::new(json!({ "schema": "error/1", "error": self.text }));
        *response.status_mut() = self.status;
        response
    }
}
