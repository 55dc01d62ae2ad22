//! Logins as the configuration has them: for the command line, and for the desk of the admin listener.

use std::sync::Arc;

use crate::{
    admin::{
        access::{Access, Role},
        logins::{Logins, Place},
    },
    audit::ledger::Ledger,
    caller::api_key::KeyHash,
    config::{self, Config},
    credentials::{
        authorization::{Flow, Wanted},
        store::Store,
    },
    tasks::Tasks,
};

use super::keepers::{endpoint, slot, user_application};

/// What is asked of NinjaOne for a tenant's person-backed identity.
#[must_use]
pub fn wanted(tenant: &config::Tenant, user: &config::UserIdentity) -> Wanted {
    Wanted {
        application: user_application(&endpoint(&tenant.origin), user),
        flow: match user.grant {
            config::UserGrant::Code => Flow::Code,
            config::UserGrant::Implicit => Flow::Implicit,
        },
        scopes: user.scopes.clone(),
        redirect: user.redirect.text.clone(),
    }
}

/// Everybody who can log in.
#[must_use]
pub fn places(config: &Config) -> Vec<Place> {
    let users = config
        .tenants
        .iter()
        .filter_map(|tenant| Some((tenant, tenant.user.as_ref()?)));
    users
        .map(|(tenant, user)| Place {
            slot: slot(&tenant.name),
            wanted: wanted(tenant, user),
        })
        .collect()
}

/// The desk for logins from other machines; what is granted there is stored under `tasks`.
pub(super) fn desk(
    config: &Config,
    store: Option<Store>,
    ledger: Ledger,
    tasks: Tasks,
) -> Arc<Logins> {
    let keys = config.admin.access.iter().map(|it| {
        let role = match it.role {
            config::Role::Operator => Role::Operator,
            config::Role::Auditor => Role::Auditor,
        };
        (KeyHash::from_bytes(it.key), role)
    });
    let desk = Logins::new(Access::new(keys.collect()), store, ledger, tasks);
    desk.set_places(places(config));
    Arc::new(desk)
}
