//! A login at a running proxy through its admin listener: this process only forwards the callback.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header::AUTHORIZATION};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    app::wiring::endpoint,
    config::value::{address, redirect_uri, secret_ref},
    credentials::login::authorization::{AuthorizationFlow, split_pasted},
    net::client::{connector::Endpoint, exchange::exchange},
    secret::Secret,
};

use super::{Begun, Done, End, Failure, Judge, callback::Socket};

/// Timeout: as long as the proxy may take for discovery, the exchange, and a renewal that holds the store.
const TIME_OUT: Duration = Duration::from_secs(40);

const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The admin listener of a proxy, and the key to it.
pub(super) struct Proxy {
    endpoint: Endpoint,
    key: Secret<String>,
}

pub(super) struct There {
    proxy: Proxy,
    id: String,
}

#[derive(Deserialize)]
struct Answer {
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
    proxy: Proxy,
    tenant: Option<&str>,
    paste: bool,
) -> Result<(Begun, Option<Socket>), Failure> {
    let mut wanted = json!({});
    if let Some(tenant) = tenant {
        wanted["tenant"] = tenant.into();
    }
    let mut socket = None;
    let answer = match proxy.ask("/login", &wanted).await {
        Err(Failure::Proxy { error, .. }) if error == "port-needed" => {
            let any = Socket::bind(([127, 0, 0, 1], 0).into()).await?;
            wanted["port"] = any.at.port().into();
            socket = Some(any);
            proxy.ask("/login", &wanted).await?
        }
        other => other?,
    };
    if !paste && socket.is_none() {
        let elsewhere = || Failure::NotHere(answer.redirect_uri.clone());
        let redirect = redirect_uri::parse(&answer.redirect_uri).map_err(|_| elsewhere())?;
        socket = Some(Socket::bind(redirect.loopback.ok_or_else(elsewhere)?).await?);
    }
    let socket = socket.filter(|_| !paste);
    let state = state_of(&answer.authorize_url)
        .ok_or_else(|| Failure::NotAProxy(proxy.endpoint.origin()))?;
    let flow = match answer.grant.as_str() {
        "implicit" => AuthorizationFlow::Implicit,
        _ => AuthorizationFlow::Code,
    };
    let begun = Begun {
        tenant: answer.tenant,
        url: answer.authorize_url,
        redirect: answer.redirect_uri,
        flow,
        origin: None,
        judge: judge(state, flow),
        end: End::There(There {
            proxy,
            id: answer.id,
        }),
    };
    Ok((begun, socket))
}

/// Accepts what has this login's `state`; the proxy checks the rest.
fn judge(state: Secret<String>, flow: AuthorizationFlow) -> Judge {
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

impl Proxy {
    pub(super) fn at(url: &str, key_file: &Path) -> Result<Self, Failure> {
        let origin = address::parse_origin(url)
            .map_err(|error| Failure::Key(format!("--admin: {error}")))?;
        let key = secret_ref::from_file(key_file)
            .and_then(|it| it.text())
            .map_err(|error| Failure::Key(format!("--admin-key-file: {error}")))?;
        Ok(Self {
            endpoint: endpoint(&origin),
            key,
        })
    }

    async fn ask(&self, path: &str, body: &Value) -> Result<Answer, Failure> {
        let origin = || self.endpoint.origin();
        let mut request = Request::new(Bytes::from(body.to_string()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = path.parse().map_err(|_| Failure::NotAProxy(origin()))?;
        let bearer = HeaderValue::try_from(format!("Bearer {}", self.key.expose()));
        let mut bearer =
            bearer.map_err(|_| Failure::Key("--admin-key-file: this is not a key".to_owned()))?;
        bearer.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, bearer);
        let answer = exchange(&self.endpoint, request, ANSWER_BYTES_MAX, TIME_OUT)
            .await
            .map_err(|error| Failure::Unreachable(origin(), error))?;
        let answer: Answer =
            serde_json::from_slice(answer.body()).map_err(|_| Failure::NotAProxy(origin()))?;
        if answer.next_step == "failed" {
            let (error, detail) = (answer.error, answer.detail);
            return Err(Failure::Proxy { error, detail });
        }
        Ok(answer)
    }
}

impl There {
    pub(super) async fn finish(self, came: Secret<String>) -> Result<Done, Failure> {
        let path = format!("/login/{}", self.id);
        let body = json!({ "callback": came.expose() });
        let answer = self.proxy.ask(&path, &body).await?;
        Ok(Done {
            tenant: answer.tenant,
            scopes: answer.scopes,
            renewable: answer.renewable,
            expires_at: answer.expires_at,
        })
    }
}
