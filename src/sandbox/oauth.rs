//! The token endpoint: client credentials only, answered as NinjaOne is known to answer.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, SERVER},
};
use serde_json::{Value, json};

use crate::{
    clock::Moment,
    ninjaone::{
        endpoint::{AUTHORIZE_PATH, REVOKE_PATH, TOKEN_PATH},
        operation::Scope,
    },
    sandbox::{
        Client,
        answer::{Answer, incident},
        faults::{StatedLife, TokenTrouble},
        query::{Query, decode},
    },
    secret::Secret,
};

/// How many tokens are remembered; the oldest makes room.
const TOKENS_MAX: usize = 10_000;

/// 42 bytes are 56 characters of base64url: as opaque as the real ones.
const TOKEN_BYTES: usize = 42;

const FORM: &str = "application/x-www-form-urlencoded";

/// What a token stands for.
pub(super) struct Bearer {
    /// Place of the client: cursors belong to it.
    pub(super) client: usize,
    pub(super) scopes: Vec<Scope>,
    pub(super) user_context: bool,
    ends: Moment,
}

/// The apps, and the tokens that they were given.
pub(super) struct Tokens {
    clients: Vec<Client>,
    life: Duration,
    issued: Mutex<Issued>,
}

#[derive(Default)]
struct Issued {
    bearers: HashMap<Box<str>, Arc<Bearer>>,
    by_age: VecDeque<Box<str>>,
}

/// What a client asks for, out of the form and the `Authorization` header.
struct Wanted {
    grant: String,
    id: String,
    secret: Secret<String>,
    scope: Option<String>,
}

impl Tokens {
    pub(super) fn new(clients: Vec<Client>, life: Duration) -> Self {
        Self {
            clients,
            life,
            issued: Mutex::default(),
        }
    }

    fn issued(&self) -> MutexGuard<'_, Issued> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The living token with this text.
    pub(super) fn bearer(&self, token: &str) -> Option<Arc<Bearer>> {
        let bearer = self.issued().bearers.get(token).cloned()?;
        (Moment::now() < bearer.ends).then_some(bearer)
    }

    pub(super) fn revoke_all(&self) {
        *self.issued() = Issued::default();
    }

    /// To the API an expired token and an unknown one are the same.
    pub(super) fn expire_all(&self) {
        let now = Moment::now();
        for bearer in self.issued().bearers.values_mut() {
            *bearer = Arc::new(Bearer {
                client: bearer.client,
                scopes: bearer.scopes.clone(),
                user_context: bearer.user_context,
                ends: now,
            });
        }
    }

    /// `POST /ws/oauth/token`.
    pub(super) fn answer(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        stated: Option<StatedLife>,
    ) -> Answer {
        dressed(match self.issue(headers, body) {
            Ok((token, scopes)) => self.token_answer(&token, &scopes, stated),
            Err(refusal) => refusal,
        })
    }

    fn issue(&self, headers: &HeaderMap, body: &[u8]) -> Result<(String, Vec<Scope>), Answer> {
        let wanted = Wanted::read(headers, body)?;
        let known = self.clients.iter().position(|it| it.id == wanted.id);
        let (place, client) = known
            .and_then(|place| Some((place, self.clients.get(place)?)))
            .ok_or_else(no_such_client)?;
        if client.secret != wanted.secret {
            return Err(invalid_client());
        }
        if wanted.grant != "client_credentials" {
            return Err(refusal(StatusCode::BAD_REQUEST, "unsupported_grant_type"));
        }
        let scopes = granted(client, wanted.scope.as_deref())?;
        let token =
            opaque_token().ok_or_else(|| server_error(StatusCode::INTERNAL_SERVER_ERROR))?;
        self.remember(&token, place, client, scopes.clone());
        Ok((token, scopes))
    }

    fn remember(&self, token: &str, place: usize, client: &Client, scopes: Vec<Scope>) {
        let bearer = Arc::new(Bearer {
            client: place,
            scopes,
            user_context: client.user_context,
            ends: Moment::now().plus(self.life),
        });
        let mut issued = self.issued();
        if issued.by_age.len() == TOKENS_MAX
            && let Some(oldest) = issued.by_age.pop_front()
        {
            issued.bearers.remove(&oldest);
        }
        issued.by_age.push_back(token.into());
        issued.bearers.insert(token.into(), bearer);
    }

    fn token_answer(&self, token: &str, scopes: &[Scope], stated: Option<StatedLife>) -> Answer {
        let life = match stated {
            None => Some(json!(self.life.as_secs())),
            Some(StatedLife::Seconds(seconds)) => Some(json!(seconds)),
            Some(StatedLife::Text) => Some(json!(self.life.as_secs().to_string())),
            Some(StatedLife::Absent) => None,
        };
        let scope: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        let mut body = json!({
            "access_token": token,
            "expires_in": life,
            "scope": scope.join(" "),
            "token_type": "Bearer",
        });
        if life.is_none()
            && let Some(members) = body.as_object_mut()
        {
            members.remove("expires_in");
        }
        Answer::ok(&body)
    }
}

impl Wanted {
    /// RFC 6749 section 2.3.1: Basic with form-encoded parts, or both in the form; not both.
    fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Answer> {
        let unreadable = || refusal(StatusCode::BAD_REQUEST, "invalid_request");
        let is_form = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.trim_start().starts_with(FORM));
        let text = std::str::from_utf8(body).map_err(|_| unreadable())?;
        if !is_form {
            return Err(unreadable());
        }
        let form = Query::parse(text);
        let (id, secret) = match headers.get(AUTHORIZATION) {
            Some(_) if form.get("client_secret").is_some() => return Err(unreadable()),
            Some(header) => basic(header).ok_or_else(invalid_client)?,
            None => (
                form.get("client_id").ok_or_else(unreadable)?.to_owned(),
                form.get("client_secret").unwrap_or_default().to_owned(),
            ),
        };
        Ok(Self {
            grant: form.get("grant_type").ok_or_else(unreadable)?.to_owned(),
            id,
            secret: Secret::new(secret),
            scope: form.get("scope").map(str::to_owned),
        })
    }
}

fn basic(header: &HeaderValue) -> Option<(String, String)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    Some((decode(id), decode(secret)))
}

/// All scopes of the app if none is asked for; a scope that it does not have is refused, not left out.
fn granted(client: &Client, asked: Option<&str>) -> Result<Vec<Scope>, Answer> {
    let asked: Vec<&str> = asked.unwrap_or_default().split_ascii_whitespace().collect();
    if asked.is_empty() {
        return Ok(client.scopes.clone());
    }
    asked
        .into_iter()
        .map(|name| Scope::parse(name).filter(|scope| client.scopes.contains(scope)))
        .collect::<Option<Vec<Scope>>>()
        .ok_or_else(|| refusal(StatusCode::BAD_REQUEST, "invalid_scope"))
}

fn opaque_token() -> Option<String> {
    let mut bytes = [0; TOKEN_BYTES];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

fn refusal(status: StatusCode, error: &str) -> Answer {
    Answer::json(status, &json!({ "error": error }))
}

fn invalid_client() -> Answer {
    refusal(StatusCode::UNAUTHORIZED, "invalid_client")
}

/// The client id of another instance, or of nobody.
fn no_such_client() -> Answer {
    let result = "Client app not exist";
    Answer::json(
        StatusCode::NOT_FOUND,
        &json!({"resultCode": result, "incidentId": incident(result)}),
    )
}

fn server_error(status: StatusCode) -> Answer {
    Answer::application_error(status, "ERROR", "The server could not answer")
}

/// The answer of a trouble that gives no token; `None` if it gives one all the same.
pub(super) fn trouble_answer(trouble: TokenTrouble, retry_after: Option<u32>) -> Option<Answer> {
    let answer = match trouble {
        TokenTrouble::Hang | TokenTrouble::Slow(_) | TokenTrouble::Life(_) => return None,
        TokenTrouble::Page => Answer::throttle_page(),
        TokenTrouble::Empty => Answer::empty(StatusCode::OK),
        TokenTrouble::NotJson => Answer::bytes(
            StatusCode::OK,
            HeaderValue::from_static("application/json"),
            "{\"access_token\":".into(),
        ),
        TokenTrouble::Status(400) => refusal(StatusCode::BAD_REQUEST, "invalid_token"),
        TokenTrouble::Status(401) => invalid_client(),
        TokenTrouble::Status(404) => no_such_client(),
        TokenTrouble::Status(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            server_error(status).with_retry_after(retry_after)
        }
    };
    Some(dressed(answer))
}

/// The headers of the token endpoint, which another server stands in front of.
fn dressed(answer: Answer) -> Answer {
    answer
        .with(SERVER, HeaderValue::from_static("nginx"))
        .with(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

/// RFC 8414 metadata, with the members that NinjaOne gives. `origin` has no slash at its end.
pub(super) fn discovery(origin: &str) -> Value {
    json!({
        "issuer": format!("{origin}/"),
        "authorization_endpoint": format!("{origin}{AUTHORIZE_PATH}"),
        "revocation_endpoint": format!("{origin}{REVOKE_PATH}"),
        "token_endpoint": format!("{origin}{TOKEN_PATH}"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "client_credentials", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["monitoring"],
    })
}
