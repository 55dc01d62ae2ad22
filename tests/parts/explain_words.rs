//! Each word of the audit line's `error` has a sentence of its own in `explain`.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};

use super::explain::{Told, explain_from};

const ID: &str = "01K9YJ00000000000000000001";

fn explained(line: &Value, json: bool) -> Told {
    let mut line = line.clone();
    line["type"] = json!("outcome");
    line["request"] = json!(ID);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("audit-000000000001.jsonl");
    fs::write(file, format!("{line}\n")).unwrap();
    explain_from(directory.path(), &[ID], json)
}

/// What was said of it, without the line of what it was.
fn verdict(line: &Value) -> String {
    let told = explained(line, true);
    assert_eq!(told.code, 5, "{}{}", told.out, told.err);
    let object: Value = serde_json::from_str(&told.out).unwrap();
    object["verdict"].as_str().unwrap().to_owned()
}

/// The words that `as_str` of an enum gives. They are read in the source, so that a new one cannot be forgotten here.
fn words(source: &str, of: &str) -> Vec<String> {
    let (_, rest) = source.split_once(of).expect("the enum's methods");
    let (_, rest) = rest.split_once("fn as_str(").expect("its words");
    let (body, _) = rest.split_once("\n    }\n").expect("their end");
    let words: Vec<String> = body
        .lines()
        .filter_map(|line| line.split_once("=> \""))
        .filter_map(|(_, word)| word.split_once('"'))
        .map(|(word, _)| word.to_owned())
        .collect();
    assert!(words.len() > 4, "{words:?}");
    words
}

/// All sentences differ, and none is what is said where the word is not known.
fn are_told_apart(words: &[String], line: impl Fn(&str) -> Value) {
    let unknown = verdict(&line("no-such-word"));
    let mut sentences = BTreeSet::from([unknown]);
    for word in words {
        let sentence = verdict(&line(word));
        assert!(sentences.insert(sentence.clone()), "{word}: {sentence}");
    }
}

#[test]
fn each_way_to_fail_to_prove_who_one_is_has_its_sentence() {
    let source = include_str!("../../src/caller/mod.rs");
    are_told_apart(&words(source, "impl AuthenticationError {"), |word| {
        json!({ "method": "GET", "path": "/v2/users", "decision": "unauthenticated", "error": word,
                "source": "proxy", "status": 401, "attempts": 0 })
    });
}

#[test]
fn each_refusal_of_the_token_endpoint_has_its_sentence() {
    let source = include_str!("../../src/proxy/token_response.rs");
    for path in ["/ws/oauth/token", "/oauth/token/", "/ws/oauth/revoke"] {
        are_told_apart(&words(source, "impl TokenRequestError {"), |word| {
            json!({ "caller": "powerbi", "method": "POST", "path": path, "decision": "bad-request", "error": word,
                    "source": "proxy", "status": 400, "attempts": 0 })
        });
    }
}

#[test]
fn each_fault_of_a_body_has_its_sentence() {
    let source = include_str!("../../src/net/body/request_body_error.rs");
    let words = words(source, "impl RequestBodyError {");
    for word in &words {
        let mut line = json!({ "caller": "powerbi", "tenant": "acme", "method": "POST", "path": "/v2/organizations",
                "operation": "createOrganization", "class": "write", "decision": "allowed", "error": word,
                "source": "proxy", "status": 400, "attempts": 1 });
        let sent = verdict(&line);
        assert!(sent.contains("may have reached NinjaOne"), "{word}: {sent}");
        line["attempts"] = json!(0);
        let unsent = verdict(&line);
        assert!(unsent.contains("Nothing was sent."), "{word}: {unsent}");
        assert!(!unsent.contains(word.as_str()), "{word}: {unsent}");
    }
    let refused: Vec<String> = words
        .into_iter()
        .filter(|it| it != "body-malformed")
        .collect();
    // One that is not framed as announced has no word in the line of its refusal.
    are_told_apart(&refused, |word| {
        json!({ "caller": "powerbi", "tenant": "acme", "method": "POST", "path": "/v2/organizations",
                "operation": "createOrganization", "class": "write", "decision": "bad-request", "error": word,
                "source": "proxy", "status": 400, "attempts": 0 })
    });
}

#[test]
fn the_tenant_of_a_recorded_request_is_not_said_to_have_been_named() {
    let line = json!({ "caller": "powerbi", "tenant": "acme", "method": "GET", "path": "/v2/organizations",
            "operation": "getOrganizations", "class": "read", "decision": "allowed", "source": "ninjaone",
            "status": 200, "attempts": 1 });
    for json in [false, true] {
        let told = explained(&line, json);
        assert!(told.out.contains("acme: the one on record"), "{}", told.out);
        assert!(!told.out.contains("named by"), "{}", told.out);
    }
}

#[test]
fn metadata_that_were_not_served_are_explained_by_policy() {
    let line = json!({ "caller": "powerbi", "method": "GET", "source": "proxy", "status": 404, "attempts": 0,
            "path": "/.well-known/oauth-authorization-server/more", "decision": "unknown-operation" });
    let told = explained(&line, false);
    assert_eq!(told.code, 5);
    assert!(
        told.out.contains("no operation of the catalogue"),
        "{}",
        told.out
    );
}
