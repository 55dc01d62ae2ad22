//! The references in docs/ name what the program has, and nothing else.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use ninjaone_proxy::admin::{
    health::Health,
    metrics::render,
    metrics_snapshot::{AuditSpaceMetrics, MetricsSnapshot},
    overall_health,
    status_snapshot::{
        AuditGap, AuditSpaceLevel, AuditSpaceStatus, IdentityState, OutgoingProxyStatus,
        StalledPart, StatusSnapshot, UnreachableStatus,
    },
    trouble::{Trouble, TroubleKind},
};
use serde_json::Value;

use crate::admin::fixture::{figures, healthy, identity, user};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect(path)
}

/// The word in the first column of each row of the document's tables.
fn rows(document: &str) -> BTreeSet<String> {
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split_once("` |"))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// What stands between `before` and the next `after`, wherever it does.
fn all_between(source: &str, before: &str, after: char) -> BTreeSet<String> {
    let chunks = source.split(before).skip(1);
    chunks
        .filter_map(|it| it.split_once(after))
        .map(|(name, _)| name.to_owned())
        .collect()
}

fn names(of: &[&str]) -> BTreeSet<String> {
    of.iter().map(|&name| name.to_owned()).collect()
}

fn assert_same(document: &str, written: &BTreeSet<String>, real: &BTreeSet<String>) {
    let missing: Vec<_> = real.difference(written).collect();
    let invented: Vec<_> = written.difference(real).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "{document}: lacks {missing:?}; names what does not exist: {invented:?}"
    );
}

#[test]
fn the_audit_record_lists_every_member_and_every_type() {
    const DOCUMENT: &str = "docs/reference/audit-record.md";
    let writer = text("src/audit/line_writer.rs");
    let product = writer.split("#[cfg(test)]").next().unwrap();
    let mut real = all_between(product, "name!(\"", '"');
    real.extend(names(&["v", "type", "prev", "hash"]));
    let entry = text("src/audit/entry.rs");
    let kinds = entry.split("pub const fn kind").nth(1).unwrap();
    let kinds = kinds.split("\n    }\n").next().unwrap();
    real.extend(all_between(kinds, "=> \"", '"'));
    real.extend(names(&["intent", "outcome"]));
    assert_same(DOCUMENT, &rows(&text(DOCUMENT)), &real);
}

fn full_metrics() -> MetricsSnapshot {
    MetricsSnapshot {
        health: Some(overall_health::Health::Healthy),
        troubles: vec![(TroubleKind::Throttled, 1)],
        connections_refused: vec![("full", 1)],
        connections_evicted: vec![("full", 1)],
        audit_space: Some(AuditSpaceMetrics {
            used_bytes: 1,
            room_bytes: 1,
            is_reserve_only: false,
        }),
        parts: vec![("audit".to_owned(), false)],
        ..figures()
    }
}

/// Name, type and labels of each family, as a row of the document.
fn families(page: &str) -> BTreeSet<String> {
    let types = page.lines().filter_map(|it| it.strip_prefix("# TYPE "));
    let row = |line: &str| {
        let (name, kind) = line.split_once(' ').unwrap();
        let is_sample = |it: &&str| {
            let rest = it.strip_prefix(name).unwrap_or_default();
            ["{", "_total{", "_info{"]
                .iter()
                .any(|it| rest.starts_with(it))
        };
        let sample = page.lines().find(is_sample).unwrap_or_default();
        let labels = sample.split_once('{').and_then(|it| it.1.rsplit_once('}'));
        let labels = labels.map(|it| it.0).unwrap_or_default();
        let labels: Vec<_> = labels
            .split("\",")
            .filter_map(|it| it.split_once('='))
            .map(|(label, _)| format!("`{label}`"))
            .collect();
        format!("{name} | {kind} | {}", labels.join(", "))
            .trim_end()
            .to_owned()
    };
    types.map(row).collect()
}

#[test]
fn the_metrics_are_listed_with_their_types_and_labels() {
    const DOCUMENT: &str = "docs/reference/metrics.md";
    let document = text(DOCUMENT);
    let lines = document.lines().filter(|it| it.matches('|').count() == 5);
    let rows = lines.filter_map(|it| it.strip_prefix("| `ninjaone_proxy_"));
    let written = rows.map(|row| {
        let cells: Vec<_> = row.splitn(4, '|').map(str::trim).collect();
        let name = cells[0].trim_end_matches('`');
        format!("ninjaone_proxy_{name} | {} | {}", cells[1], cells[2])
            .trim_end()
            .to_owned()
    });
    assert_same(
        DOCUMENT,
        &written.collect(),
        &families(&render(full_metrics()).unwrap()),
    );
}

/// A status in which nothing is left out, so that every member shows.
fn full_status() -> StatusSnapshot {
    let some = || Some("text".to_owned());
    let mut full = healthy();
    full.health = Health::Degraded;
    full.degraded = vec!["text".to_owned()];
    full.troubles = vec![Trouble {
        kind: TroubleKind::Throttled,
        about: "acme".to_owned(),
        text: "text".to_owned(),
    }];
    full.caller_token_faults = vec!["text".to_owned()];
    full.stalled = vec![StalledPart {
        part: "audit".to_owned(),
        silent_s: 6,
        is_fatal: false,
    }];
    full.config.last_error = some();
    full.config.file = some();
    full.config.pending_restart = vec!["listen.http".to_owned()];
    let mut user = user();
    user.last_error = some();
    user.refused_change = some();
    let login = user.login.as_mut().unwrap();
    login.unsaved_since = some();
    login.store_fault = some();
    let tenant = &mut full.tenants[0];
    tenant.identities = vec![user, identity("service", IdentityState::Valid)];
    tenant.learned_user_operations = vec!["runScriptOnDevice".to_owned()];
    tenant.proxy = Some(OutgoingProxyStatus {
        url: "text".to_owned(),
        from: "text".to_owned(),
    });
    tenant.unreachable = Some(UnreachableStatus {
        since: "text".to_owned(),
        error: "text".to_owned(),
    });
    tenant.stale_host = some();
    full.audit.last_error = some();
    full.audit.gap = Some(AuditGap {
        from: "text".to_owned(),
        to: "text".to_owned(),
        reason: "text".to_owned(),
        lost: 0,
    });
    full.audit.space = Some(AuditSpaceStatus {
        level: AuditSpaceLevel::Plenty,
        used_bytes: 1,
        max_bytes: 1,
        reserve_bytes: 1,
        disk_free_bytes: Some(1),
        shortage: some(),
    });
    full.traffic.decisions = [("allowed".to_owned(), 1)].into();
    full
}

/// Each member by its path: `tenants[].budget.paused_s`. Maps with names of their own are `{}`.
fn paths(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    let is_map = ["traffic.decisions", "traffic.statuses"].contains(&path);
    match value {
        Value::Object(members) if !is_map => {
            for (name, member) in members {
                let dot = if path.is_empty() { "" } else { "." };
                paths(member, &format!("{path}{dot}{name}"), found);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            paths(&items[0], &format!("{path}[]"), found);
        }
        Value::Null => panic!("{path} is empty in the fixture, so that its members are not seen"),
        Value::Array(items) if items.is_empty() => panic!("{path} is empty in the fixture"),
        _ => drop(found.insert(path.to_owned())),
    }
}

#[test]
fn the_status_is_described_member_by_member() {
    const DOCUMENT: &str = "docs/reference/status.md";
    let mut real = BTreeSet::new();
    paths(&serde_json::to_value(full_status()).unwrap(), "", &mut real);
    assert_same(DOCUMENT, &rows(&text(DOCUMENT)), &real);
}

#[test]
fn every_trouble_has_its_place_in_the_troubleshooting() {
    const DOCUMENT: &str = "docs/how-to/troubleshooting.md";
    let document = text(DOCUMENT);
    let (_, part) = document.split_once("## By trouble").unwrap();
    let part = part.split("\n## ").next().unwrap();
    let real: BTreeSet<_> = TroubleKind::ALL
        .iter()
        .map(|it| it.as_str().to_owned())
        .collect();
    assert_same(DOCUMENT, &rows(part), &real);
}

fn markdown_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for item in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = item.path();
        if path.is_dir() {
            markdown_files(&path, found);
        } else if path.extension().is_some_and(|it| it == "md") {
            found.push(path);
        }
    }
}

/// As GitHub makes it from a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept
        .chars()
        .filter(|it| it.is_alphanumeric() || [' ', '-', '_'].contains(it));
    kept.collect::<String>().replace(' ', "-")
}

#[test]
fn every_link_between_the_documents_leads_somewhere() {
    let mut files = [
        "README.md",
        "SECURITY.md",
        "CONTRIBUTING.md",
        "ARCHITECTURE.md",
    ]
    .map(|it| root().join(it))
    .to_vec();
    for folder in ["docs", "deploy", "examples"] {
        markdown_files(&root().join(folder), &mut files);
    }
    let mut dead = Vec::new();
    for file in files {
        let document = fs::read_to_string(&file).unwrap();
        for link in all_between(&document, "](", ')') {
            if link.contains("://") {
                continue;
            }
            let (path, place) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() {
                file.clone()
            } else {
                file.parent().unwrap().join(path)
            };
            let headings = fs::read_to_string(&target).unwrap_or_default();
            let mut headings = headings.lines().filter(|it| it.starts_with('#'));
            let is_there = target.exists()
                && (place.is_empty()
                    || headings.any(|it| anchor(it.trim_start_matches('#')) == place));
            if !is_there {
                dead.push(format!("{}: {link}", file.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}
