//! Keeps a token alive: one task per vault, which alone mints and alone writes.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    clock::{Moment, Timestamp},
    names::{IdentityKind, TenantName},
    tasks::Tasks,
    watchdog::Heartbeat,
};

use super::{
    custody::Custody,
    fresh::Fresh,
    grant::{Granted, client_credentials::ClientCredentials},
    login::{Change, Login, Renewal, Urgency},
    news::{News, Observer, TokenEvent},
    record::LoginState,
    refresh_calls::RefreshCalls,
    renewal_error::{LoginError, RenewalError},
    schedule::{Pauses, RefreshAt, pauses},
    token::{AccessToken, Birth},
    vault::{Phase, Vault},
};

/// Shortest time between two mints that no rejection asked for, whatever life the tokens claim to have.
const MINT_INTERVAL_MS_MIN: u64 = 1_000;

/// Longest that a keeper sleeps: a timer stands still while the machine is suspended, the life of a token does not; and
/// another process may have renewed, ended or replaced a login.
const LOOK_INTERVAL_MS: u64 = 1_000;

/// Longest that a renewal may take before its keeper counts as stalled: all time-outs of a renewal together are shorter.
const RENEWAL_MS_MAX: u64 = 60_000;

/// In the last part of a token's life a renewal does not wait for a store that fails.
const LAST_PART_OF_LIFE: u32 = 10;

/// What a keeper works with.
pub struct Keeping {
    pub tenant: TenantName,
    pub identity: IdentityKind,
    pub source: Source,
    pub refresh_at: RefreshAt,
    pub observer: Observer,
    pub calls: RefreshCalls,
    pub heartbeat: Heartbeat,
}

/// Where tokens come from.
pub enum Source {
    /// Minted with the application's own secret.
    ClientCredentials(ClientCredentials),
    /// Renewed with a person's refresh token, at least every `keepalive`, so that it never lapses.
    Login {
        login: Box<Login>,
        keepalive: Duration,
    },
}

/// Ends the keeper when dropped. The vault stays usable as long as its token is valid.
#[must_use]
pub struct KeeperHandle {
    _stop: DropGuard,
}

/// One task's state.
pub struct Keeper {
    vault: Arc<Vault>,
    work: Work,
    refresh_at: RefreshAt,
    observer: Observer,
    /// Of the token that was put into the vault last.
    generation: u64,
    /// When the token at hand is to be renewed.
    renew_at: Moment,
    failure: Option<Failure>,
}

enum Work {
    Mint(ClientCredentials),
    Keep(Custody),
}

/// Renewals in a row that failed.
struct Failure {
    row: u32,
    at: Moment,
    error: RenewalError,
    /// None if there is nothing to try before somebody logs in.
    pauses: Option<Pauses>,
}

impl Failure {
    /// When to try again; none if there is nothing to try before somebody logs in.
    fn next(&self, has_token: bool) -> Option<Moment> {
        let pauses = self.pauses?;
        let pause = if has_token {
            pauses.with_token
        } else {
            pauses.without_token
        };
        Some(self.at.plus(pause))
    }
}

impl Keeper {
    /// Starts a keeper on the current runtime. It begins at once, and ends with the handle or with `tasks`.
    pub fn start(keeping: Keeping, tasks: &Tasks) -> (Arc<Vault>, KeeperHandle) {
        let vault = Arc::new(Vault::new(keeping.tenant, keeping.identity));
        let work = match keeping.source {
            Source::ClientCredentials(grant) => Work::Mint(grant),
            Source::Login { login, keepalive } => {
                Work::Keep(Custody::new(login, keepalive, tasks.clone(), keeping.calls))
            }
        };
        let mut keeper = Self {
            vault: Arc::clone(&vault),
            work,
            refresh_at: keeping.refresh_at,
            observer: keeping.observer,
            generation: 0,
            renew_at: Moment::now(),
            failure: None,
        };
        let stop = CancellationToken::new();
        let handle = KeeperHandle {
            _stop: stop.clone().drop_guard(),
        };
        let (own, stopping, heartbeat) = (stop, tasks.clone(), keeping.heartbeat);
        tasks.spawn(async move {
            tokio::select! {
                () = own.cancelled() => {}
                () = stopping.stopping() => {}
                () = keeper.keep(&heartbeat) => {}
            }
            heartbeat.retire();
            if let Some(login) = keeper.into_login() {
                login.save_at_last().await;
            }
        });
        (vault, handle)
    }

    /// The login in our care, if no renewal has it.
    fn into_login(mut self) -> Option<Box<Login>> {
        match &mut self.work {
            Work::Mint(_) => None,
            Work::Keep(custody) => custody.take_login(),
        }
    }

    async fn keep(&mut self, heartbeat: &Heartbeat) {
        loop {
            heartbeat.beat();
            heartbeat.stall_if_told().await;
            self.follow().await;
            self.save().await;
            let now = Moment::now();
            let due = self.due(now);
            if due.is_some_and(|due| due <= now) {
                let longest = Duration::from_millis(RENEWAL_MS_MAX);
                heartbeat.beat_during(longest, self.renew(now)).await;
            } else {
                self.rest(now, due, heartbeat.interval()).await;
            }
        }
    }

    /// When the next renewal begins; none before something happens.
    fn due(&self, now: Moment) -> Option<Moment> {
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
        match &self.failure {
            None => Some(wanted),
            Some(failure) => failure.next(usable).map(|allowed| wanted.max(allowed)),
        }
    }

    /// Until something is due, somebody asks, or it is time to look at the clock again.
    async fn rest(&self, now: Moment, due: Option<Moment>, longest: Duration) {
        self.vault.enter(match (&self.failure, due) {
            (Some(_), Some(next)) => Phase::BackingOff { next },
            (Some(_), None) => Phase::LoginNeeded,
            (None, _) => Phase::Resting,
        });
        let mut pause = longest.min(Duration::from_millis(LOOK_INTERVAL_MS));
        if let Some(due) = due {
            pause = pause.min(due.since(now));
        }
        if let Some(token) = self.vault.held().filter(|token| token.is_usable(now)) {
            // At its end the pause after a failure becomes a shorter one.
            pause = pause.min(token.usable_until().since(now));
        }
        // Whoever asks makes us look at the clock, no more: a pause after a failure stays what it is.
        drop(timeout(pause, self.vault.woken()).await);
    }

    async fn renew(&mut self, now: Moment) {
        self.vault.enter(Phase::Renewing);
        let urgency = self.urgency(now);
        match &mut self.work {
            Work::Mint(grant) => {
                let (asked, asked_at) = (Moment::now(), Timestamp::now());
                match grant.mint().await {
                    Ok(granted) => self.accept_minted(granted, asked, asked_at),
                    Err(error) => self.back_off(error.into()),
                }
            }
            Work::Keep(custody) => {
                let was_unsaved = custody.is_unsaved();
                let renewed = custody.renew(urgency).await;
                let is_unsaved = custody.is_unsaved();
                self.note_login();
                // A renewal begins by writing down what it has.
                if was_unsaved && !is_unsaved {
                    self.report(News::Persisted);
                }
                match renewed {
                    Some(Ok(renewal)) => self.accept_renewal(renewal),
                    Some(Err(error)) => self.back_off(error),
                    // The runtime is ending.
                    None => std::future::pending().await,
                }
            }
        }
    }

    fn urgency(&self, now: Moment) -> Urgency {
        let good = self.vault.held().filter(|token| {
            let life = token.expires().since(token.minted());
            let left = token.usable_until().since(now);
            !self.vault.is_rejected(token) && left > life / LAST_PART_OF_LIFE
        });
        match good {
            Some(_) => Urgency::InTime,
            None => Urgency::Needed,
        }
    }

    fn accept_minted(&mut self, granted: Granted, asked: Moment, asked_at: Timestamp) {
        let news = self.news_of_token();
        let fresh = Fresh {
            authorization: granted.authorization,
            minted: asked,
            minted_at: asked_at,
            life: granted.life,
            scopes: granted.scopes,
        };
        self.put(fresh, self.rejected_before());
        self.succeed(news);
    }

    fn accept_renewal(&mut self, renewal: Renewal) {
        match renewal {
            Renewal::Renewed { fresh, is_saved } => {
                let (news, rejected) = (self.news_of_token(), self.rejected_before());
                self.put(fresh, rejected);
                self.succeed(news);
                if !is_saved {
                    self.report(News::PersistFailed);
                }
            }
            Renewal::Adopted(fresh) => {
                self.put(fresh, 0);
                self.succeed(News::Adopted);
            }
        }
    }

    /// What a new token is called, before it takes the place of the one at hand.
    fn news_of_token(&self) -> News {
        match self.vault.held() {
            None => News::Minted,
            Some(token) if self.vault.is_rejected(&token) => News::Forced,
            Some(_) => News::Renewed,
        }
    }

    fn rejected_before(&self) -> u32 {
        match self.vault.held() {
            Some(token) if self.vault.is_rejected(&token) => token.rejected_with_this(),
            _ => 0,
        }
    }

    fn put(&mut self, fresh: Fresh, rejected_before: u32) {
        let birth = Birth {
            generation: self.generation + 1,
            rejected_before,
            asked: fresh.minted,
            asked_at: fresh.minted_at,
            life: fresh.life,
            scopes: fresh.scopes,
        };
        let mut delay = self.refresh_at.delay(fresh.life);
        if let Work::Keep(custody) = &self.work {
            delay = delay.min(custody.keepalive());
        }
        self.generation += 1;
        self.renew_at = fresh.minted.plus(delay);
        self.vault.put(AccessToken::new(fresh.authorization, birth));
    }

    fn succeed(&mut self, news: News) {
        self.failure = None;
        self.vault.succeeded(news.as_str());
        self.report(news);
    }

    fn back_off(&mut self, error: RenewalError) {
        self.fail(error);
        self.report(match error {
            RenewalError::Login(LoginError::Ended(reason)) => News::Dead(reason),
            other => News::Refused(other),
        });
    }

    fn fail(&mut self, error: RenewalError) {
        let row = self
            .failure
            .as_ref()
            .map_or(1, |failure| failure.row.saturating_add(1));
        self.failure = Some(Failure {
            row,
            at: Moment::now(),
            error,
            pauses: pauses(error.retry(), row),
        });
        self.vault.failed(error);
    }

    fn report(&self, news: News) {
        let login = match &self.work {
            Work::Mint(_) => None,
            Work::Keep(custody) => custody.login(),
        };
        (self.observer)(TokenEvent {
            tenant: self.vault.tenant().clone(),
            identity: self.vault.identity(),
            generation: self.vault.held().map_or(0, |token| token.generation()),
            news,
            fault: login.and_then(|it| it.fault().map(ToString::to_string)),
        });
    }
}

/// What there is to do for a login only.
impl Keeper {
    /// Takes over what other processes have done to the login.
    async fn follow(&mut self) {
        let Work::Keep(custody) = &mut self.work else {
            return;
        };
        let Some(login) = custody.login_mut() else {
            return;
        };
        match login.follow().await {
            Ok(None) => {}
            Ok(Some(change)) => self.take_over(change),
            Err(error) => {
                let is_known = |failure: &Failure| failure.error == error;
                if !self.failure.as_ref().is_some_and(is_known) {
                    self.back_off(error);
                }
            }
        }
        self.note_login();
    }

    fn take_over(&mut self, change: Change) {
        // Whoever waits looks again when the phase changes.
        self.vault.enter(Phase::Renewing);
        match change {
            Change::LoggedIn(fresh) => {
                // The token of the login before is as good as revoked.
                self.vault.clear();
                self.adopt(fresh, News::LoggedIn);
            }
            Change::Renewed(fresh) => self.adopt(fresh, News::Adopted),
            Change::LoggedOut => {
                self.vault.clear();
                self.fail(LoginError::NotLoggedIn.into());
                self.report(News::LoggedOut);
            }
            Change::NeverLoggedIn => self.back_off(LoginError::NotLoggedIn.into()),
            Change::Unusable(error) => {
                // What is left of the token's life is good, unless it was another application's.
                if !matches!(error, LoginError::Ended(_)) {
                    self.vault.clear();
                }
                self.back_off(error.into());
            }
        }
    }

    fn adopt(&mut self, fresh: Option<Fresh>, news: News) {
        if let Some(fresh) = fresh {
            self.put(fresh, 0);
        }
        self.succeed(news);
    }

    async fn save(&mut self) {
        let Work::Keep(custody) = &mut self.work else {
            return;
        };
        if custody.save().await {
            self.note_login();
            self.report(News::Persisted);
        }
    }

    fn note_login(&self) {
        let Work::Keep(custody) = &self.work else {
            return;
        };
        if let Some(login) = custody.login() {
            self.vault.note_login(LoginState {
                login: login.record().cloned(),
                unsaved_since: login.unsaved_since(),
                fault: login.fault().map(ToString::to_string),
            });
        }
    }
}

/// Whatever ends the keeper, nobody waits for it any more.
impl Drop for Keeper {
    fn drop(&mut self) {
        self.vault.enter(Phase::Stopped);
    }
}
