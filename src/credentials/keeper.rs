//! Keeps a token alive: one task per vault, which alone mints and alone writes.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    clock::{Moment, Timestamp},
    names::{IdentityKind, TenantName},
    tasks::Tasks,
};

use super::{
    grant::{Grant, Granted, mint_error::MintError},
    schedule::{Pauses, RefreshAt, pauses},
    token::{AccessToken, Birth},
    vault::{Phase, Vault},
};

/// Longest that the keeper sleeps: a timer stands still while the machine is suspended, the life of a token does not.
const POLL_MS_MAX: u64 = 30_000;

/// Shortest time between two mints that no rejection asked for, whatever life the tokens claim to have.
const MINT_INTERVAL_MS_MIN: u64 = 1_000;

/// What a keeper works with.
pub struct Keeping {
    pub tenant: TenantName,
    pub identity: IdentityKind,
    pub grant: Grant,
    pub refresh_at: RefreshAt,
    pub observer: Observer,
}

/// Is told the result of every renewal. Called by the keeper's task, so it must not block.
pub type Observer = Arc<dyn Fn(TokenEvent) + Send + Sync>;

/// One renewal has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenEvent {
    pub tenant: TenantName,
    pub identity: IdentityKind,
    /// The generation that is in the vault now; 0 if there is none yet.
    pub generation: u64,
    pub news: News,
}

/// How a renewal ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// The first token of this vault.
    Minted,
    Renewed,
    Refused(MintError),
}

impl News {
    /// A name for metrics and the audit log, from a closed set.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minted => "minted",
            Self::Renewed => "renewed",
            Self::Refused(error) => error.as_str(),
        }
    }
}

/// Ends the keeper when dropped. The vault stays usable as long as its token is valid.
#[must_use]
pub struct KeeperHandle {
    _stop: DropGuard,
}

/// One task's state.
pub struct Keeper {
    vault: Arc<Vault>,
    grant: Grant,
    refresh_at: RefreshAt,
    observer: Observer,
    /// When the token at hand is to be renewed.
    renew_at: Moment,
    failure: Option<Failure>,
}

/// Renewals in a row that failed.
struct Failure {
    row: u32,
    at: Moment,
    pauses: Pauses,
}

impl Failure {
    fn next(&self, has_token: bool) -> Moment {
        self.at.plus(if has_token {
            self.pauses.with_token
        } else {
            self.pauses.without_token
        })
    }
}

impl Keeper {
    /// Starts a keeper on the current runtime. It mints at once, and ends with the handle or with `tasks`.
    pub fn start(keeping: Keeping, tasks: &Tasks) -> (Arc<Vault>, KeeperHandle) {
        let vault = Arc::new(Vault::new(keeping.tenant, keeping.identity));
        let keeper = Self {
            vault: Arc::clone(&vault),
            grant: keeping.grant,
            refresh_at: keeping.refresh_at,
            observer: keeping.observer,
            renew_at: Moment::now(),
            failure: None,
        };
        let stop = CancellationToken::new();
        let handle = KeeperHandle {
            _stop: stop.clone().drop_guard(),
        };
        tasks.spawn_until_stop(async move {
            stop.run_until_cancelled_owned(keeper.keep()).await;
        });
        (vault, handle)
    }

    async fn keep(mut self) {
        loop {
            let now = Moment::now();
            let due = self.due(now);
            if due <= now {
                self.renew().await;
            } else {
                self.rest(now, due).await;
            }
        }
    }

    /// When the next renewal begins.
    fn due(&self, now: Moment) -> Moment {
        let token = self.vault.held();
        let wanted = match &token {
            None => now,
            Some(token) if self.vault.is_rejected(token) => token.replaceable_at(),
            Some(token) => {
                let interval = Duration::from_millis(MINT_INTERVAL_MS_MIN);
                let end = self.renew_at.min(token.usable_until());
                end.max(token.minted().plus(interval))
            }
        };
        let usable = token.is_some_and(|token| token.is_usable(now));
        let allowed = self.failure.as_ref().map(|failure| failure.next(usable));
        allowed.map_or(wanted, |allowed| wanted.max(allowed))
    }

    /// Until something is due, somebody asks, or it is time to look at the clock again.
    async fn rest(&self, now: Moment, due: Moment) {
        let phase = match self.failure {
            Some(_) => Phase::BackingOff { next: due },
            None => Phase::Resting,
        };
        self.vault.enter(phase);
        let mut pause = due.since(now).min(Duration::from_millis(POLL_MS_MAX));
        if let Some(token) = self.vault.held().filter(|token| token.is_usable(now)) {
            // At its end the pause after a failure becomes a shorter one.
            pause = pause.min(token.usable_until().since(now));
        }
        // Whoever asks makes us look at the clock, no more: a pause after a failure stays what it is.
        drop(timeout(pause, self.vault.woken()).await);
    }

    async fn renew(&mut self) {
        self.vault.enter(Phase::Renewing);
        let (asked, asked_at) = (Moment::now(), Timestamp::now());
        match self.grant.mint().await {
            Ok(granted) => self.accept(granted, asked, asked_at),
            Err(error) => self.back_off(error),
        }
    }

    fn accept(&mut self, granted: Granted, asked: Moment, asked_at: Timestamp) {
        let before = self.vault.held();
        let rejected_before = match &before {
            Some(token) if self.vault.is_rejected(token) => token.rejected_with_this(),
            _ => 0,
        };
        let generation = before.as_ref().map_or(0, |token| token.generation()) + 1;
        let birth = Birth {
            generation,
            rejected_before,
            asked,
            asked_at,
            life: granted.life,
            scopes: granted.scopes,
        };
        self.renew_at = asked.plus(self.refresh_at.delay(granted.life));
        self.failure = None;
        self.vault
            .put(AccessToken::new(granted.authorization, birth));
        let news = match before {
            None => News::Minted,
            Some(_) => News::Renewed,
        };
        self.vault.succeeded(news.as_str());
        self.report(generation, news);
    }

    fn back_off(&mut self, error: MintError) {
        let row = self
            .failure
            .as_ref()
            .map_or(1, |failure| failure.row.saturating_add(1));
        self.failure = Some(Failure {
            row,
            at: Moment::now(),
            pauses: pauses(error, row),
        });
        self.vault.failed(error);
        let generation = self.vault.held().map_or(0, |token| token.generation());
        self.report(generation, News::Refused(error));
    }

    fn report(&self, generation: u64, news: News) {
        (self.observer)(TokenEvent {
            tenant: self.vault.tenant().clone(),
            identity: self.vault.identity(),
            generation,
            news,
        });
    }
}

/// Whatever ends the keeper, nobody waits for it any more.
impl Drop for Keeper {
    fn drop(&mut self) {
        self.vault.enter(Phase::Stopped);
    }
}
