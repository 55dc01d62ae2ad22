//! What must be true at the end of every world, whatever happened in it.

use std::{
    collections::{HashMap, HashSet},
    fs,
};

use ninjaone_proxy::audit::{log_file, verify::verify};
use serde_json::Value;

use crate::audit_log;

use super::world::{Behind, World};

/// What of a caller's request may reach NinjaOne, and what the proxy adds.
const HEADERS_UPSTREAM: [&str; 17] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "content-type",
    "content-length",
    "transfer-encoding",
    "user-agent",
    "if-none-match",
    "if-modified-since",
    "if-match",
    "if-unmodified-since",
    "content-language",
    "range",
    "if-range",
    "authorization",
    "host",
    "via",
];

/// Texts that tests put into bodies, cookies and forms: they must be nowhere.
pub(crate) const BODY_CANARY: &str = "body-canary-7f3a9c";
pub(crate) const COOKIE_CANARY: &str = "cookie-canary-51d0e2";

/// A request that reached NinjaOne's API.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Arrival {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

pub(crate) fn arrivals(behind: &Behind) -> Vec<Arrival> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match behind {
        Behind::Hostile(hostile) => {
            let got = hostile.got();
            let arrival = |it: &super::hostile::Got| Arrival {
                method: it.method().to_owned(),
                target: it.target().to_owned(),
                headers: it.headers(),
            };
            got.iter().map(arrival).collect()
        }
        Behind::Sandbox(ninja) => {
            let seen = ninja.requests();
            let api = seen.iter().filter(|it| is_api(&it.target));
            api.map(|it| Arrival {
                method: it.method.to_string(),
                target: text(&it.target),
                headers: it
                    .headers()
                    .map(|(name, value)| (name.to_owned(), text(value)))
                    .collect(),
            })
            .collect()
        }
    }
}

/// Looks at everything that a world leaves behind.
pub(crate) fn audit(world: &World, told: &[String], log: &str) {
    let directory = world.audit_path();
    let report = verify(&directory, &[]).expect("a log");
    assert!(report.is_intact(), "{:?}", report.breaks);
    assert_eq!(report.remarks, [], "intents and outcomes do not match");
    let lines = audit_log::lines(&directory);
    assert_eq!(lines.last().unwrap()["type"], "stop");
    one_outcome_each(world, &lines);
    writes_are_announced(world, &lines);
    only_allowed_headers_arrived(world);
    no_secret_is_told(world, told, log);
}

fn one_outcome_each(world: &World, lines: &[Value]) {
    let mut outcomes: HashMap<&str, usize> = HashMap::new();
    for line in lines.iter().filter(|it| it["type"] == "outcome") {
        *outcomes
            .entry(line["request"].as_str().unwrap())
            .or_default() += 1;
    }
    for (id, count) in &outcomes {
        assert_eq!(*count, 1, "request {id} has {count} outcomes");
    }
    let mut told = HashSet::new();
    for id in world.answered.all() {
        assert!(outcomes.contains_key(id.as_str()), "{id} has no outcome");
        assert!(told.insert(id.clone()), "{id} was given to two answers");
    }
}

fn writes_are_announced(world: &World, lines: &[Value]) {
    let mut announced: HashMap<&str, &Value> = HashMap::new();
    let mut by_method: HashMap<String, usize> = HashMap::new();
    for line in lines {
        let request = line["request"].as_str().unwrap_or_default();
        let class = line["class"].as_str().unwrap_or("read");
        if line["type"] == "intent" {
            announced.insert(request, line);
            let method = line["method"].as_str().unwrap().to_owned();
            *by_method.entry(method).or_default() += 1;
        } else if line["type"] == "outcome" && class != "read" {
            let attempts = line["attempts"].as_u64().unwrap();
            let intent = announced.get(request);
            assert!(attempts == 0 || intent.is_some(), "{line}");
            let is_write = line["method"] != "GET" && line["method"] != "HEAD";
            if attempts > 1 && is_write {
                // As the service, which NinjaOne refused, and then as the user.
                let went_as = (&intent.unwrap()["identity"], &line["identity"]);
                let is_switched = attempts == 2 && went_as.0 == "service" && went_as.1 == "user";
                assert!(is_switched, "a write was sent twice: {line}");
                *by_method
                    .entry(line["method"].as_str().unwrap().to_owned())
                    .or_default() += 1;
            }
        }
    }
    let mut arrived: HashMap<String, usize> = HashMap::new();
    for arrival in world.arrivals() {
        let reads = arrival.target.contains("/board/");
        if !matches!(&*arrival.method, "GET" | "HEAD") && !reads {
            *arrived.entry(arrival.method).or_default() += 1;
        }
    }
    for (method, count) in arrived {
        let intents = by_method.get(&method).copied().unwrap_or_default();
        assert!(count <= intents, "{count} {method} for {intents} intents");
    }
}

/// Not of the OAuth server, which stands beside the API.
pub(crate) fn is_api(target: &[u8]) -> bool {
    !target.starts_with(b"/ws/") && !target.starts_with(b"/.well-known/")
}

fn only_allowed_headers_arrived(world: &World) {
    for arrival in world.arrivals() {
        for (name, value) in &arrival.headers {
            assert!(HEADERS_UPSTREAM.contains(&name.as_str()), "{name} arrived");
            assert!(!value.contains("njp_"), "a key arrived in {name}");
            assert!(!value.contains("njt_"), "a token of ours arrived in {name}");
            assert!(!value.contains(COOKIE_CANARY), "a cookie arrived in {name}");
        }
        let authorizations = arrival
            .headers
            .iter()
            .filter(|(name, _)| name == "authorization");
        assert_eq!(authorizations.count(), 1, "one token, and ours");
    }
}

fn no_secret_is_told(world: &World, told: &[String], log: &str) {
    let mut secrets: HashSet<String> = HashSet::from([
        world.secret.clone(),
        BODY_CANARY.to_owned(),
        COOKIE_CANARY.to_owned(),
        "sessionKey=".to_owned(),
    ]);
    for arrival in world.arrivals() {
        let token = arrival.header("authorization").unwrap_or_default();
        secrets.insert(token.trim_start_matches("Bearer ").to_owned());
    }
    let mut audit = String::new();
    for file in log_file::list_log_files(&world.audit_path()).unwrap() {
        audit.push_str(&fs::read_to_string(file.path).unwrap());
    }
    let places = [("audit", audit.as_str()), ("log", log)];
    let told = told.iter().map(|it| ("admin", it.as_str()));
    for (place, text) in places.into_iter().chain(told) {
        for secret in secrets.iter().filter(|it| !it.is_empty()) {
            assert!(
                !text.contains(secret.as_str()),
                "{secret} is in the {place}"
            );
        }
        assert!(
            !text.contains("_canary"),
            "a caller's key is in the {place}"
        );
        assert!(!text.contains("njt_"), "a token of ours is in the {place}");
        assert!(!text.contains("Bearer "), "a bearer is in the {place}");
    }
}
