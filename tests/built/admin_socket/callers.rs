//! `caller list` beside the running proxy: it knows when each caller last asked.

use std::process::Command;

use serde_json::Value;

use crate::{program::PROGRAM, wire::get};

use super::{Guarded, Told};

impl Guarded {
    /// A command that finds the configuration, and by it the proxy.
    fn caller(&self, arguments: &[&str]) -> Told {
        let mut command = Command::new(PROGRAM);
        command.arg("--config").arg(self.proxy.directory.config());
        Told::of(command.arg("caller").args(arguments))
    }

    fn listed(&self) -> Vec<Value> {
        let told = self.caller(&["list", "--json"]);
        let list: Value = serde_json::from_str(&told.out).unwrap();
        list["callers"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn the_list_says_how_old_each_caller_is_and_when_it_last_asked() {
    let guarded = Guarded::start("[]");
    let added = guarded.caller(&["add", "reports", "--allow", "secrets"]);
    assert_eq!(added.code, 0, "{}", added.err);
    guarded.caller(&[
        "add",
        "silent",
        "--allow",
        "read",
        "--expires",
        "2199-03-31",
    ]);
    // Refused by the policy: the key was used all the same.
    let answer = get(
        guarded.proxy.addresses.callers,
        "/v2/devices",
        added.out.trim(),
    )
    .await;
    assert_eq!(answer.status, 403);

    let told = guarded.caller(&["list"]);
    let lines: Vec<&str> = told.out.lines().collect();
    let [headers, reports, silent] = lines.as_slice() else {
        panic!("{}", told.out);
    };
    let words: Vec<&str> = headers.split("  ").filter(|it| !it.is_empty()).collect();
    let words: Vec<&str> = words.iter().map(|it| it.trim()).collect();
    assert_eq!(
        words,
        [
            "NAME",
            "KEY",
            "AGE",
            "EXPIRES",
            "LAST USED",
            "RULES",
            "DEFINED AT"
        ]
    );
    assert!(
        reports.contains("  never")
            && reports.contains(" s ago  ")
            && reports.contains("  secrets  "),
        "{reports}"
    );
    assert!(silent.contains("2199-03-31  not yet"), "{silent}");

    let listed = guarded.listed();
    let [reports, silent] = listed.as_slice() else {
        panic!("{listed:?}");
    };
    let last = reports["last_used"].as_str().unwrap();
    assert!(last.starts_with("20") && last.ends_with('Z'), "{last}");
    assert!(reports["created"].as_str().unwrap().ends_with('Z'));
    assert!(reports["age_s"].as_u64().unwrap() < 60);
    assert_eq!(
        (&silent["last_used"], &silent["expired"]),
        (&Value::Null, &Value::Bool(false))
    );
    assert!(
        silent["digests"][0]
            .as_str()
            .unwrap()
            .starts_with("sha256:")
    );

    let one = guarded.caller(&["show", "reports", "--json"]);
    let one: Value = serde_json::from_str(&one.out).unwrap();
    assert_eq!(one["last_used"], reports["last_used"]);
}

#[tokio::test]
async fn without_the_proxy_nobody_knows_the_last_use() {
    let mut guarded = Guarded::start("[]");
    guarded.caller(&["add", "reports", "--allow", "read"]);
    guarded.proxy.program.terminate().await;
    let told = guarded.caller(&["list"]);
    assert_eq!(told.code, 0, "{}", told.err);
    assert!(
        told.out.contains("  never    –          read"),
        "{}",
        told.out
    );
    assert_eq!(guarded.listed()[0]["last_used"], Value::Null);
}
