//! Targets that another parser could read as another operation: none gets past policy, and what passes is not rewritten.

use std::{collections::HashMap, sync::Arc};

use http::uri::PathAndQuery;
use ninjaone_proxy::{
    net::{Method, request::target::Target},
    ninjaone::{
        catalogue::Catalogue,
        operation::{Operation, ParameterKind, RiskClass},
    },
};
use percent_encoding::percent_decode_str;
use proptest::prelude::*;
use tokio::task::JoinSet;

use crate::wire::{Client, request};

use super::stack::{Stack, key};

/// Connections that the targets are sent over.
const CLIENTS: usize = 4;
const TARGETS_MIN: usize = 20_000;

/// A target, and what may become of it.
struct Case {
    method: Method,
    target: String,
    /// Where the part for NinjaOne begins.
    base: usize,
    may: May,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum May {
    /// Its operation is allowed to the caller, and written plainly.
    Pass,
    /// It must not arrive, whoever asks.
    Never,
}

/// The path of an operation with plain values for its parameters.
fn path_of(operation: &Operation) -> String {
    let mut path = operation.template.to_string();
    for parameter in &operation.parameters {
        let value = match parameter.kind {
            ParameterKind::Integer => "1",
            ParameterKind::Text => "abc",
        };
        path = path.replace(&format!("{{{}}}", parameter.name), value);
    }
    path
}

fn may_read(operation: &Operation) -> bool {
    operation.class == RiskClass::Read
}

/// The families P1 to P7, P9 and P10: writings of `path` that must never arrive.
fn crooked(path: &str, root: &str) -> Vec<String> {
    let tail = path.strip_prefix("/v2/").unwrap();
    let (first, rest) = tail.split_once('/').unwrap_or((tail, ""));
    let full = format!("{root}/{tail}");
    let (parent, last) = full.rsplit_once('/').unwrap();
    vec![
        format!("{root}/devices/../{tail}"),
        format!("{root}/devices/%2e%2e/{tail}"),
        format!("{root}/devices/.%2E/{tail}"),
        format!("{root}/./{tail}"),
        format!("{root}/..;/{tail}"),
        format!("{root}/{}", tail.replace('/', "%2f") + "%2F"),
        format!("{parent}%2f{last}"),
        format!("{parent}%252f{last}"),
        format!("{parent}%25%32%66{last}"),
        format!("/{full}"),
        format!("{root}//{tail}"),
        format!("///evil.example{full}"),
        format!("{parent}\\{last}"),
        format!("{root}/%5c..%5c{tail}"),
        format!("{root}/{first};a=b/{rest}"),
        format!("{full};.json"),
        format!("{full}%00"),
        format!("{full}%00/.."),
        format!("{root}/%c0%ae%c0%ae/{tail}"),
        format!("{parent}%e0%80%af{last}"),
        format!("{parent}%f0%80%80%af{last}"),
        format!("{full}%zz"),
        format!("{full}%2"),
        format!("{full}%u002e"),
        format!("{full}#/../devices"),
        format!("http://evil.example{full}"),
        format!("https://app.ninjarmm.com@evil.example{full}"),
        format!("{root}/devices?x=1#{tail}"),
    ]
}

/// P7: writings that name no operation, unless a parameter of text takes them.
fn unknown(path: &str, root: &str, operation: &Operation) -> Vec<String> {
    let tail = path.strip_prefix("/v2/").unwrap();
    let mut all = vec![
        format!("/V2/{}", tail.to_uppercase()),
        format!("{root}/{tail}//"),
    ];
    let ends_in_text = operation.template.ends_with('}')
        && operation
            .parameters
            .last()
            .is_some_and(|it| it.kind == ParameterKind::Text);
    if !ends_in_text {
        all.push(format!("{root}/{tail}."));
        all.push(format!("{root}/{tail}%20"));
    }
    if tail.contains("/1/") {
        all.push(format!("{root}/{}", tail.replace("/1/", "/01/")));
        all.push(format!("{root}/{}", tail.replace("/1/", "/1%20/")));
        all.push(format!("{root}/{}", tail.replace("/1/", "/+1/")));
    }
    all
}

/// P11: a query that may ask for secrets, however it is written.
fn asking(name: &str) -> Vec<String> {
    let upper = name.to_uppercase();
    let escapes: Vec<String> = name.bytes().map(|it| format!("%{it:02x}")).collect();
    let encoded = escapes.concat();
    let twice = encoded.replace('%', "%25");
    vec![
        format!("{name}=false&{name}=true"),
        format!("{name}=true&{name}=false"),
        format!("{}%53ecureValues=true", name.get(..4).unwrap_or_default()),
        format!("{upper}=true"),
        format!("{name}=true;x"),
        format!("x;{name}=true"),
        format!("a=1%26{name}=true"),
        name.to_owned(),
        format!("{name}="),
        format!("{name}=%74rue"),
        format!("{name}=1"),
        format!("+{name}=true"),
        format!("%20{name}=true"),
        format!("{name}%20=true"),
        format!("{name}[]=true"),
        format!("{name}[0]=true"),
        format!("{encoded}=true"),
        format!("{twice}=true"),
        format!("?{name}=true"),
        format!("{name}=false%26{name}=true"),
        format!("{name}=false;{name}=true"),
        format!("%ef%bb%bf{name}=true"),
        format!("{}=true", name.replace('S', "%c5%bf")),
    ]
}

fn cases(catalogue: &Catalogue) -> Vec<Case> {
    let mut all = Vec::new();
    for operation in catalogue.all() {
        let path = path_of(operation);
        for (root, base) in [("/v2", ""), ("/api/v2", ""), ("/v2", "/tenant/acme")] {
            let mut add = |target: String, may: May| {
                let base = target.strip_prefix(base).map_or(0, |_| base.len());
                all.push(Case {
                    method: operation.method,
                    target,
                    base,
                    may,
                });
            };
            let plain = format!("{base}{root}{}", path.strip_prefix("/v2").unwrap());
            let allowed = may_read(operation);
            let may = if allowed { May::Pass } else { May::Never };
            add(plain.clone(), may);
            let encoded = plain.replace("v2/", "%76%32/");
            add(encoded, may);
            // One slash at the end makes no other operation of it.
            add(format!("{plain}/"), may);
            if root == "/v2" || base.is_empty() {
                for target in crooked(&path, root) {
                    let joined = if target.starts_with('/') {
                        format!("{base}{target}")
                    } else {
                        target
                    };
                    add(joined, May::Never);
                }
                for target in unknown(&path, root, operation) {
                    add(format!("{base}{target}"), May::Never);
                }
            }
            for own in [
                "/ws/oauth/revoke",
                "/ws/anything",
                "/apidocs/",
                "/oauth/authorize",
            ] {
                add(format!("{base}{own}"), May::Never);
            }
            if let Some(name) = &operation.secrets_parameter {
                for query in asking(name) {
                    add(format!("{plain}?{query}"), May::Never);
                }
                add(format!("{plain}?{name}=false"), May::Pass);
            } else {
                add(format!("{plain}?df=a%20in%20(1,2)&x=%2F..%2f&&"), may);
            }
        }
    }
    all
}

/// How the most lenient server would read a path: decoded until nothing changes, with every cleaning that is known.
fn lenient(path: &str) -> String {
    let mut text = path.to_owned();
    for _ in 0..4 {
        text = percent_decode_str(&text).decode_utf8_lossy().into_owned();
    }
    let text = text.replace('\\', "/").replace('\0', "");
    let mut kept: Vec<&str> = Vec::new();
    for segment in text.split('/') {
        let segment = segment.split(';').next().unwrap_or_default();
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    let joined = format!("/{}", kept.join("/"));
    match joined.strip_prefix("/api/v2/") {
        Some(rest) => format!("/v2/{rest}"),
        None => joined,
    }
}

fn found<'a>(catalogue: &'a Catalogue, method: &str, path: &str) -> Option<&'a Arc<Operation>> {
    let method = Method::parse(method)?;
    catalogue.find(method, path).map(|(operation, _)| operation)
}

/// Sends every `CLIENTS`th case, from `first` on. Each carries its number as its user agent.
async fn send_all(at: std::net::SocketAddr, all: Arc<Vec<Case>>, first: usize) -> usize {
    let mut client = Client::new(at);
    let key = key("reporting");
    let mut answered = 0;
    for (number, case) in all.iter().enumerate().skip(first).step_by(CLIENTS) {
        let agent = format!("User-Agent: {number}\r\n");
        let bytes = request(case.method.as_str(), &case.target, &key, &agent);
        if client.ask(&bytes).await.is_some() {
            answered += 1;
        }
    }
    answered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_way_of_writing_a_target_gets_past_a_policy_and_what_passes_is_not_touched() {
    let stack = Stack::start();
    let catalogue = Catalogue::builtin();
    let all = Arc::new(cases(&catalogue));
    assert!(all.len() >= TARGETS_MIN, "only {} targets", all.len());

    let mut clients = JoinSet::new();
    for first in 0..CLIENTS {
        clients.spawn(send_all(stack.proxy.callers, Arc::clone(&all), first));
    }
    let answered: usize = clients.join_all().await.into_iter().sum();
    assert_eq!(answered, all.len(), "requests without an answer");

    let mut arrivals: HashMap<usize, usize> = HashMap::new();
    for seen in stack.arrived() {
        let agent = std::str::from_utf8(seen.header("user-agent").unwrap()).unwrap();
        let number: usize = agent.parse().unwrap();
        *arrivals.entry(number).or_default() += 1;
        let case = &all[number];
        let sent = case.target.get(case.base..).unwrap();
        assert!(
            case.may == May::Pass,
            "{} {} arrived",
            case.method,
            case.target
        );
        assert_eq!(&*seen.target, sent.as_bytes(), "touched");
        let (path, query) = sent.split_once('?').unwrap_or((sent, ""));
        let read = found(&catalogue, &seen.method, &lenient(path)).unwrap();
        assert!(may_read(read), "{sent} may be read as {}", read.id);
        assert!(!query.contains("=true"), "{sent}");
    }
    for (number, case) in all.iter().enumerate() {
        let wanted = usize::from(case.may == May::Pass);
        let came = arrivals.get(&number).copied().unwrap_or_default();
        assert_eq!(came, wanted, "{} {}", case.method, case.target);
    }
    stack.proxy.stop().await;
}

/// Letters, digits and signs that stand for themselves, escaped or not.
fn value() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_~-]{1,12}"
}

/// Escapes what the mask says, except what must stand plain.
fn escaped(path: &str, mask: &[bool]) -> String {
    let escape = |(byte, chosen): (u8, &bool)| {
        let unreserved = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'~' | b'-');
        if *chosen && unreserved {
            format!("%{byte:02X}")
        } else {
            char::from(byte).to_string()
        }
    };
    path.bytes().zip(mask.iter().cycle()).map(escape).collect()
}

/// What is decided about a target: its operation and whether it asks for secrets.
fn decided(catalogue: &Catalogue, method: Method, text: &str) -> Option<(Arc<str>, bool)> {
    let target = Target::parse(&PathAndQuery::try_from(text).ok()?).ok()?;
    assert_eq!(target.forwarded().as_str(), text);
    let (operation, _) = catalogue.find(method, target.canonical_path())?;
    Some((
        Arc::clone(&operation.id),
        operation.requests_secrets(target.query()),
    ))
}

fn hostile_path() -> impl Strategy<Value = String> {
    let chunks = prop::sample::select(vec![
        "/",
        "/v2",
        "/api",
        "/tenant/acme",
        "/devices",
        "/device",
        "/1",
        "/script/run",
        ".",
        "..",
        "%2e",
        "%2f",
        "%5c",
        "%25",
        "%00",
        "%c0%ae",
        ";",
        ";x=y",
        "\\",
        "//",
        "%",
        "%2",
        "a",
        "%61",
        "%C3%A9",
        "%20",
        "?",
        "#",
        "&",
        "=true",
        "showSecureValues",
        "+",
        ":",
        "@",
        "~",
    ]);
    prop::collection::vec(chunks, 1..12).prop_map(|chunks| format!("/{}", chunks.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_decision_does_not_change_with_the_alias_or_with_escapes_of_letters(
        number in 0_usize..315,
        values in prop::collection::vec(value(), 4),
        mask in prop::collection::vec(any::<bool>(), 1..40),
        secrets in any::<bool>(),
    ) {
        thread_local! { static CATALOGUE: Catalogue = Catalogue::builtin(); }
        CATALOGUE.with(|catalogue| {
            let operation = &catalogue.all()[number];
            let mut path = operation.template.to_string();
            for (parameter, value) in operation.parameters.iter().zip(&values) {
                let value = match parameter.kind {
                    ParameterKind::Integer => "42",
                    ParameterKind::Text => value,
                };
                path = path.replace(&format!("{{{}}}", parameter.name), value);
            }
            let query = if secrets { "?showSecureValues=true" } else { "" };
            let plain = decided(catalogue, operation.method, &format!("{path}{query}"));
            prop_assert!(plain.is_some());
            let written = [
                format!("/api{path}{query}"),
                format!("{}{query}", escaped(&path, &mask)),
                format!("{}{query}", escaped(&format!("/api{path}"), &mask)),
            ];
            for text in written {
                prop_assert_eq!(&plain, &decided(catalogue, operation.method, &text), "{}", text);
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_target_that_is_taken_is_read_alike_by_the_most_lenient_reader(text in hostile_path()) {
        let Ok(received) = PathAndQuery::try_from(text.as_str()) else { return Ok(()) };
        let Ok(target) = Target::parse(&received) else { return Ok(()) };
        prop_assert!(received.as_str().ends_with(target.forwarded().as_str()));
        let path = target.canonical_path();
        let read = lenient(target.forwarded().path());
        let trimmed = if path == "/" { path } else { path.trim_end_matches('/') };
        if path != "/api/v2" {
            prop_assert_eq!(read.as_str(), trimmed);
        }
    }
}
