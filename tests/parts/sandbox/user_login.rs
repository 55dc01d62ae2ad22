//! A user in front of the consent page, and the app that sent them there.

use std::collections::BTreeMap;

use form_urlencoded::Serializer;
use ninjaone_proxy::sandbox::{
    NATIVE_CLIENT_ID, SINGLE_PAGE_CLIENT_ID, WEB_CLIENT_ID, WEB_CLIENT_SECRET,
};
use serde_json::Value;

use super::wire::{Reply, TestSandbox, send};

/// RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(crate) const NATIVE_REDIRECT: &str = "http://127.0.0.1:51234/back";

pub(crate) type Pairs<'a> = Vec<(&'a str, &'a str)>;

/// What a Native app asks for when it does all as it should.
pub(crate) fn native() -> Pairs<'static> {
    vec![
        ("client_id", NATIVE_CLIENT_ID),
        ("redirect_uri", NATIVE_REDIRECT),
        ("response_type", "code"),
        ("scope", "monitoring management offline_access"),
        ("state", "st&te=1 \"<ä>"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

pub(crate) fn web() -> Pairs<'static> {
    vec![
        ("client_id", WEB_CLIENT_ID),
        ("redirect_uri", "https://web.example/signed-in/"),
        ("response_type", "code"),
        ("scope", "monitoring offline_access"),
        ("state", "s"),
    ]
}

pub(crate) fn single_page() -> Pairs<'static> {
    let changed = [
        ("client_id", SINGLE_PAGE_CLIENT_ID),
        ("redirect_uri", "https://spa.example/"),
        ("scope", "monitoring"),
    ];
    with(native(), &changed)
}

/// These pairs in place of those with the same name; without value, the pair is left out.
pub(crate) fn with<'a>(mut pairs: Pairs<'a>, changed: &[(&'a str, &'a str)]) -> Pairs<'a> {
    pairs.retain(|(name, _)| changed.iter().all(|(other, _)| other != name));
    pairs.extend(changed.iter().filter(|(_, value)| !value.is_empty()));
    pairs
}

pub(crate) fn encoded(pairs: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// Where a redirect leads to, and the pairs in its query or fragment.
pub(crate) struct Sent {
    pub(crate) to: String,
    pub(crate) mark: char,
    pub(crate) pairs: BTreeMap<String, String>,
}

impl Sent {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.get(name).map(String::as_str)
    }
}

pub(crate) fn sent(reply: &Reply) -> Sent {
    assert_eq!(reply.status, 302);
    let target = reply.header("location").unwrap();
    let at = target.find(['?', '#']).unwrap();
    let pairs = form_urlencoded::parse(&target.as_bytes()[at + 1..]);
    Sent {
        to: target[..at].to_owned(),
        mark: target[at..].chars().next().unwrap(),
        pairs: pairs.into_owned().collect(),
    }
}

impl TestSandbox {
    pub(crate) async fn authorize(&self, pairs: &[(&str, &str)]) -> Reply {
        let target = format!("/ws/oauth/authorize?{}", encoded(pairs));
        send(self.at, "GET", &target, "", "").await.unwrap()
    }

    /// Opens the page and presses a button, sending what the form holds.
    pub(crate) async fn decide(&self, pairs: &[(&str, &str)], decision: &str) -> Reply {
        let page = self.authorize(pairs).await;
        assert_eq!(page.status, 200);
        let page = String::from_utf8(page.body).unwrap();
        let action = between(&page, "<form method=\"post\" action=\"", "\"").unwrap();
        let mut fields: Vec<(String, String)> = page
            .split("<input type=\"hidden\" ")
            .skip(1)
            .map(|field| {
                let name = between(field, "name=\"", "\"").unwrap();
                let value = between(field, "value=\"", "\"").unwrap();
                (unescaped(name), unescaped(value))
            })
            .collect();
        fields.push(("decision".to_owned(), decision.to_owned()));
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        self.post(action, &fields).await
    }

    /// The code that the app gets when the user agrees.
    pub(crate) async fn code(&self, pairs: &[(&str, &str)]) -> String {
        let sent = sent(&self.decide(pairs, "allow").await);
        sent.get("code").unwrap().to_owned()
    }

    pub(crate) async fn post(&self, target: &str, pairs: &[(&str, &str)]) -> Reply {
        let headers = "Content-Type: application/x-www-form-urlencoded\r\n";
        send(self.at, "POST", target, headers, &encoded(pairs))
            .await
            .unwrap()
    }

    pub(crate) async fn redeem(&self, pairs: &[(&str, &str)]) -> Reply {
        self.post("/ws/oauth/token", pairs).await
    }

    /// The tokens of a login at the Native app.
    pub(crate) async fn native_login(&self) -> Value {
        let code = self.code(&native()).await;
        let reply = self.redeem(&native_redemption(&code)).await;
        assert_eq!(reply.status, 200);
        reply.json()
    }

    pub(crate) async fn refresh(&self, token: &str) -> Reply {
        self.redeem(&native_refresh(token)).await
    }

    /// The status of a read with this token.
    pub(crate) async fn opens(&self, token: &Value) -> bool {
        let token = token.as_str().unwrap();
        self.get(token, "/v2/organizations").await.status == 200
    }
}

pub(crate) fn native_redemption(code: &str) -> Pairs<'_> {
    vec![
        ("grant_type", "authorization_code"),
        ("client_id", NATIVE_CLIENT_ID),
        ("redirect_uri", NATIVE_REDIRECT),
        ("code", code),
        ("code_verifier", VERIFIER),
    ]
}

pub(crate) fn web_redemption(code: &str) -> Pairs<'_> {
    vec![
        ("grant_type", "authorization_code"),
        ("client_id", WEB_CLIENT_ID),
        ("client_secret", WEB_CLIENT_SECRET),
        ("redirect_uri", "https://web.example/signed-in/"),
        ("code", code),
    ]
}

pub(crate) fn native_refresh(token: &str) -> Pairs<'_> {
    vec![
        ("grant_type", "refresh_token"),
        ("client_id", NATIVE_CLIENT_ID),
        ("refresh_token", token),
    ]
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0)
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}
