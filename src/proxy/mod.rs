//! THE JOURNEY: read this first.
//!
//! `Proxy::walk` is the whole program in one function: each station takes the proof that the station before it made; the body
//! travels beside it. However a request ends, `Proxy::handle` records the outcome and makes the response from the record.

mod client_form;
pub(crate) mod error_code;
mod hint;
mod malformed_refusal;
pub(crate) mod outcome;
mod problem_details;
pub(crate) mod problem_guide;
mod problem_response;
pub(crate) mod recorded_response;
pub(crate) mod refusal;
pub(crate) mod request_buffering;
pub(crate) mod respond;
pub(crate) mod rules;
mod server_metadata;
pub(crate) mod token_authority;
pub(crate) mod token_endpoint;
mod token_outcome_response;
pub(crate) mod token_response;
pub(crate) mod worker_metrics;

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::{sync::oneshot, time::Instant};

use crate::{
    audit::ledger::Ledger,
    clock::Timestamp,
    net::{
        Method, Peer,
        request::{
            incoming_request::{IncomingRequest, ReceivedRequest},
            parsed_request::ParsedRequest,
        },
        server::{
            connection_control::ConnectionControl,
            handler::{Handler, ResponseFuture},
        },
    },
    tasks::Tasks,
    upstream::{Forwarded, Upstream},
};

use self::{
    outcome::Outcome,
    recorded_response::{ProxyResponseBody, RecordedResponse},
    rules::Rules,
    token_authority::TokenAuthority,
    worker_metrics::WorkerMetrics,
};

/// Everything that a worker needs to serve requests. One for each worker; what is shared between workers is behind `Arc`.
pub(crate) struct Proxy {
    /// The rules in force; a reload swaps them.
    pub rules: Arc<ArcSwap<Rules>>,
    /// Where every end is put on record.
    pub ledger: Ledger,
    /// Tokens of our own token endpoint.
    pub token_authority: Arc<TokenAuthority>,
    /// The way out to NinjaOne.
    pub upstream: Arc<Upstream>,
    /// This worker's counts.
    pub metrics: Arc<WorkerMetrics>,
    /// Makes request ids.
    pub request_ids: rules::RequestIdGenerator,
    /// Runs requests that go on when their caller hangs up.
    pub tasks: Tasks,
}

impl Proxy {
    async fn walk(
        &self,
        rules: &Rules,
        received: ReceivedRequest,
        unauthenticated: Option<&ConnectionControl>,
    ) -> Result<Box<Forwarded>, Outcome> {
        let (incoming, mut body) = IncomingRequest::parse(received, &rules.requests)?;
        let authority = &self.token_authority;
        let incoming =
            token_endpoint::serve(incoming, &mut body, rules, authority, unauthenticated).await?;
        let identified = rules.callers.identify(incoming, authority.tokens())?;
        mark_authenticated(unauthenticated);
        let authorized = rules.policy.authorize(identified)?;
        let admitted = rules.limits.admit(authorized)?;
        let admitted = request_buffering::receive(admitted, &mut body).await?;
        let leased = rules.credentials.lease(admitted).await?;
        let intended = self.ledger.intend(leased).await?;
        let (upstream, upstreams, token_cells) =
            (&self.upstream, &rules.upstreams, &rules.credentials);
        let forwarded = upstream
            .forward(upstreams, token_cells, intended, body)
            .await?;
        Ok(forwarded)
    }

    /// One request, from its bytes to its response. All of it is judged by the rules that are in force when it begins.
    /// `unauthenticated` is the connection, unless a caller was authenticated on it before.
    pub(crate) async fn handle(
        &self,
        received: ReceivedRequest,
        unauthenticated: Option<Arc<ConnectionControl>>,
    ) -> RecordedResponse {
        let rules = self.rules.load_full();
        let _counted = self.metrics.track_in_flight();
        let walk = self.walk(&rules, received, unauthenticated.as_deref());
        let outcome = match walk.await {
            Ok(forwarded) => Outcome::Forwarded(forwarded),
            Err(outcome) => outcome,
        };
        RecordedResponse::from(respond::record_and_respond(
            outcome,
            &self.ledger,
            &self.metrics,
        ))
    }
}

/// A caller on this connection is authenticated: the connection is not evicted from now on.
fn mark_authenticated(unauthenticated: Option<&ConnectionControl>) {
    if let Some(connection) = unauthenticated {
        connection.mark_authenticated();
    }
}

/// What a connection holds to have its requests served.
#[derive(Clone)]
pub(crate) struct ConnectionHandler {
    /// The worker's.
    pub proxy: Arc<Proxy>,
    /// The other end.
    pub peer: Peer,
    /// Whether it speaks TLS.
    pub is_tls: bool,
    /// The connection's.
    pub connection: Arc<ConnectionControl>,
}

impl Handler for ConnectionHandler {
    type Body = ProxyResponseBody;

    fn abort_response(body: ProxyResponseBody) {
        body.abort_slow_reader();
    }

    fn handle(&self, parsed: ParsedRequest) -> ResponseFuture<ProxyResponseBody> {
        let at = Timestamp::now();
        let method = parsed.as_ref().ok().and_then(|(request, _)| request.method);
        let received = ReceivedRequest {
            id: self.proxy.request_ids.next(at),
            received_at: at,
            started: Instant::now(),
            peer: self.peer,
            is_tls: self.is_tls,
            parsed,
        };
        // A connection is authenticated once; most requests come on one that is.
        let unauthenticated =
            (!self.connection.is_authenticated()).then(|| Arc::clone(&self.connection));
        let proxy = Arc::clone(&self.proxy);
        match method {
            Some(Method::Get | Method::Head) | None => Box::pin(async move {
                proxy
                    .handle(received, unauthenticated)
                    .await
                    .into_response()
            }),
            Some(_) => Box::pin(async move {
                let response = handle_detached(proxy, received, unauthenticated).await;
                response.into_response()
            }),
        }
    }
}

/// A write goes on when its caller hangs up: it is finished and recorded all the same.
async fn handle_detached(
    proxy: Arc<Proxy>,
    received: ReceivedRequest,
    unauthenticated: Option<Arc<ConnectionControl>>,
) -> RecordedResponse {
    let (id, peer) = (received.id, received.peer);
    let (sender, response) = oneshot::channel();
    let journey = Arc::clone(&proxy);
    proxy.tasks.spawn(async move {
        // A response that nobody waits for any more records that by being dropped.
        let _ = sender.send(journey.handle(received, unauthenticated).await);
    });
    match response.await {
        Ok(response) => response,
        Err(_) => RecordedResponse::from(respond::internal_error(
            id,
            peer,
            &proxy.ledger,
            &proxy.metrics,
        )),
    }
}
