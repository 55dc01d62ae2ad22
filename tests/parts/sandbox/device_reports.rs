//! Devices and reports: what a filter chooses, and that a report and a device show the same.

use std::collections::BTreeSet;

use serde_json::Value;

use super::wire::{TestSandbox, ids};

async fn rows(sandbox: &TestSandbox, token: &str, target: &str) -> Vec<Value> {
    let reply = sandbox.get(token, target).await;
    assert_eq!(reply.status, 200, "{target}");
    let body = reply.json();
    body.get("results")
        .unwrap_or(&body)
        .as_array()
        .unwrap()
        .clone()
}

fn devices(rows: &[Value]) -> BTreeSet<u64> {
    rows.iter()
        .map(|it| it["deviceId"].as_u64().unwrap())
        .collect()
}

const REPORTS: [&str; 24] = [
    "antivirus-status",
    "antivirus-threats",
    "computer-systems",
    "custom-fields",
    "custom-fields-detailed",
    "device-health",
    "disks",
    "logged-on-users",
    "network-interfaces",
    "operating-systems",
    "os-patch-installs",
    "os-patches",
    "policy-overrides",
    "processors",
    "raid-controllers",
    "raid-drives",
    "scoped-custom-fields",
    "scoped-custom-fields-detailed",
    "software",
    "software-patch-installs",
    "software-patches",
    "volumes",
    "windows-services",
    "backup/usage",
];

#[tokio::test]
async fn every_report_has_rows() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    for report in REPORTS {
        let found = rows(&sandbox, &token, &format!("/v2/queries/{report}")).await;
        assert!(!found.is_empty(), "{report}");
    }
}

#[tokio::test]
async fn a_device_filter_narrows_every_report_and_is_refused_if_it_is_malformed() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    for report in REPORTS {
        if report.starts_with("scoped") || report == "backup/usage" {
            continue;
        }
        let target = format!("/v2/queries/{report}?pageSize=10000");
        let all = devices(&rows(&sandbox, &token, &target).await);
        let filter = "df=org%20in%20(17,23)%20AND%20class%20!=%20MAC";
        let some = devices(&rows(&sandbox, &token, &format!("{target}&{filter}")).await);
        let fits = |id: &u64| *id >= 112 && ![116, 124].contains(id);
        assert!(some.iter().all(fits), "{report}: {some:?}");
        // The first page of a long report does not reach the last devices.
        let missing = all.iter().filter(|id| fits(id) && !some.contains(id));
        assert_eq!(missing.count(), 0, "{report}: {some:?} of {all:?}");
        let refused = sandbox
            .get(&token, &format!("{target}&df=org%20is%202"))
            .await;
        assert_eq!(refused.status, 400, "{report}");
        assert!(refused.json()["incidentId"].is_string());
    }
}

#[tokio::test]
async fn a_report_shows_the_same_of_a_device_as_the_device() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    for part in [
        "disks",
        "volumes",
        "processors",
        "network-interfaces",
        "windows-services",
        "os-patches",
        "os-patch-installs",
        "software-patches",
        "software-patch-installs",
        "software",
    ] {
        let own = rows(&sandbox, &token, &format!("/v2/device/101/{part}")).await;
        let target = format!("/v2/queries/{part}?df=id%20%3D%20101&pageSize=1000");
        let mut reported = rows(&sandbox, &token, &target).await;
        for row in &mut reported {
            let row = row.as_object_mut().unwrap();
            assert_eq!(row.remove("deviceId"), Some(101.into()));
            row.remove("timestamp");
        }
        assert!(!own.is_empty(), "{part}");
        assert_eq!(own, reported, "{part}");
        assert_eq!(
            sandbox
                .get(&token, &format!("/v2/device/9/{part}"))
                .await
                .status,
            404
        );
    }
}

#[tokio::test]
async fn rows_are_chosen_by_status_state_and_time() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let failed = rows(
        &sandbox,
        &token,
        "/v2/queries/os-patch-installs?status=FAILED&pageSize=1000",
    )
    .await;
    assert!(!failed.is_empty() && failed.iter().all(|it| it["status"] == "FAILED"));
    let stopped = rows(
        &sandbox,
        &token,
        "/v2/device/101/windows-services?state=STOPPED",
    )
    .await;
    assert_eq!(stopped.len(), 2);
    let named = rows(
        &sandbox,
        &token,
        "/v2/device/101/windows-services?name=spooler",
    )
    .await;
    assert_eq!(named[0]["displayName"], "Print Spooler");
    let unknown = sandbox
        .get(&token, "/v2/device/101/windows-services?state=IDLE")
        .await;
    assert_eq!(unknown.status, 400);
    let old = rows(
        &sandbox,
        &token,
        "/v2/queries/software?df=id%3D101&pageSize=1000&installedBefore=2026-01-01",
    )
    .await;
    let new = rows(
        &sandbox,
        &token,
        "/v2/queries/software?df=id%3D101&pageSize=1000&installedAfter=2025-12-31",
    )
    .await;
    assert!(!old.is_empty() && !new.is_empty());
    assert!(
        old.iter()
            .all(|it| it["installDate"].as_str().unwrap() < "2026")
    );
    let none = rows(&sandbox, &token, "/v2/queries/disks?ts=2099-01-01").await;
    assert!(none.is_empty());
    assert_eq!(
        sandbox
            .get(&token, "/v2/queries/disks?ts=soon")
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn health_counts_what_the_lists_show() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let health = rows(&sandbox, &token, "/v2/queries/device-health").await;
    assert_eq!(health.len(), 25);
    let patches = rows(&sandbox, &token, "/v2/queries/os-patches?pageSize=1000").await;
    let threats = rows(&sandbox, &token, "/v2/queries/antivirus-threats").await;
    for row in &health {
        let of_device = |rows: &[Value], status: &[&str]| {
            let fits = |it: &&Value| {
                it["deviceId"] == row["deviceId"]
                    && status.contains(&it["status"].as_str().unwrap())
            };
            rows.iter().filter(fits).count()
        };
        assert_eq!(
            row["failedOSPatchesCount"],
            of_device(&patches, &["FAILED"])
        );
        assert_eq!(
            row["pendingOSPatchesCount"],
            of_device(&patches, &["MANUAL", "APPROVED"])
        );
        assert_eq!(
            row["quarantinedThreatsCount"],
            of_device(&threats, &["QUARANTINED"])
        );
    }
    let unhealthy = rows(
        &sandbox,
        &token,
        "/v2/queries/device-health?health=UNHEALTHY",
    )
    .await;
    assert!(unhealthy.len() < 25 && unhealthy.iter().all(|it| it["healthStatus"] == "UNHEALTHY"));
}

#[tokio::test]
async fn overrides_of_a_policy_are_gone_after_a_reset() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let overridden = rows(&sandbox, &token, "/v2/queries/policy-overrides").await;
    let target = format!("/v2/device/{}/policy/overrides", overridden[0]["deviceId"]);
    assert_eq!(
        sandbox.get(&token, &target).await.json()["overrides"],
        overridden[0]["overrides"]
    );
    assert_eq!(
        sandbox.call(&token, "DELETE", &target, "").await.status,
        204
    );
    assert!(
        sandbox.get(&token, &target).await.json()["overrides"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    let left = rows(&sandbox, &token, "/v2/queries/policy-overrides").await;
    assert_eq!(left.len() + 1, overridden.len());
}

#[tokio::test]
async fn devices_are_searched_and_organizations_and_groups_are_filtered() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let found = sandbox
        .get(&token, "/v2/devices/search?q=hdg-srv")
        .await
        .json();
    assert_eq!(found["query"], "hdg-srv");
    assert_eq!(ids(&found["devices"]), [101]);
    assert_eq!(found["devices"][0]["matchAttr"], "systemName");
    assert_eq!(found["devices"][0]["matchAttrValue"], "HDG-SRV-01");
    let two = sandbox
        .get(&token, "/v2/devices/search?q=10.2.0&limit=2")
        .await
        .json();
    assert_eq!(ids(&two["devices"]).len(), 2);
    assert_eq!(two["devices"][0]["matchAttr"], "ipAddresses");

    let some = sandbox
        .get(&token, "/v2/organizations?of=id%20in%20(2,23)")
        .await
        .json();
    assert_eq!(ids(&some), [2, 23]);
    assert_eq!(
        sandbox
            .get(&token, "/v2/organizations?of=name%20%3D%20x")
            .await
            .status,
        400
    );

    for group in sandbox
        .get(&token, "/v2/groups")
        .await
        .json()
        .as_array()
        .unwrap()
    {
        let id = &group["id"];
        let members = sandbox
            .get(&token, &format!("/v2/group/{id}/device-ids"))
            .await
            .json();
        assert_eq!(group["deviceCount"], members.as_array().unwrap().len());
        let devices = sandbox
            .get(&token, &format!("/v2/devices?df=group%20{id}"))
            .await
            .json();
        assert_eq!(
            ids(&devices),
            members
                .as_array()
                .unwrap()
                .iter()
                .map(|it| it.as_u64().unwrap())
                .collect::<Vec<_>>()
        );
    }
    assert_eq!(
        sandbox.get(&token, "/v2/group/99/device-ids").await.status,
        404
    );
}
