//! THE JOURNEY: read this first.
//!
//! `walk` is the whole program in one function: each station takes the value that the station before it made. Whatever
//! the end, `handle` puts it on record and makes the reply of the record.

pub mod answer;
pub mod code;
pub mod outcome;
pub mod refusal;
pub mod reply;
pub mod rules;
pub mod tally;
pub mod token_endpoint;

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::{sync::oneshot, time::Instant};

use crate::{
    audit::ledger::Ledger,
    caller::issued::IssuedTokens,
    clock::Timestamp,
    net::{
        Method, Peer,
        handler::{Answering, Handler},
        incoming::{Arrival, Incoming, Wire},
    },
    tasks::Tasks,
    upstream::{Forwarded, Upstream},
};

use self::{
    outcome::Outcome,
    reply::{Reply, ReplyBody},
    rules::Rules,
    tally::Tally,
};

/// Everything that a worker needs to answer requests. One a worker; what is shared between workers is behind `Arc`.
pub struct Proxy {
    pub rules: Arc<ArcSwap<Rules>>,
    pub ledger: Ledger,
    pub issued: Arc<IssuedTokens>,
    pub upstream: Arc<Upstream>,
    pub tally: Arc<Tally>,
    pub ids: rules::RequestIds,
    pub tasks: Tasks,
}

impl Proxy {
    async fn walk(&self, rules: &Rules, arrival: Arrival) -> Result<Box<Forwarded>, Outcome> {
        let incoming = Incoming::parse(arrival, &rules.doors)?;
        let incoming = token_endpoint::serve(incoming, rules, &self.issued).await?;
        let identified = rules.callers.identify(incoming, &self.issued)?;
        let authorized = rules.policy.authorize(identified)?;
        let admitted = rules.limits.admit(authorized)?;
        let leased = rules.credentials.lease(admitted).await?;
        let intended = self.ledger.intend(leased).await?;
        let (upstream, vaults) = (&self.upstream, &rules.credentials);
        let forwarded = upstream.forward(&rules.origins, vaults, intended).await?;
        Ok(forwarded)
    }

    /// One request, from its bytes to its reply. All of it is judged by the rules that are in force when it begins.
    pub async fn handle(&self, arrival: Arrival) -> Reply {
        let rules = self.rules.load_full();
        let _counted = self.tally.enter();
        let outcome = match self.walk(&rules, arrival).await {
            Ok(forwarded) => Outcome::Forwarded(forwarded),
            Err(outcome) => outcome,
        };
        Reply::from(answer::of(outcome, &self.ledger, &self.tally))
    }
}

/// What a connection holds to have its requests answered.
#[derive(Clone)]
pub struct Door {
    pub proxy: Arc<Proxy>,
    pub peer: Peer,
}

impl Handler for Door {
    type Body = ReplyBody;

    fn handle(&self, wire: Wire) -> Answering<ReplyBody> {
        let at = Timestamp::now();
        let method = wire.as_ref().ok().and_then(|(request, _)| request.method);
        let arrival = Arrival {
            id: self.proxy.ids.next(at),
            at,
            started: Instant::now(),
            peer: self.peer,
            wire,
        };
        let proxy = Arc::clone(&self.proxy);
        match method {
            Some(Method::Get | Method::Head) | None => {
                Box::pin(async move { proxy.handle(arrival).await.into_response() })
            }
            Some(_) => {
                Box::pin(async move { handle_to_the_end(proxy, arrival).await.into_response() })
            }
        }
    }
}

/// A request that changes something goes on when its caller hangs up: it is finished and recorded all the same.
async fn handle_to_the_end(proxy: Arc<Proxy>, arrival: Arrival) -> Reply {
    let (id, peer) = (arrival.id, arrival.peer);
    let (answered, reply) = oneshot::channel();
    let journey = Arc::clone(&proxy);
    proxy.tasks.spawn(async move {
        // A reply that nobody waits for any more records that by being dropped.
        let _ = answered.send(journey.handle(arrival).await);
    });
    match reply.await {
        Ok(reply) => reply,
        Err(_) => Reply::from(answer::lost(id, peer, &proxy.ledger, &proxy.tally)),
    }
}
