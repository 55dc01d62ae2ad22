//! Checks the stored login: that it is readable, valid and of the configured application, and when it was last used. It is
//! not renewed: that would invalidate the refresh token of the running proxy.

use std::{fs, os::unix::fs::MetadataExt, path::Path, time::Duration};

use crate::{
    admin::health::humanize_duration,
    app::wiring::{StoreOpenError, login_slot, open_store, user_application},
    clock::{Moment, Timestamp},
    config::{self, UserIdentity},
    credentials::{
        login::{renewal_error::LoginError, session::check_usable},
        store::{
            FoundLogin, LoginStore,
            error::StoreError,
            stored_login::{RenewalMarker, Slot, StoredLogin},
        },
    },
    names::{IdentityKind, TenantName},
    net::client::endpoint::Endpoint,
    policy::required_scope::RequiredScope,
};

use super::{
    check::{CheckName, DoctorCheck},
    service::scopes_check,
};

/// How many keepalive intervals a login may miss before that is reported.
const KEEPALIVES_MISSED_MAX: u32 = 2;

/// Whose login it is, and what it must allow.
pub(super) struct LoginExpectations<'a> {
    pub(super) tenant: &'a TenantName,
    pub(super) endpoint: &'a Endpoint,
    pub(super) identity: &'a UserIdentity,
    pub(super) needs: &'a [RequiredScope],
}

/// Checks the stored login. Blocks on the disk.
pub(super) fn check_login(
    store: &config::StoreConfig,
    whose: &LoginExpectations<'_>,
) -> Vec<DoctorCheck> {
    let none = "nothing is stored yet";
    // Opening a store creates its directory, which would then belong to the user of this command.
    if !store.path.exists() {
        return vec![
            DoctorCheck::skipped(CheckName::StoreSlot, none),
            DoctorCheck::skipped(CheckName::StoreLock, none),
            login_required(whose.tenant, "nobody has logged in"),
            DoctorCheck::skipped(CheckName::LoginScopes, "there is no login"),
        ];
    }
    let slot = login_slot(whose.tenant);
    let opened = open_store(store).map_err(|error| match error {
        StoreOpenError::Key(error) => error.to_string(),
        StoreOpenError::Store(error) => error.to_string(),
    });
    let read = opened.and_then(|store| {
        let found = store
            .read(&slot)
            .map_err(|error| store_error_text(&error))?;
        Ok((store, found))
    });
    match read {
        Ok((store, found)) => checks(&store, &slot, found, whose),
        Err(error) => {
            let after = [
                CheckName::StoreLock,
                CheckName::Login,
                CheckName::LoginScopes,
            ];
            let after = after.map(|it| DoctorCheck::skipped(it, "the store cannot be read"));
            let remedy = "Follow that advice as the user who runs the proxy; log in again only if nothing else helps.";
            std::iter::once(DoctorCheck::failed(CheckName::StoreSlot, error, remedy))
                .chain(after)
                .collect()
        }
    }
}

fn store_error_text(error: &StoreError) -> String {
    format!("{error} ({})", error.name())
}

fn checks(
    store: &LoginStore,
    slot: &Slot,
    found: Option<FoundLogin>,
    whose: &LoginExpectations<'_>,
) -> Vec<DoctorCheck> {
    let mut checks = vec![
        slot_check(store, slot, found.as_ref()),
        lock_check(store, slot),
    ];
    match found {
        None => {
            checks.push(login_required(whose.tenant, "nobody is logged in"));
            checks.push(DoctorCheck::skipped(
                CheckName::LoginScopes,
                "there is no login",
            ));
        }
        Some(FoundLogin { login, .. }) => {
            checks.push(login_check(&login, whose));
            let granted = granted(&login);
            checks.push(scopes_check(
                CheckName::LoginScopes,
                IdentityKind::User,
                &granted,
                whose.needs,
            ));
        }
    }
    checks
}

/// The scopes without `offline_access`, which no operation needs.
fn granted(stored: &StoredLogin) -> Vec<Box<str>> {
    let scopes = stored.scopes.iter();
    scopes
        .filter(|it| &***it != "offline_access")
        .cloned()
        .collect()
}

fn slot_check(store: &LoginStore, slot: &Slot, found: Option<&FoundLogin>) -> DoctorCheck {
    let name = CheckName::StoreSlot;
    let Some(found) = found else {
        return DoctorCheck::ok(name, "empty, and can be read");
    };
    if let Some(damage) = &found.damage {
        return DoctorCheck::warning(
            name,
            format!("read from its copy, because {}", store_error_text(damage)),
            "No need to act: the next renewal repairs it. Look at the disk, and at who can write there.",
        );
    }
    match store.is_sealed_by_first_key(slot) {
        Ok(true) => DoctorCheck::ok(name, "can be read, and is sealed with the first key"),
        Ok(false) => DoctorCheck::warning(
            name,
            "can be read, but an older key of `store.seal` sealed it",
            "Keep the older key in `store.seal` until a renewal has sealed it with the first one; then take it out.",
        ),
        Err(error) => DoctorCheck::warning(name, store_error_text(&error), "Run this again."),
    }
}

/// Checks without creating the file, which would then belong to us.
fn lock_check(store: &LoginStore, slot: &Slot) -> DoctorCheck {
    let name = CheckName::StoreLock;
    let path = store.lock_path(slot);
    if !path.exists() {
        return DoctorCheck::ok(name, "free");
    }
    match store.try_lock(slot) {
        Ok(Some(_)) => DoctorCheck::ok(name, "free"),
        Ok(None) => {
            let holder = holder(&path).map_or_else(
                || "by another process".to_owned(),
                |pid| format!("by process {pid}"),
            );
            DoctorCheck::warning(
                name,
                format!("held {holder}: it renews the login, or cannot store what it was given"),
                "Look again in a minute. If it stays so, see `ninjaone-proxy status`, and do not end that process: a login may be in its memory only.",
            )
        }
        Err(error) => DoctorCheck::failed(
            name,
            store_error_text(&error),
            "Follow that advice: without the lock no login is renewed.",
        ),
    }
}

/// The process that holds a lock, according to the kernel (`proc_locks(5)`).
fn holder(path: &Path) -> Option<u32> {
    let inode = fs::metadata(path).ok()?.ino();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let suffix = format!(":{inode}");
    locks.lines().find_map(|line| {
        let headers: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, "FLOCK", _, "WRITE", pid, file, ..] = headers.as_slice() else {
            return None;
        };
        file.ends_with(&suffix).then(|| pid.parse().ok()).flatten()
    })
}

fn login_required(tenant: &TenantName, why: &str) -> DoctorCheck {
    DoctorCheck::failed(
        CheckName::Login,
        why,
        format!("Somebody must log in: ninjaone-proxy login {tenant}"),
    )
}

fn login_check(stored: &StoredLogin, whose: &LoginExpectations<'_>) -> DoctorCheck {
    let tenant = whose.tenant;
    let application = user_application(whose.endpoint, whose.identity);
    if let Err(error) = check_usable(stored, &application) {
        return login_required(tenant, &unusable_text(error, stored, whose.endpoint));
    }
    let left = access_left(stored);
    if stored.refresh_token.is_none() {
        return not_renewable(tenant, left);
    }
    let used = usage_text(stored);
    if let Some(marker) = &stored.renewal_marker {
        return renewal_open(tenant, &used, marker);
    }
    let keepalive = whose.identity.keepalive;
    let unused = Timestamp::now().since(stored.refreshed_at);
    if unused > keepalive * KEEPALIVES_MISSED_MAX {
        return DoctorCheck::warning(
            CheckName::Login,
            format!(
                "{used}, and `keepalive` is {}",
                humanize_duration(keepalive.as_secs())
            ),
            "Let the proxy run: refresh tokens that are not used lapse after about 30 days.",
        );
    }
    let token = left.map_or_else(
        || "its access token has ended".to_owned(),
        |left| {
            format!(
                "its access token is valid for {}",
                humanize_duration(left.as_secs())
            )
        },
    );
    DoctorCheck::ok(CheckName::Login, format!("{used}; {token}"))
}

/// Why a stored login cannot be used, with what the operator can compare.
fn unusable_text(error: LoginError, stored: &StoredLogin, endpoint: &Endpoint) -> String {
    let host = endpoint.authority();
    match (error, &stored.ended) {
        (LoginError::OtherApplication, _) if stored.host == host => {
            "the stored login belongs to another client id than the configured one".to_owned()
        }
        (LoginError::OtherApplication, _) => format!(
            "the stored login belongs to {}, and the configured host is {host}",
            stored.host
        ),
        (error, Some(ended)) => format!("{error} (at {})", ended.at),
        (error, None) => error.to_string(),
    }
}

fn not_renewable(tenant: &TenantName, left: Option<Duration>) -> DoctorCheck {
    let Some(left) = left else {
        return login_required(tenant, "the login has ended: it could not be renewed");
    };
    DoctorCheck::warning(
        CheckName::Login,
        format!(
            "cannot be renewed, and ends in {}",
            humanize_duration(left.as_secs())
        ),
        format!(
            "Then run: ninjaone-proxy login {tenant}. For a login that lasts, use an application of the platform Web or Native, with offline_access."
        ),
    )
}

fn renewal_open(tenant: &TenantName, used: &str, marker: &RenewalMarker) -> DoctorCheck {
    let what = if marker.is_response_lost {
        "got no answer"
    } else {
        "has not finished"
    };
    DoctorCheck::warning(
        CheckName::Login,
        format!("{used}; the renewal that began {} {what}", ago(marker.at)),
        format!(
            "Look again in a minute. If no proxy is running, start it: its next renewal shows whether this login still works. If it does not: ninjaone-proxy login {tenant}"
        ),
    )
}

fn usage_text(stored: &StoredLogin) -> String {
    format!(
        "logged in {}, refresh token last used {}",
        ago(stored.logged_in_at),
        ago(stored.refreshed_at)
    )
}

fn ago(at: Timestamp) -> String {
    let age = Timestamp::now().since(at);
    format!("{} ago", humanize_duration(age.as_secs()))
}

fn access_left(stored: &StoredLogin) -> Option<Duration> {
    let (_, expires) = stored.access_token.as_ref()?.moments()?;
    let left = expires.since(Moment::now());
    (!left.is_zero()).then_some(left)
}
