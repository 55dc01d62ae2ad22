//! What happened to a recorded request, in a sentence, and what to do about it.

use super::{
    own_endpoint::{OwnEndpoint, token_refusal},
    recorded_request::RecordedRequest,
    rules::{ExplainRules, LoginState},
};
use crate::{names::IdentityKind, typed_command::typed};

/// Said of one request.
pub(super) struct Verdict {
    pub(super) sentence: String,
    pub(super) remedy: Option<String>,
}

impl Verdict {
    fn new(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            remedy: None,
        }
    }

    fn and(sentence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            remedy: Some(typed(remedy.into()).into_owned()),
        }
    }

    /// By the decision of its audit line.
    #[must_use]
    pub(super) fn of(record: &RecordedRequest, rules: ExplainRules<'_>) -> Self {
        match record.result() {
            None => Self::and(
                "Only its intent is on record: it may still be under way, or the proxy ended before it did. NinjaOne may have received it.",
                "Ask again; if nothing more comes, look in NinjaOne for what it was to do.",
            ),
            Some("allowed") => answered(record),
            Some(code) => refused_by_token_endpoint(record)
                .or_else(|| refused_by_us(code, record, rules))
                .or_else(|| refused_on_the_way(code, record, rules))
                .unwrap_or_else(|| Self::new(format!("It was refused: {code}."))),
        }
    }
}

fn answered(record: &RecordedRequest) -> Verdict {
    let status = record
        .status
        .map_or_else(String::new, |it| format!(" with status {it}"));
    if let Some(endpoint) = OwnEndpoint::of(record) {
        let deed = endpoint.deed();
        return Verdict::new(format!(
            "The proxy itself answered{status}: {deed}. Nothing was sent to NinjaOne, and no policy was asked."
        ));
    }
    let by = match record.source.as_deref() {
        Some("proxy") => "The proxy itself answered it",
        Some("cache" | "shared") => "It was answered from a response of NinjaOne's",
        _ => "It went to NinjaOne and was answered",
    };
    Verdict::new(format!("{by}{status}."))
}

/// None if it was not a request for a token of ours, or something else was wrong with it.
fn refused_by_token_endpoint(record: &RecordedRequest) -> Option<Verdict> {
    let endpoint = OwnEndpoint::of(record)?;
    let why = token_refusal(record.error.as_deref()?)?;
    let (refused, reason) = (endpoint.refused_deed(), why.reason);
    // What could not be stored was done.
    let sentence = match record.error.as_deref() {
        Some("revocation-not-stored") => format!("It failed: {reason}."),
        _ => format!("{refused}: {reason}."),
    };
    Some(Verdict::and(sentence, why.remedy))
}

/// Nothing was sent to NinjaOne, except perhaps a part of a body.
fn refused_by_us(code: &str, record: &RecordedRequest, rules: ExplainRules<'_>) -> Option<Verdict> {
    let caller = record.caller.as_deref().unwrap_or("the caller");
    let tenant = record.tenant.as_deref().unwrap_or("NAME");
    Some(match code {
        "policy-denied" | "organization-denied" => Verdict::new(format!(
            "It was refused: the policy of {caller} did not let it pass."
        )),
        "unknown-operation" => {
            Verdict::new("It was refused: no operation of the catalogue has this method and path.")
        }
        "tenant-unknown" => Verdict::new(format!(
            "It was refused: it was not clear which tenant {caller} meant, or {caller} may not use it."
        )),
        "reason-required" => Verdict::and(
            "It was refused: the policy asks for a header that it did not carry.",
            "Send NJP-Reason, or NJP-On-Behalf-Of, as the policy below says.",
        ),
        "caller-limit" => caller_limit(caller, record.bucket.as_deref(), rules),
        "login-needed" => login_needed(tenant, record.identity.as_deref(), rules),
        "token-unavailable" => Verdict::and(
            format!(
                "It was refused: there was no valid token for tenant {tenant}. Nothing was sent."
            ),
            "See why: ninjaone-proxy status",
        ),
        "unauthenticated" => unauthenticated(record, rules),
        "host-refused" => Verdict::and(
            "It was refused: it named a host that this proxy does not serve.",
            "Call the proxy by a name of listen.hosts, or add the name there.",
        ),
        "browser-refused" => Verdict::new("It was refused: a web page in a browser sent it."),
        "bad-request" => bad_request(record),
        "method-refused" => Verdict::new(
            "It was refused: its method is not served, or a header asked for another one.",
        ),
        "too-large" => too_large(record),
        "encoding-refused" => Verdict::new(
            "It was refused: its body was compressed, and a policy must be able to read it.",
        ),
        "replayed" => Verdict::and(
            "It was refused as a replay: the same write had come shortly before, and was done, or its outcome is not known.",
            "Look at what the first one did. A new Idempotency-Key repeats it on purpose.",
        ),
        "idempotency-mismatch" => {
            Verdict::new("It was refused: its Idempotency-Key had come before with another body.")
        }
        "audit-unavailable" => Verdict::and(
            "It was refused: the audit log could not be written, and nothing goes to NinjaOne unrecorded. Nothing was sent.",
            "See why: ninjaone-proxy status",
        ),
        "draining" => Verdict::new("It was refused: the proxy was about to stop."),
        "internal-error" => Verdict::and(
            "It was refused by a fault of the proxy.",
            "See the log of the proxy, and report it.",
        ),
        _ => return None,
    })
}

/// NinjaOne was asked, or could not be.
fn refused_on_the_way(
    code: &str,
    record: &RecordedRequest,
    rules: ExplainRules<'_>,
) -> Option<Verdict> {
    Some(match code {
        "upstream-throttled" => throttled(record, rules),
        "upstream-unreachable" => Verdict::and(
            "It failed: no connection to NinjaOne could be made. Nothing was sent.",
            "See why: ninjaone-proxy doctor",
        ),
        "upstream-timeout" => Verdict::new(
            "It failed: NinjaOne sent no answer in time. It may have received the request.",
        ),
        "upstream-bad-answer" => Verdict::new(
            "It failed: NinjaOne's answer could not be used. It may have done what was asked.",
        ),
        "upstream-refused" => Verdict::new("NinjaOne refused it, with a page instead of JSON."),
        "insufficient-privileges" => Verdict::new(
            "NinjaOne refused it: the identity that the proxy used lacks the scope or the role.",
        ),
        "send-again" => Verdict::new(
            "NinjaOne wanted a user for it and did nothing, and its body was too long to be sent once more.",
        ),
        "caller-gone" => with_what_was_sent("The caller hung up before it was sent whole.", record),
        "abandoned" => with_what_was_sent(
            "It was given up before its end: its caller had gone, or the proxy was about to stop.",
            record,
        ),
        _ => return None,
    })
}

/// Names the limit, its value now, and the setting that raises it.
fn caller_limit(caller: &str, bucket: Option<&str>, rules: ExplainRules<'_>) -> Verdict {
    let limit = rules.caller_limit(caller);
    let (which, now, setting) = match bucket {
        Some("caller-concurrency") => (
            "had too many requests under way",
            limit.map(|it| format!("{} at a time", it.concurrency)),
            "limit.concurrency",
        ),
        _ => (
            "sent requests faster than its limit",
            limit.map(|it| format!("{}, {} at once", it.rate, it.burst)),
            "limit.rate and limit.burst",
        ),
    };
    let bucket = bucket.unwrap_or("caller-rate");
    let now = now.map_or_else(String::new, |it| format!("; the limit is {it}"));
    Verdict::and(
        format!("It was limited: {caller} {which} ({bucket}{now}). Nothing was sent."),
        format!(
            "Send less and wait as long as Retry-After says, or raise {setting} of [caller.{caller}]; a caller without a limit of its own has that of its policies, or of [limits.caller]."
        ),
    )
}

fn throttled(record: &RecordedRequest, rules: ExplainRules<'_>) -> Verdict {
    let tenant = record.tenant.as_deref().unwrap_or_default();
    let budget = rules.tenant_budget(tenant);
    let (why, now, remedy) = match record.bucket.as_deref() {
        Some("tenant-paused") => (
            "NinjaOne had asked for fewer requests",
            None,
            "Wait as long as Retry-After says. If it comes often, lower limits.upstream.rate, and see who else uses NinjaOne's API.",
        ),
        Some("tenant-queue") => (
            "too many requests waited for the tenant's budget",
            budget.map(|it| format!("{}, {} at a time", it.rate, it.concurrency)),
            "Send less, or raise limits.upstream.rate and limits.upstream.concurrency as far as NinjaOne allows.",
        ),
        Some("tenant-concurrency") => (
            "too many requests were under way at NinjaOne, and none ended in time",
            budget.map(|it| {
                format!(
                    "{} at a time, waiting up to {:?}",
                    it.concurrency, it.queue_timeout
                )
            }),
            "Send less, or raise limits.upstream.concurrency or limits.upstream.queue.",
        ),
        Some("tenant-rate") => (
            "the tenant's budget for NinjaOne had no room in time",
            budget.map(|it| format!("{}, waiting up to {:?}", it.rate, it.queue_timeout)),
            "Send less, or raise limits.upstream.rate or limits.upstream.queue.",
        ),
        _ => (
            "NinjaOne answered that there were too many requests",
            None,
            "Wait as long as Retry-After says. See the budget: ninjaone-proxy status",
        ),
    };
    let bucket = record.bucket.as_deref();
    let bucket = match (bucket, now) {
        (Some(bucket), Some(now)) => format!(" ({bucket}; the limit is {now})"),
        (Some(bucket), None) => format!(" ({bucket})"),
        (None, _) => String::new(),
    };
    Verdict::and(format!("It was limited: {why}{bucket}."), remedy)
}

fn login_needed(tenant: &str, identity: Option<&str>, rules: ExplainRules<'_>) -> Verdict {
    let identity = identity.unwrap_or("user");
    let kind = if identity == IdentityKind::Service.as_str() {
        IdentityKind::Service
    } else {
        IdentityKind::User
    };
    let goes = format!(
        "It was refused: there was no login. It goes to NinjaOne as the {identity} identity of tenant {tenant}"
    );
    let login = format!("Run: ninjaone-proxy login {tenant}");
    let is_configured = rules
        .policy
        .tenants()
        .iter()
        .any(|it| it.name.as_str() == tenant && it.identities.has(kind));
    if !is_configured {
        let section = format!("[tenant.{tenant}.{identity}]");
        return Verdict::and(
            format!("{goes}, and the configuration has no {section}."),
            format!("Add {section} to the configuration."),
        );
    }
    match rules.login_state(tenant, kind) {
        LoginState::Needed(why) => Verdict::and(format!("{goes}, and {why}."), login),
        LoginState::Works => Verdict::and(
            format!(
                "{goes}, and nobody was logged in for it, or the login had ended. Now there is a login."
            ),
            "Send the request again.",
        ),
        LoginState::Unknown => Verdict::and(
            format!("{goes}, and nobody was logged in for it, or the login had ended."),
            login,
        ),
    }
}

fn unauthenticated(record: &RecordedRequest, rules: ExplainRules<'_>) -> Verdict {
    let error = record.error.as_deref();
    if error == Some("expired-key") {
        return expired_key(record, rules);
    }
    let why = match error {
        Some("no-proof") => "it carried no key and no token",
        Some("unknown-key") => "its key, or its token, is unknown here",
        Some("key-of-another") => "the name that it gave has another key",
        Some("legacy-signature") => "it carried a signature of NinjaOne's legacy API",
        Some("proof-not-understood") => "its key could not be read",
        Some("expired-token") => "its token has expired",
        Some("revoked-token") => "its token was revoked",
        Some("token-of-gone-key") => {
            "its token was issued for a key, or to a caller, that is no longer there"
        }
        _ => "its caller did not prove who it is",
    };
    let remedy = match error {
        Some("expired-token" | "revoked-token") => "Get a new token: POST /ws/oauth/token.",
        Some("token-of-gone-key") => {
            "Get a new token with a key that is valid: POST /ws/oauth/token."
        }
        _ => {
            "Send a key made with ninjaone-proxy caller add as 'Authorization: Bearer', 'Authorization: Basic' or 'X-Api-Key'."
        }
    };
    Verdict::and(
        format!("It was refused: {why}. So no policy was asked."),
        remedy,
    )
}

/// The line does not always say whose key it was.
fn expired_key(record: &RecordedRequest, rules: ExplainRules<'_>) -> Verdict {
    let expired = rules.expired_callers();
    let command = "ninjaone-proxy caller set";
    let (whose, remedy) = match (record.caller.as_deref(), expired.as_slice()) {
        (Some(caller), _) | (None, &[caller]) => (
            format!("its key, of {caller}, has expired"),
            format!("Give the keys of {caller} a later date: {command} {caller} --expires DATE"),
        ),
        (None, []) => (
            "its key had expired".to_owned(),
            format!(
                "See whose keys have expired: ninjaone-proxy caller list. Give them a later date: {command} NAME --expires DATE"
            ),
        ),
        (None, several) => (
            "its key has expired".to_owned(),
            format!(
                "The keys of these have expired: {}. Give them a later date: {command} NAME --expires DATE",
                several.join(", ")
            ),
        ),
    };
    Verdict::and(
        format!("It was refused: {whose}. So no policy was asked."),
        remedy,
    )
}

/// Names the setting that says how much is taken.
fn too_large(record: &RecordedRequest) -> Verdict {
    let (what, remedy) = match record.status {
        Some(413) => (
            "its body was longer than is taken",
            "Send less, or raise listen.max_body; for an operation that takes a file, listen.max_upload.",
        ),
        Some(414) => (
            "its target was longer than is taken",
            "Send a shorter target: its bound is fixed.",
        ),
        Some(431) => (
            "its headers were longer than is taken",
            "Send fewer or shorter headers, or raise listen.max_header.",
        ),
        _ => (
            "its target, its headers or its body were longer than is taken",
            "Send less, or raise listen.max_body, listen.max_upload or listen.max_header.",
        ),
    };
    let said = with_what_was_sent(&format!("It was refused: {what}."), record);
    Verdict {
        remedy: Some(match said.remedy {
            Some(first) => format!("{first} {remedy}"),
            None => remedy.to_owned(),
        }),
        ..said
    }
}

fn bad_request(record: &RecordedRequest) -> Verdict {
    let why = match record.error.as_deref() {
        Some("not-http") => "the bytes are not an HTTP request",
        Some("host") => "it named no host, or named it in two ways",
        Some("absolute-form") => "its target named a host, as a request to an HTTP proxy does",
        Some("target") => "its target could be read in two ways",
        Some("header") => "a header could be read in two ways",
        Some("body") => "it carried a body that its method does not have",
        Some("body-stalled") => "its caller stopped sending its body",
        Some("body-slow") => "its body came too slowly",
        Some("body-overdue") => "its body took too long to come whole",
        Some("body-broken") => "its caller's connection broke before its body was there",
        Some("body-too-large") => "its body was longer than is taken",
        Some("body-malformed") => BODY_MALFORMED,
        // The line has no word of its own for it. Who got as far as a policy had sent a head that is understood.
        _ if record.caller.is_some() => BODY_MALFORMED,
        // Bytes that were no request have no method and no path on record.
        _ if record.method.is_none() => "it is not HTTP as it is understood here",
        _ => "it could be read in two ways",
    };
    with_what_was_sent(&format!("It was refused: {why}."), record)
}

const BODY_MALFORMED: &str = "its body was not framed as its head announced it";

/// A long body is sent on while it comes, so NinjaOne may have a part of one that did not come whole.
fn with_what_was_sent(sentence: &str, record: &RecordedRequest) -> Verdict {
    if record.attempts == 0 {
        return Verdict::new(format!("{sentence} Nothing was sent."));
    }
    Verdict::and(
        format!("{sentence} A part of it may have reached NinjaOne."),
        "Look in NinjaOne whether anything was done before you send it again.",
    )
}
