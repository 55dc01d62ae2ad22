//! A user identity beside the service, or alone: the tenant's user identity as an operator configures it, and what the store
//! holds of a login when the product starts.

use std::time::Duration;

use ninjaone_proxy::{
    app::wiring::{self, open_store},
    clock::Reading,
    config::Config,
    credentials::store::{
        LoginStore,
        stored_login::{Slot, StoredAccessToken, StoredLogin},
    },
    secret::Secret,
};

use crate::{directory::Directory, key::seal, settings::Settings};

use super::world::{Behind, USER_CLIENT_ID};

const HOUR: Duration = Duration::from_hours(1);

/// The state of the user's login when the program starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserLogin {
    /// With a token that is good for a while.
    LoggedIn,
    /// With a refresh token, and without an access token.
    WithoutToken,
    LoggedOut,
}

/// What the operator writes.
pub(crate) fn configure(settings: &mut Settings) {
    let mut set = |section: &str, key: &str, value: &str| {
        settings.set_unless_chosen(section, key, value);
    };
    set(
        "tenant.acme.user",
        "client_id",
        &format!("\"{USER_CLIENT_ID}\""),
    );
    set("store", "path", "\"store\"");
    set("store", "seal", "{ file = \"store.key\" }");
}

pub(crate) fn write_key(directory: &Directory) {
    directory.write("store.key", seal());
}

/// The store as the product opens it.
pub(crate) fn store(config: &Config) -> LoginStore {
    open_store(config.store.as_ref().expect("a store")).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn slot(config: &Config) -> Slot {
    wiring::login_slot(&config.tenants.first().expect("a tenant").name)
}

/// Puts a login into the store, as the `login` command does.
pub(crate) fn log_in(user: UserLogin, behind: &Behind, config: &Config) {
    let (access, refresh, life) = match behind {
        Behind::Sandbox(ninja) => {
            let login = ninja.log_in(USER_CLIENT_ID).unwrap();
            (login.access_token, login.refresh_token, login.life)
        }
        Behind::Hostile(_) => (
            Secret::new("canary-access".to_owned()),
            Secret::new("canary-refresh".to_owned()),
            HOUR,
        ),
    };
    let now = Reading::now();
    let dated = StoredAccessToken::dated(access, now, life);
    let kept = StoredLogin {
        generation: 1,
        client_id: USER_CLIENT_ID.to_owned(),
        host: behind.address().to_string(),
        scopes: Vec::new(),
        logged_in_at: now.at,
        refreshed_at: now.at,
        refresh_token: Some(refresh),
        access_token: Some(dated).filter(|_| user == UserLogin::LoggedIn),
        renewal_marker: None,
        ended: None,
    };
    let locked = store(config).try_lock(&slot(config)).unwrap();
    locked.expect("nobody holds it").overwrite(&kept).unwrap();
}
