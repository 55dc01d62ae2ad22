//! Entries of the audit log: requests before and after they are sent, and events. Each entry becomes one line.

use std::{sync::Arc, time::Duration};

use crate::{
    caller::{AuthMethod, Identified},
    clock::Timestamp,
    credentials::Leased,
    names::{CallerName, IdentityKind, RequestId},
    net::{IncomingRequest, Method, Peer},
    ninjaone::{
        catalogue::PathParameters,
        operation::{Operation, RiskClass},
    },
    policy::{Authorized, Denied, Tenant},
};

use super::{decision::Decision, refused_tally::RefusedTally};

/// How much of the path of an unknown operation is kept.
pub const RAW_PATH_BYTES_MAX: usize = 256;

/// Where a response came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResponseSource {
    Ninjaone,
    Proxy,
}

impl ResponseSource {
    /// The word of the audit line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ninjaone => "ninjaone",
            Self::Proxy => "proxy",
        }
    }
}

/// What is known about a request. Fields that it did not come far enough for are `None`.
#[derive(Clone)]
pub struct RequestFacts {
    /// Its id.
    pub request_id: RequestId,
    /// The other end of its connection.
    pub peer: Peer,
    pub caller: Option<CallerName>,
    pub auth_method: Option<AuthMethod>,
    pub on_behalf_of: Option<Box<str>>,
    pub reason: Option<Box<str>>,
    pub tenant: Option<Arc<Tenant>>,
    /// The one that was used, or would have been: known once a token is asked for.
    pub identity: Option<IdentityKind>,
    pub method: Option<Method>,
    /// The received path, for a request that matched no operation: at most 256 bytes, escaped. A catalogued request shows
    /// its operation's template instead.
    pub raw_path: Option<Box<str>>,
    pub operation: Option<Arc<Operation>>,
    pub parameters: PathParameters,
    pub class: Option<RiskClass>,
    /// The rule that allowed it.
    pub rule: Option<Arc<str>>,
}

impl RequestFacts {
    /// What is known of a request as it came in.
    #[must_use]
    pub fn from_incoming(incoming: &IncomingRequest) -> Self {
        let path = incoming.target().canonical_path();
        let kept = path.floor_char_boundary(RAW_PATH_BYTES_MAX);
        Self {
            raw_path: path.get(..kept).map(Box::from),
            ..Self::without_path(incoming)
        }
    }

    /// Of a request whose caller is known.
    #[must_use]
    pub fn from_identified(identified: &Identified) -> Self {
        Self {
            caller: Some(identified.caller().name.clone()),
            auth_method: Some(identified.auth_method()),
            ..Self::from_incoming(identified.request())
        }
    }

    /// Of a request that policy refused.
    #[must_use]
    pub fn from_denied(denied: &Denied) -> Self {
        Self {
            tenant: denied.tenant.clone(),
            operation: denied.operation.clone(),
            parameters: denied.parameters.clone(),
            class: denied.class,
            ..Self::from_identified(&denied.identified)
        }
    }

    /// Of a request that policy allowed.
    #[must_use]
    pub fn from_authorized(authorized: &Authorized) -> Self {
        Self {
            caller: Some(authorized.caller().name.clone()),
            auth_method: Some(authorized.auth_method()),
            tenant: Some(Arc::clone(authorized.tenant())),
            operation: Some(Arc::clone(authorized.operation())),
            parameters: authorized.parameters().clone(),
            class: Some(authorized.class()),
            rule: Some(Arc::clone(authorized.rule())),
            ..Self::without_path(authorized.request())
        }
    }

    /// Of a request that holds a token.
    #[must_use]
    pub fn from_leased(leased: &Leased) -> Self {
        Self {
            identity: Some(leased.identity()),
            ..Self::from_authorized(leased.authorized())
        }
    }

    /// Without the path: a catalogued request shows its template.
    fn without_path(incoming: &IncomingRequest) -> Self {
        Self {
            on_behalf_of: incoming.on_behalf_of().map(Box::from),
            reason: incoming.reason().map(Box::from),
            method: Some(incoming.method()),
            ..Self::from_peer(incoming.id(), incoming.peer())
        }
    }

    /// A request of which nothing is known but where it came from: for what could not be parsed.
    #[must_use]
    pub fn from_peer(request_id: RequestId, peer: Peer) -> Self {
        Self {
            request_id,
            peer,
            caller: None,
            auth_method: None,
            on_behalf_of: None,
            reason: None,
            tenant: None,
            identity: None,
            method: None,
            raw_path: None,
            operation: None,
            parameters: PathParameters::default(),
            class: None,
            rule: None,
        }
    }
}

/// How a request ended.
#[derive(Clone)]
pub struct OutcomeDetails {
    /// What was decided: a request that was refused has put no byte on the wire to NinjaOne.
    pub decision: Decision,
    /// The code of an error of an allowed request, such as `upstream-timeout`, `abandoned`,
    /// `caller-slow` or `cut`; or what is wrong with the body of a refused one.
    pub error: Option<&'static str>,
    /// The limit that was hit, for a refusal by limits.
    pub bucket: Option<&'static str>,
    /// The status that the caller was sent; 499 if the caller had gone.
    pub status: u16,
    /// Who made the response.
    pub source: ResponseSource,
    /// The status of NinjaOne's response, whatever the caller was sent; none if there was no response to the last attempt.
    pub upstream_status: Option<u16>,
    /// How often the request was sent to NinjaOne.
    pub attempts: u32,
    /// `x-nj-request-id`, at most 128 visible ASCII characters.
    pub ninjaone_request_id: Option<Box<str>>,
    /// From the request's head to the response's last byte, in microseconds.
    pub duration_us: u64,
    /// Bytes of the caller's body that were passed on.
    pub bytes_in: u64,
    /// Bytes of the response's body.
    pub bytes_out: u64,
    /// What happened and what an operator can do about it, where the proxy made the response: for whoever watches, not part of
    /// the audit line.
    pub detail: Option<Box<str>>,
}

impl OutcomeDetails {
    /// Nobody waited for the response, or the program gave up on it.
    #[must_use]
    pub fn abandoned(after: Duration, attempts: u32) -> Self {
        Self {
            decision: Decision::Allowed,
            error: Some("abandoned"),
            bucket: None,
            status: 499,
            source: ResponseSource::Proxy,
            upstream_status: None,
            attempts,
            ninjaone_request_id: None,
            duration_us: u64::try_from(after.as_micros()).unwrap_or(u64::MAX),
            bytes_in: 0,
            bytes_out: 0,
            detail: None,
        }
    }
}

/// Things that are recorded beside requests.
#[derive(Clone)]
pub enum AuditEvent {
    Start {
        version: &'static str,
        config: Box<str>,
    },
    Stop {
        reason: Box<str>,
    },
    /// The configuration was loaded again, or refused.
    Config {
        generation: u64,
        config: Box<str>,
        result: &'static str,
        /// Who asked for it; none where a signal did, or a file that changed.
        by: Option<Box<str>>,
    },
    /// A token was minted, renewed, refused, not stored, or is no longer valid.
    Token {
        tenant: Box<str>,
        identity: IdentityKind,
        result: &'static str,
        generation: u64,
        error: Option<Box<str>>,
    },
    /// A user has logged in or out.
    Login {
        tenant: Box<str>,
        identity: IdentityKind,
        result: &'static str,
        /// Who asked the running proxy for it; none where a command wrote the store itself.
        by: Option<Box<str>>,
    },
    /// A caller came, went or changed with a new configuration.
    Caller {
        caller: Box<str>,
        change: &'static str,
    },
    /// Requests of strangers that were refused and have no line of their own.
    Refused(Box<RefusedTally>),
    /// The ledger could not write for a while.
    Gap {
        lost: u64,
        reason: Box<str>,
    },
    /// The first line of every file but the first of all.
    Rotate {
        /// The file before, as far as known.
        from: Box<str>,
        /// `day`, `size`, or what happened to the file before.
        reason: &'static str,
    },
}

impl AuditEvent {
    /// The line's `type`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Start { .. } => "start",
            Self::Stop { .. } => "stop",
            Self::Config { .. } => "config",
            Self::Token { .. } => "token",
            Self::Login { .. } => "login",
            Self::Caller { .. } => "caller",
            Self::Refused(_) => "refused",
            Self::Gap { .. } => "gap",
            Self::Rotate { .. } => "rotate",
        }
    }
}

/// One line to be.
pub enum AuditEntry {
    Intent {
        at: Timestamp,
        facts: RequestFacts,
    },
    Outcome {
        at: Timestamp,
        facts: RequestFacts,
        details: OutcomeDetails,
    },
    Event {
        at: Timestamp,
        event: AuditEvent,
    },
}

impl AuditEntry {
    /// Whether this is the only line of a read.
    #[must_use]
    pub fn is_read(&self) -> bool {
        matches!(self, Self::Outcome { facts, .. } if facts.class == Some(RiskClass::Read))
    }

    /// Whether it is of a request that has no intent in the log: where there is no room, its line waits.
    #[must_use]
    pub fn has_no_intent(&self) -> bool {
        let Self::Outcome { facts, details, .. } = self else {
            return false;
        };
        details.decision.is_refused() || matches!(facts.class, None | Some(RiskClass::Read))
    }

    /// Whether this is the last line of a run.
    #[must_use]
    pub fn is_stop(&self) -> bool {
        let Self::Event { event, .. } = self else {
            return false;
        };
        matches!(event, AuditEvent::Stop { .. })
    }

    /// The line of an event that happens now.
    #[must_use]
    pub fn event(event: AuditEvent) -> Self {
        Self::Event {
            at: Timestamp::now(),
            event,
        }
    }
}
