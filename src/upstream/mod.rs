//! SEND IT. `Intended` ──► `Forwarded`: the only door out to NinjaOne's API.
//!
//! A write is sent once, but for one case in which nothing was done: see `switch.rs`. A read may be sent again, as the table in `retry.rs` says, and never beyond the retry budget.

pub mod answer_body;
pub mod attempt;
pub mod origin;
pub mod retry;
mod switch;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::StatusCode;
use tokio::time::Instant;

use crate::{
    audit::Intended,
    credentials::{Lack, Vaults},
    limits::Dimension,
    net::{
        body::{BodyFault, Passage},
        client::{ConnectorError, ExchangeError},
        kept_body::Kept,
        pool::Pool,
        response::Fields,
    },
    tasks::Tasks,
};

use self::{
    answer_body::AnswerBody,
    attempt::{Attempt, Verdict},
    origin::{Origin, Origins},
    retry::{Retry, Step},
    switch::Switched,
};

/// A request that NinjaOne has answered. Only this module makes one.
pub struct Forwarded {
    intended: Intended,
    status: StatusCode,
    /// Reduced to what a caller may see.
    fields: Fields,
    body: AnswerBody,
    journal: Journal,
}

impl Forwarded {
    #[must_use]
    pub fn intended(&self) -> &Intended {
        &self.intended
    }

    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    #[must_use]
    pub fn into_parts(self) -> (Intended, StatusCode, Fields, AnswerBody, Journal) {
        (
            self.intended,
            self.status,
            self.fields,
            self.body,
            self.journal,
        )
    }
}

/// What happened to a request on its way to NinjaOne.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    /// How often it was sent.
    pub attempts: u32,
    /// `x-nj-request-id` of the last answer.
    pub ninjaone_request: Option<Box<str>>,
    /// Time spent waiting for NinjaOne and for the tenant's budget, up to the answer's head.
    pub waited: Duration,
    /// When that was over; none if nothing was waited for.
    pub ended: Option<Instant>,
    /// What became of the caller's body, if it sent one.
    pub passage: Option<Arc<Passage>>,
}

/// A request that was put on record and got no answer that could be passed on.
pub struct Failed {
    pub intended: Intended,
    pub why: Why,
    pub journal: Journal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The tenant's budget had no room in time. Nothing was sent.
    OverBudget {
        by: Dimension,
        retry_after: Duration,
    },
    /// NinjaOne said 429, or showed its HTML page.
    Throttled {
        retry_after: Duration,
    },
    /// No connection. Nothing was sent.
    Unreachable(ExchangeError),
    /// The connection broke, or what came back is not HTTP.
    BadAnswer(ExchangeError),
    /// NinjaOne refused a token that it gave us.
    TokenRejected,
    /// NinjaOne says that the identity lacks a privilege. Nothing was done.
    InsufficientPrivileges,
    /// NinjaOne wants a person, and there is no token of one. Nothing was done.
    NoToken(Lack),
    /// NinjaOne wants a person, and the body is too long to have been kept. Nothing was done, and the next try goes right.
    BodyNotKept,
    TimedOut,
    Body(BodyFault),
}

/// The door out, one a worker: its connections are not shared between cores.
pub struct Upstream {
    pools: Mutex<HashMap<u64, Arc<Pool>, foldhash::fast::RandomState>>,
    tasks: Tasks,
}

/// Longest that a read waits for another token after its own was rejected.
const NEW_TOKEN_WAIT_MAX: Duration = Duration::from_secs(6);
/// How often idle connections are looked through.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);

impl Upstream {
    #[must_use]
    pub fn new(tasks: Tasks) -> Arc<Self> {
        Arc::new(Self {
            pools: Mutex::default(),
            tasks,
        })
    }

    /// Closes connections that have been idle for too long, for as long as the worker runs.
    pub async fn sweep(self: Arc<Self>) {
        loop {
            tokio::time::sleep(SWEEP_INTERVAL).await;
            let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
            for pool in pools.values() {
                pool.sweep();
            }
            // A pool of an origin that no rules know any more goes when its last request has ended.
            pools.retain(|_, pool| Arc::strong_count(pool) > 1 || !pool.is_empty());
        }
    }

    fn pool(&self, origin: &Origin) -> Result<Arc<Pool>, ConnectorError> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.get(&origin.id()) {
            return Ok(Arc::clone(pool));
        }
        let pool = origin.open_pool(self.tasks.clone())?;
        pools.insert(origin.id(), Arc::clone(&pool));
        Ok(pool)
    }

    /// # Errors
    /// When NinjaOne gave no answer that may be passed on.
    pub async fn forward(
        &self,
        origins: &Origins,
        vaults: &Vaults,
        intended: Intended,
    ) -> Result<Box<Forwarded>, Box<Failed>> {
        let tenant = intended.leased().admitted().authorized().tenant().index;
        let journal = Journal::default();
        let Some(origin) = origins.get(tenant) else {
            let why = Why::Unreachable(ExchangeError::Resolve);
            return Err(Box::new(Failed {
                intended,
                why,
                journal,
            }));
        };
        match self.pool(origin) {
            Ok(pool) => {
                let started = Instant::now();
                let mut sending = Sending::new(origin, &pool, vaults, intended);
                let ended = sending.run(started).await;
                sending.finish(ended, started)
            }
            Err(_) => Err(Box::new(Failed {
                intended,
                why: Why::Unreachable(ExchangeError::Tls),
                journal,
            })),
        }
    }
}

/// One request while it is being sent, and sent again.
struct Sending<'a> {
    origin: &'a Origin,
    pool: &'a Arc<Pool>,
    vaults: &'a Vaults,
    intended: Intended,
    journal: Journal,
    retry: Retry<'a>,
    /// The body, if it may be needed twice.
    kept: Option<Arc<Kept>>,
}

impl<'a> Sending<'a> {
    fn new(
        origin: &'a Origin,
        pool: &'a Arc<Pool>,
        vaults: &'a Vaults,
        mut intended: Intended,
    ) -> Self {
        let method = incoming(&intended).method;
        let kept = switch::keep(&mut intended, vaults);
        Self {
            origin,
            pool,
            vaults,
            kept,
            intended,
            journal: Journal::default(),
            retry: Retry::new(origin.retry(), method),
        }
    }

    async fn run(&mut self, started: Instant) -> Result<attempt::Answer, Why> {
        let mut attempt = Attempt::first(&self.intended);
        // Read once an attempt: the clock costs more than it looks.
        let mut now = started;
        loop {
            let verdict = match self.permit(now).await {
                Ok(permit) => {
                    if permit.is_waited_for() {
                        now = Instant::now();
                    }
                    attempt
                        .send(
                            self.origin,
                            self.pool,
                            &mut self.intended,
                            permit,
                            &mut self.journal,
                            now,
                        )
                        .await
                }
                Err(why) => return Err(why),
            };
            let verdict = if self.is_perhaps_asked_for_person(&verdict) {
                // Boxed, so that what waiting needs does not lie in every request's future.
                match Box::pin(self.switch(verdict)).await {
                    Switched::Not(verdict) => verdict,
                    Switched::Failed(why) => return Err(why),
                    Switched::Yes => {
                        attempt = Attempt::first(&self.intended);
                        now = Instant::now();
                        continue;
                    }
                }
            } else {
                verdict
            };
            let paused = self.learn(&verdict);
            match self.retry.after(verdict, paused) {
                Step::Done(answer) => return Ok(answer),
                Step::GiveUp(why) => return Err(why),
                Step::Again { wait, fresh } => {
                    if let Some(wait) = wait {
                        Box::pin(tokio::time::sleep(wait)).await;
                    }
                    attempt = attempt.again(fresh);
                }
                Step::WithNewToken => {
                    let rejected = attempt.token().generation();
                    let vault = self.intended.leased().vault();
                    match Box::pin(vault.newer_than(rejected, NEW_TOKEN_WAIT_MAX)).await {
                        Ok(token) => attempt = attempt.with_token(token),
                        Err(_) => return Err(Why::TokenRejected),
                    }
                }
                Step::RejectToken => {
                    let rejected = attempt.token().generation();
                    self.intended.leased().vault().reject(rejected);
                    return Err(Why::TokenRejected);
                }
            }
            now = Instant::now();
        }
    }

    async fn permit(&self, now: Instant) -> Result<crate::limits::budget::Permit, Why> {
        let admitted = self.intended.leased().admitted();
        let caller = admitted.authorized().identified().caller().index;
        admitted
            .budget()
            .take(caller, now)
            .await
            .map_err(|(by, retry_after)| Why::OverBudget { by, retry_after })
    }

    /// Tells the tenant's budget what NinjaOne thinks of our pace.
    /// Returns how long nothing will be sent.
    fn learn(&self, verdict: &Verdict) -> Option<Duration> {
        match verdict {
            Verdict::Throttled(kind, told) => {
                let pause = self.origin.throttled(*kind, *told)?;
                self.intended.leased().admitted().budget().pause(pause);
                return Some(pause);
            }
            Verdict::Answer(_) => self.origin.not_throttled(),
            _ => {}
        }
        None
    }

    fn finish(
        mut self,
        ended: Result<attempt::Answer, Why>,
        started: Instant,
    ) -> Result<Box<Forwarded>, Box<Failed>> {
        let now = Instant::now();
        self.journal.waited = now - started;
        self.journal.ended = Some(now);
        match ended {
            Ok(answer) => Ok(Box::new(Forwarded {
                intended: self.intended,
                status: answer.status,
                fields: answer.fields,
                body: answer.body,
                journal: self.journal,
            })),
            Err(why) => Err(Box::new(Failed {
                intended: self.intended,
                why,
                journal: self.journal,
            })),
        }
    }
}

fn incoming(intended: &Intended) -> &crate::net::Incoming {
    intended
        .leased()
        .admitted()
        .authorized()
        .identified()
        .incoming()
}
