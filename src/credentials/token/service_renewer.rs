//! Renews the token of a service identity, with the application's own secret. One task per token cell.

use std::{convert::Infallible, sync::Arc, time::Duration};

use crate::{
    credentials::grant::client_credentials::ClientCredentials, names::IdentityKind, tasks::Tasks,
    watchdog::Heartbeat,
};

use super::{
    cell::{RenewerPhase, TokenCell},
    renewer::{RenewalState, RenewerHandle, RenewerOptions},
};

/// Renews the token of a service identity (client credentials grant, RFC 6749 section 4.4).
pub struct ServiceRenewer {
    state: RenewalState,
    credentials: ClientCredentials,
}

impl ServiceRenewer {
    /// Starts a renewer on the current runtime. It begins at once, and ends with the handle or with `tasks`.
    pub fn start(
        options: RenewerOptions,
        credentials: ClientCredentials,
        tasks: &Tasks,
    ) -> (Arc<TokenCell>, RenewerHandle) {
        let (state, heartbeat) = RenewalState::new(options, IdentityKind::Service, Duration::MAX);
        let cell = Arc::clone(state.cell());
        let (handle, stop) = RenewerHandle::new(&state, tasks);
        let mut renewer = Self { state, credentials };
        tasks.spawn(async move {
            stop.run_until_stopped(renewer.run(&heartbeat)).await;
            heartbeat.retire();
        });
        (cell, handle)
    }

    async fn run(&mut self, heartbeat: &Heartbeat) -> Infallible {
        loop {
            heartbeat.beat();
            heartbeat.stall_if_injected().await;
            self.apply_update();
            if self.state.is_due_or_sleep(heartbeat).await {
                RenewalState::beat_during_renewal(heartbeat, self.renew()).await;
            }
        }
    }

    fn apply_update(&mut self) {
        if let Some(update) = self.state.take_update() {
            self.credentials = ClientCredentials {
                application: update.application,
                scopes: update.scopes,
            };
        }
    }

    async fn renew(&mut self) {
        self.state.cell().set_phase(RenewerPhase::Renewing);
        match self.credentials.request_token().await {
            Ok(issued) => self.state.accept_issued(issued),
            Err(error) => self.state.back_off(error.into()),
        }
    }
}
