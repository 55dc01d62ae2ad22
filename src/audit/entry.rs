//! Entries of the audit log: requests before and after they are sent, and events. Each entry becomes one line.

use std::{sync::Arc, time::Duration};

use crate::{
    caller::{AuthMethod, Identified},
    clock::Timestamp,
    credentials::Leased,
    names::{CallerName, IdentityKind, RequestId},
    net::{IncomingRequest, Method, Peer},
    ninjaone::{
        catalogue::CallbackParameters,
        operation::{Class, Operation},
    },
    policy::{Authorized, Denied, Tenant},
};

use super::decision::Decision;

/// How much of the path of an unknown operation is kept.
pub const RAW_PATH_BYTES_MAX: usize = 256;

/// Where a response came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    Ninjaone,
    Proxy,
}

impl Source {
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
pub struct Subject {
    /// Its id.
    pub request: RequestId,
    /// The other end of its connection.
    pub peer: Peer,
    pub caller: Option<CallerName>,
    pub proof: Option<AuthMethod>,
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
    pub parameters: CallbackParameters,
    pub class: Option<Class>,
    /// The rule that allowed it.
    pub rule: Option<Arc<str>>,
}

impl Subject {
    /// What is known of a request as it came in.
    #[must_use]
    pub fn of_incoming(incoming: &IncomingRequest) -> Self {
        let path = incoming.target().canonical_path();
        let kept = path.floor_char_boundary(RAW_PATH_BYTES_MAX);
        Self {
            raw_path: path.get(..kept).map(Box::from),
            ..Self::of_arrival(incoming)
        }
    }

    /// Of a request whose caller is known.
    #[must_use]
    pub fn of_identified(identified: &Identified) -> Self {
        Self {
            caller: Some(identified.caller().name.clone()),
            proof: Some(identified.auth_method()),
            ..Self::of_incoming(identified.request())
        }
    }

    /// Of a request that policy refused.
    #[must_use]
    pub fn of_denied(denied: &Denied) -> Self {
        Self {
            tenant: denied.tenant.clone(),
            operation: denied.operation.clone(),
            parameters: denied.parameters.clone(),
            class: denied.class,
            ..Self::of_identified(&denied.identified)
        }
    }

    /// Of a request that policy allowed.
    #[must_use]
    pub fn of_authorized(authorized: &Authorized) -> Self {
        Self {
            caller: Some(authorized.caller().name.clone()),
            proof: Some(authorized.auth_method()),
            tenant: Some(Arc::clone(authorized.tenant())),
            operation: Some(Arc::clone(authorized.operation())),
            parameters: authorized.parameters().clone(),
            class: Some(authorized.class()),
            rule: Some(Arc::clone(authorized.rule())),
            ..Self::of_arrival(authorized.request())
        }
    }

    /// Of a request that holds a token.
    #[must_use]
    pub fn of_leased(leased: &Leased) -> Self {
        Self {
            identity: Some(leased.identity()),
            ..Self::of_authorized(leased.authorized())
        }
    }

    /// Without the path: a catalogued request shows its template.
    fn of_arrival(incoming: &IncomingRequest) -> Self {
        Self {
            on_behalf_of: incoming.on_behalf_of().map(Box::from),
            reason: incoming.reason().map(Box::from),
            method: Some(incoming.method()),
            ..Self::of_stranger(incoming.id(), incoming.peer())
        }
    }

    /// A request of which nothing is known but where it came from: for what could not be parsed.
    #[must_use]
    pub fn of_stranger(request: RequestId, peer: Peer) -> Self {
        Self {
            request,
            peer,
            caller: None,
            proof: None,
            on_behalf_of: None,
            reason: None,
            tenant: None,
            identity: None,
            method: None,
            raw_path: None,
            operation: None,
            parameters: CallbackParameters::default(),
            class: None,
            rule: None,
        }
    }
}

/// How a request ended.
#[derive(Clone)]
pub struct Ending {
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
    pub source: Source,
    /// How often the request was sent to NinjaOne.
    pub attempts: u32,
    /// `x-nj-request-id`, at most 128 visible ASCII characters.
    pub ninjaone_request: Option<Box<str>>,
    /// From the request's head to the response's last byte, in microseconds.
    pub duration_us: u64,
    /// Bytes of the caller's body that were passed on.
    pub bytes_in: u64,
    /// Bytes of the response's body.
    pub bytes_out: u64,
}

impl Ending {
    /// Nobody waited for the response, or the program gave up on it.
    #[must_use]
    pub fn abandoned(after: Duration, attempts: u32) -> Self {
        Self {
            decision: Decision::Allowed,
            error: Some("abandoned"),
            bucket: None,
            status: 499,
            source: Source::Proxy,
            attempts,
            ninjaone_request: None,
            duration_us: u64::try_from(after.as_micros()).unwrap_or(u64::MAX),
            bytes_in: 0,
            bytes_out: 0,
        }
    }
}

/// Things that are recorded beside requests.
#[derive(Clone)]
pub enum Event {
    Start {
        version: &'static str,
        config: Box<str>,
    },
    Stop {
        why: Box<str>,
    },
    /// The configuration was loaded again, or refused.
    Config {
        generation: u64,
        config: Box<str>,
        result: &'static str,
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
    },
    /// A caller came, went or changed with a new configuration.
    Caller {
        caller: Box<str>,
        change: &'static str,
    },
    /// The ledger could not write for a while.
    Gap {
        lost: u64,
        why: Box<str>,
    },
    /// The first line of every file but the first of all.
    Rotate {
        /// The file before, as far as known.
        from: Box<str>,
        /// `day`, `size`, or what happened to the file before.
        why: &'static str,
    },
}

impl Event {
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
            Self::Gap { .. } => "gap",
            Self::Rotate { .. } => "rotate",
        }
    }
}

/// One line to be.
pub enum Entry {
    Intent {
        at: Timestamp,
        subject: Subject,
    },
    Outcome {
        at: Timestamp,
        subject: Subject,
        ending: Ending,
    },
    Event {
        at: Timestamp,
        event: Event,
    },
}

impl Entry {
    /// Whether this is the only line of a read.
    #[must_use]
    pub fn is_of_read(&self) -> bool {
        matches!(self, Self::Outcome { subject, .. } if subject.class == Some(Class::Read))
    }

    /// The line of an event that happens now.
    #[must_use]
    pub fn event(event: Event) -> Self {
        Self::Event {
            at: Timestamp::now(),
            event,
        }
    }
}
