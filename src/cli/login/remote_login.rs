//! A login at a running proxy, over its admin socket or its admin listener: this process only forwards the callback.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    cli::running_proxy::{RunningProxy, RunningProxyError},
    config::value::redirect_uri,
    credentials::login::authorization::{AuthorizationFlow, split_pasted},
    secret::Secret,
};

use super::{
    attempt::{LoginAttempt, LoginSuccess},
    callback::{CallbackMatcher, CallbackSocket},
    error::LoginCommandError,
};

/// Timeout: as long as the proxy may take for discovery, the exchange, and a renewal that holds the store.
const TIMEOUT: Duration = Duration::from_secs(40);

/// The running proxy that logs a user in.
pub(super) struct RemoteProxy(pub(super) RunningProxy);

pub(super) struct RemoteLogin {
    proxy: RemoteProxy,
    id: String,
}

#[derive(Deserialize)]
struct AdminLoginResponse {
    next_step: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    tenant: String,
    #[serde(default)]
    authorize_url: String,
    #[serde(default)]
    redirect_uri: String,
    #[serde(default)]
    grant: String,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    renewable: bool,
    #[serde(default)]
    expires_at: Option<String>,
    #[serde(default)]
    error: String,
    #[serde(default)]
    detail: String,
}

pub(super) async fn begin(
    proxy: RemoteProxy,
    tenant: Option<&str>,
    paste: bool,
) -> Result<(LoginAttempt, RemoteLogin, Option<CallbackSocket>), LoginCommandError> {
    let mut request = json!({});
    if let Some(tenant) = tenant {
        request["tenant"] = tenant.into();
    }
    let mut socket = None;
    let response = match proxy.post("/login", &request).await {
        Err(LoginCommandError::Proxy { error, .. }) if error == "port-needed" => {
            let any = CallbackSocket::bind(([127, 0, 0, 1], 0).into()).await?;
            request["port"] = any.address.port().into();
            socket = Some(any);
            proxy.post("/login", &request).await?
        }
        other => other?,
    };
    if !paste && socket.is_none() {
        let elsewhere = || LoginCommandError::RedirectNotLocal(response.redirect_uri.clone());
        let redirect = redirect_uri::parse(&response.redirect_uri).map_err(|_| elsewhere())?;
        socket = Some(CallbackSocket::bind(redirect.loopback.ok_or_else(elsewhere)?).await?);
    }
    let socket = socket.filter(|_| !paste);
    let state = state_of(&response.authorize_url)
        .ok_or_else(|| LoginCommandError::UnexpectedResponse(proxy.0.describe()))?;
    let flow = match response.grant.as_str() {
        "implicit" => AuthorizationFlow::Implicit,
        _ => AuthorizationFlow::Code,
    };
    let attempt = LoginAttempt {
        tenant: response.tenant,
        url: response.authorize_url,
        redirect: response.redirect_uri,
        flow,
        origin: None,
        matcher: callback_matcher(state, flow),
    };
    let login = RemoteLogin {
        proxy,
        id: response.id,
    };
    Ok((attempt, login, socket))
}

/// Accepts what has this login's `state`; the proxy checks the rest.
fn callback_matcher(state: Secret<String>, flow: AuthorizationFlow) -> CallbackMatcher {
    Arc::new(move |text| {
        let (_, parameters) = split_pasted(text, flow);
        find(parameters, "state").is_some_and(|it| it == state)
    })
}

fn state_of(url: &str) -> Option<Secret<String>> {
    find(url.split_once('?')?.1, "state")
}

fn find(parameters: &str, wanted: &str) -> Option<Secret<String>> {
    let mut pairs = form_urlencoded::parse(parameters.as_bytes());
    let (_, value) = pairs.find(|(name, _)| name == wanted)?;
    Some(Secret::new(value.into_owned()))
}

impl RemoteProxy {
    async fn post(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<AdminLoginResponse, LoginCommandError> {
        let posted = self.0.post(path, body, TIMEOUT).await;
        let body = posted.map_err(|error| match error {
            RunningProxyError::Unreachable { at, error } => {
                LoginCommandError::Unreachable(at, error)
            }
            error => LoginCommandError::Key(error.to_string()),
        })?;
        let response: AdminLoginResponse = serde_json::from_slice(&body)
            .map_err(|_| LoginCommandError::UnexpectedResponse(self.0.describe()))?;
        if response.next_step == "failed" {
            let (error, detail) = (response.error, response.detail);
            return Err(LoginCommandError::Proxy { error, detail });
        }
        Ok(response)
    }
}

impl RemoteLogin {
    pub(super) async fn finish(
        self,
        callback: Secret<String>,
    ) -> Result<LoginSuccess, LoginCommandError> {
        let path = format!("/login/{}", self.id);
        let body = json!({ "callback": callback.expose() });
        let response = self.proxy.post(&path, &body).await?;
        Ok(LoginSuccess {
            tenant: response.tenant,
            scopes: response.scopes,
            renewable: response.renewable,
            expires_at: response.expires_at,
        })
    }
}
