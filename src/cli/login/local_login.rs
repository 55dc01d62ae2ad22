//! A login by this process, into the store that it shares with the proxy.

use std::{sync::Arc, time::Duration};

use crate::{
    app::wiring::{self, StoreOpenError},
    config::{Config, TenantConfig, UserIdentity},
    credentials::{
        login::{
            authorization::{AuthorizationFlow, AuthorizationRequest},
            callback::CallbackError,
            completion::complete_login,
        },
        store::{LoginStore, error::StoreError, stored_login::Slot},
    },
    lock::Lock,
    secret::Secret,
};

use super::{
    attempt::{LoginAttempt, LoginSuccess},
    callback::{CallbackMatcher, CallbackSocket},
    error::LoginCommandError,
};

/// Lock timeout of the check that the store can be written.
const PROBE_LOCK_TIMEOUT_MS: u64 = 200;

pub(super) struct LocalLogin {
    request: Arc<Lock<Option<AuthorizationRequest>>>,
    store: LoginStore,
    slot: Slot,
}

/// Binds the callback listener, checks that the store can be written, and begins the login.
pub(super) async fn begin(
    config: &Config,
    tenant: &TenantConfig,
    user: &UserIdentity,
    paste: bool,
) -> Result<(LoginAttempt, LocalLogin, Option<CallbackSocket>), LoginCommandError> {
    let slot = wiring::login_slot(&tenant.name);
    let store = open(config, &slot).await?;
    let mut params = wiring::authorization_params(&wiring::endpoint(&tenant.origin), user);
    let mut socket = None;
    if !paste {
        let elsewhere = || LoginCommandError::RedirectNotLocal(user.redirect.uri.clone());
        let at = user.redirect.loopback.ok_or_else(elsewhere)?;
        let bound = CallbackSocket::bind(at).await?;
        params = params.with_port(bound.address.port());
        socket = Some(bound);
    } else if params.needs_port() {
        // Nothing listens there: the browser shows an error page, and its address is all that is needed.
        params = params.with_port(PASTE_PORT);
    }
    let origin = params.application.endpoint.origin();
    let request = AuthorizationRequest::begin(params).await?;
    let (url, redirect, flow) = (
        request.url().to_owned(),
        request.redirect_uri().to_owned(),
        request.flow(),
    );
    let request = Arc::new(Lock::new(Some(request)));
    let attempt = LoginAttempt {
        tenant: tenant.name.as_str().to_owned(),
        url,
        redirect,
        flow,
        origin: Some(origin),
        matcher: callback_matcher(&request, flow, paste),
    };
    let login = LocalLogin {
        request,
        store,
        slot,
    };
    Ok((attempt, login, socket))
}

/// The port in a redirect URI with any port if nothing listens.
const PASTE_PORT: u16 = 6468;

async fn open(config: &Config, slot: &Slot) -> Result<LoginStore, LoginCommandError> {
    let Some(settings) = &config.store else {
        return Err(LoginCommandError::Key(
            "the configuration has no [store]".to_owned(),
        ));
    };
    let store = wiring::open_store(settings).map_err(|error| match error {
        StoreOpenError::Store(error) => LoginCommandError::Store(error),
        StoreOpenError::Key(error) => LoginCommandError::Key(error.to_string()),
    })?;
    match store
        .lock(slot, Duration::from_millis(PROBE_LOCK_TIMEOUT_MS))
        .await
    {
        // A renewal is under way, so the store can be written.
        Ok(_) | Err(StoreError::Busy { .. }) => Ok(store),
        Err(error) => Err(LoginCommandError::Store(error)),
    }
}

/// Accepts parameters that belong to this login, or that end it.
fn callback_matcher(
    request: &Arc<Lock<Option<AuthorizationRequest>>>,
    flow: AuthorizationFlow,
    paste: bool,
) -> CallbackMatcher {
    let request = Arc::clone(request);
    Arc::new(move |parameters| {
        let request = request.lock();
        let Some(request) = request.as_ref() else {
            return false;
        };
        let outcome = match (paste, flow) {
            (true, _) => request.parse_pasted(parameters),
            (false, AuthorizationFlow::Code | AuthorizationFlow::Implicit) => {
                request.parse_callback(parameters)
            }
        };
        match outcome {
            Ok(_) => true,
            Err(error) => {
                error.ends_login() || paste && matches!(error, CallbackError::ErrorPage(_))
            }
        }
    })
}

impl LocalLogin {
    pub(super) async fn finish(
        self,
        callback: Secret<String>,
    ) -> Result<LoginSuccess, LoginCommandError> {
        let request = self.request.lock().take();
        let request = request.ok_or(CallbackError::StateMismatch)?;
        let received = request.parse_pasted(callback.expose())?;
        let completed = complete_login(request, received, &self.store, &self.slot).await?;
        Ok(LoginSuccess {
            tenant: self.slot.tenant.as_str().to_owned(),
            scopes: completed.scopes.iter().map(ToString::to_string).collect(),
            renewable: completed.renewable,
            expires_at: completed.expires_at.map(|it| it.to_string()),
        })
    }
}
