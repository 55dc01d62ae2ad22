//! SEND IT. `Intended` ──► `Forwarded`: the only way out to NinjaOne's API.
//!
//! A write is sent once, except when NinjaOne refused it without doing anything: see `identity_retry.rs`. A read may be retried, as the
//! table in `retry.rs` says, and never beyond the retry budget.

mod attempt;
mod attempt_result;
mod forward_error;
mod forwarded;
mod identity_retry;
mod page;
pub mod reachability;
mod references;
mod retry;
mod send_log;
mod send_loop;
pub mod tenant_upstream;
pub mod upstream_body;
mod user_context;

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    audit::Intended,
    credentials::TokenCells,
    lock::Lock,
    net::{
        body::request_body::RequestBody,
        client::{connector::ConnectorError, exchange_error::ExchangeError, pool::Pool},
    },
    tasks::Tasks,
};

use self::{
    send_loop::{SendLoop, SendLoopError},
    tenant_upstream::{TenantUpstream, TenantUpstreams},
};

pub use self::{
    forward_error::{ForwardError, ForwardFailed},
    forwarded::Forwarded,
    send_log::SendLog,
};

/// The way out to NinjaOne, one for each worker: its connections are not shared between cores.
pub struct Upstream {
    pools: Lock<HashMap<u64, Arc<Pool>, foldhash::fast::RandomState>>,
    tasks: Tasks,
}

/// How often idle connections are checked.
const IDLE_CHECK_INTERVAL: Duration = Duration::from_secs(10);

impl Upstream {
    /// Without connections yet; they are opened and closed on tasks of `tasks`.
    #[must_use]
    pub fn new(tasks: Tasks) -> Arc<Self> {
        Arc::new(Self {
            pools: Lock::default(),
            tasks,
        })
    }

    /// Closes connections that have been idle for too long, for as long as the worker runs.
    pub async fn close_idle_connections(self: Arc<Self>) {
        loop {
            tokio::time::sleep(IDLE_CHECK_INTERVAL).await;
            let mut pools = self.pools.lock();
            for pool in pools.values() {
                pool.close_idle();
            }
            // A pool that belongs to no tenant of the current rules goes when its last request has ended.
            pools.retain(|_, pool| Arc::strong_count(pool) > 1 || !pool.is_empty());
        }
    }

    fn pool(&self, tenant_upstream: &TenantUpstream) -> Result<Arc<Pool>, ConnectorError> {
        let mut pools = self.pools.lock();
        if let Some(pool) = pools.get(&tenant_upstream.id()) {
            return Ok(Arc::clone(pool));
        }
        let pool = tenant_upstream.open_pool(self.tasks.clone())?;
        pools.insert(tenant_upstream.id(), Arc::clone(&pool));
        Ok(pool)
    }

    /// Sends a request and its body, with retries, until there is a response to pass on.
    ///
    /// # Errors
    /// When NinjaOne gave no response that may be passed on.
    pub async fn forward(
        &self,
        upstreams: &TenantUpstreams,
        token_cells: &TokenCells,
        intended: Intended,
        body: RequestBody,
    ) -> Result<Box<Forwarded>, Box<ForwardFailed>> {
        let Some(tenant_upstream) = upstreams.get(intended.tenant().index) else {
            let why = ForwardError::Unreachable(ExchangeError::Resolve);
            return Err(ForwardFailed::new(intended, why, SendLog::default()));
        };
        let Ok(pool) = self.pool(tenant_upstream) else {
            let why = ForwardError::Unreachable(ExchangeError::Tls);
            return Err(ForwardFailed::new(intended, why, SendLog::default()));
        };
        let started = Instant::now();
        let mut now = started;
        let mut sending = SendLoop::new(tenant_upstream, &pool, token_cells, intended, body);
        loop {
            let error = match sending.run(now).await {
                Ok(response) => return Ok(sending.finish(response, started)),
                Err(error) => error,
            };
            match error {
                SendLoopError::Failed(why) => return Err(sending.fail(why, started)),
                // Once at most: what goes as the user is not switched. Boxed, so that what waiting needs does not lie in
                // every request's future.
                SendLoopError::UserRequired => {
                    sending = match Box::pin(sending.switch_to_user()).await {
                        Ok(sending) => sending,
                        Err(it) => {
                            let (sending, why) = *it;
                            return Err(sending.fail(why, started));
                        }
                    };
                }
            }
            now = Instant::now();
        }
    }
}
