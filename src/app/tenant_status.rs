//! What the status shows of each tenant: its identities, its budget, and whether it can be reached.

use crate::{
    admin::status_snapshot::{self, IdentityState},
    clock::Timestamp,
    credentials::token::{
        snapshot::{StoredLoginStatus, TokenSnapshot, TokenState},
        update::UnprovenChange,
    },
    names::IdentityKind,
    net::client::name_resolver::is_stale_in_use,
    proxy::rules::Rules,
};

use super::config_state::{ConfigState, TenantState};

/// All tenants, in the order of the configuration.
pub(super) fn tenants(
    config: &ConfigState,
    rules: &Rules,
    now: Timestamp,
) -> Vec<status_snapshot::TenantStatus> {
    let tenant = |(index, it): (usize, &TenantState)| {
        let of = |kind| Some(rules.credentials.get(index, kind)?.snapshot());
        let service = of(IdentityKind::Service).map(|token| (token, it.service_percent));
        let user = of(IdentityKind::User).map(|token| (token, it.user_percent));
        let budget = rules.limits.budget(index).map(|it| it.snapshot());
        status_snapshot::TenantStatus {
            name: it.name.to_string(),
            label: it.label.clone(),
            origin: it.origin.clone(),
            proxy: it.proxy.clone(),
            identities: service
                .into_iter()
                .chain(user)
                .map(|(token, percent)| identity(&token, percent, now))
                .collect(),
            learned_user_operations: user_only_operations(rules, index),
            budget: budget.map_or_else(status_snapshot::BudgetStatus::default, |it| {
                status_snapshot::BudgetStatus {
                    in_flight: it.in_flight.into(),
                    waiting: it.waiting as u64,
                    paused_s: it.paused_for.map_or(0, |it| it.as_secs() + 1),
                }
            }),
            unreachable: unreachable(rules, index),
            stale_host: Some(it.dialed_host.clone()).filter(|it| is_stale_in_use(it)),
        }
    };
    config.tenants.iter().enumerate().map(tenant).collect()
}

fn unreachable(rules: &Rules, tenant: usize) -> Option<status_snapshot::UnreachableStatus> {
    let failed = rules.upstreams.get(tenant)?.reachability().failure()?;
    Some(status_snapshot::UnreachableStatus {
        since: failed.since.to_string(),
        error: failed.error.to_string(),
    })
}

fn user_only_operations(rules: &Rules, tenant: usize) -> Vec<String> {
    let learned = rules.credentials.user_only_operations(tenant);
    let operations = rules.policy.catalogue().all().iter();
    operations
        .filter(|it| learned.is_some_and(|learned| learned.contains(it.index)))
        .map(|it| it.id.to_string())
        .collect()
}

fn identity(
    token: &TokenSnapshot,
    refresh_percent: Option<u8>,
    now: Timestamp,
) -> status_snapshot::IdentityStatus {
    let is_renewable = token.login.as_ref().is_none_or(|it| {
        let login = it.login.as_ref();
        login.is_some_and(|it| it.renewable)
    });
    let renews_at = || {
        if !is_renewable {
            return None;
        }
        let (from, to) = (token.minted_at?, token.expires_at?);
        let percent = u32::from(refresh_percent?);
        Some(from.plus(to.since(from) * percent / 100))
    };
    status_snapshot::IdentityStatus {
        identity: token.identity.to_string(),
        state: match (token.usable, token.generation) {
            (true, _) => IdentityState::Valid,
            (false, _) if token.state == TokenState::LoginNeeded => IdentityState::LoginNeeded,
            (false, 0) if token.failing_since.is_none() => IdentityState::Starting,
            (false, _) => IdentityState::Unavailable,
        },
        expires_at: token.expires_at.map(|it| it.to_string()),
        expires_in_s: token.expires_at.map(|it| it.since(now).as_secs()),
        renews_in_s: renews_at().map(|it| it.since(now).as_secs()),
        serves_until: token
            .expires_at
            .filter(|_| token.usable)
            .map(Timestamp::to_the_minute),
        refused_change: token
            .refused_change()
            .map(|it| UnprovenChange::as_str(it).to_owned()),
        only_login_helps: token.only_login_helps,
        generation: token.generation,
        last_error: match (token.failing_since, &token.last_error) {
            (Some(_), Some((_, error))) => Some(error.to_string()),
            _ => None,
        },
        login: token.login.as_ref().map(login),
    }
}

fn login(state: &StoredLoginStatus) -> status_snapshot::UserLoginStatus {
    let login = state.login.as_ref();
    status_snapshot::UserLoginStatus {
        logged_in_at: login.map(|it| it.logged_in_at.to_string()),
        refreshed_at: login.map(|it| it.refreshed_at.to_string()),
        renewable: login.is_some_and(|it| it.renewable),
        unsaved_since: state.unsaved_since.map(|it| it.to_string()),
        store_fault: state.store_fault.clone(),
    }
}
