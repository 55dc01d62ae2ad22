//! Backups and places: jobs by filters, checks, usage, bandwidth, and where a phone was.

use serde_json::{Value, json};

use super::wire::TestSandbox;

async fn rows(sandbox: &TestSandbox, token: &str, target: &str) -> Vec<Value> {
    let reply = sandbox.get(token, target).await;
    assert_eq!(reply.status, 200, "{target}");
    reply.json()["results"].as_array().unwrap().clone()
}

#[tokio::test]
async fn backup_jobs_are_chosen_by_status_plan_time_and_device() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let all = rows(&sandbox, &token, "/v2/backup/jobs?pageSize=1000").await;
    for (query, member, value) in [
        ("sf=status%20%3D%20FAILED", "jobStatus", json!("FAILED")),
        ("ptf=planType%20in%20(IMAGE)", "planType", json!("IMAGE")),
        ("df=id%20%3D%20101", "deviceId", json!(101)),
    ] {
        let target = format!("/v2/backup/jobs?pageSize=1000&{query}");
        let some = rows(&sandbox, &token, &target).await;
        assert!(!some.is_empty() && some.len() < all.len(), "{query}");
        assert!(some.iter().all(|it| it[member] == value), "{query}");
    }
    let after = rows(
        &sandbox,
        &token,
        "/v2/backup/jobs?stf=startTime%20after%202026-11-16",
    )
    .await;
    let between = "/v2/backup/jobs?stf=startTime%20between(2026-11-16T00:00:00.000Z,2026-11-18T00:00:00.000Z)";
    assert_eq!(after, rows(&sandbox, &token, between).await);
    assert!(
        rows(&sandbox, &token, "/v2/backup/jobs?include=deleted")
            .await
            .is_empty()
    );
    for wrong in [
        "sf=FAILED",
        "sf=planType%20%3D%20IMAGE",
        "stf=startTime%20after%20soon",
        "include=some",
    ] {
        assert_eq!(
            sandbox
                .get(&token, &format!("/v2/backup/jobs?{wrong}"))
                .await
                .status,
            400,
            "{wrong}"
        );
    }
    let gone = "/v2/device/101/decommission";
    assert_eq!(sandbox.call(&token, "POST", gone, "").await.status, 200);
    assert!(
        rows(&sandbox, &token, "/v2/backup/jobs?df=id%3D101")
            .await
            .is_empty()
    );
    assert_eq!(
        rows(&sandbox, &token, "/v2/backup/jobs?include=deleted")
            .await
            .len(),
        5
    );
}

#[tokio::test]
async fn an_integrity_check_ends_after_a_while() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let job = rows(&sandbox, &token, "/v2/backup/jobs?df=id%3D101")
        .await
        .remove(0);
    let checks = "/v2/backup/integrity-check-jobs";
    let body = json!({"deviceId": 101, "planUid": job["planGuid"]}).to_string();
    let check = sandbox.call(&token, "POST", checks, &body).await.json();
    assert_eq!(check["result"], "SUCCESS");
    let status = async || {
        let jobs = rows(&sandbox, &token, checks).await;
        jobs.into_iter()
            .find(|it| it["jobId"] == check["jobUid"])
            .unwrap()["jobStatus"]
            .clone()
    };
    assert_eq!(status().await, "PROCESSING");
    sandbox
        .call(
            &token,
            "POST",
            "/sandbox/clock",
            r#"{"advance_seconds":700}"#,
        )
        .await;
    assert_eq!(status().await, "COMPLETED");
    let nobody = json!({"deviceId": 9, "planUid": job["planGuid"]}).to_string();
    assert_eq!(
        sandbox.call(&token, "POST", checks, &nobody).await.status,
        400
    );
}

#[tokio::test]
async fn the_usage_of_a_location_is_that_of_its_devices() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let devices = rows(&sandbox, &token, "/v2/queries/backup/usage").await;
    let sum: u64 = devices
        .iter()
        .filter(|it| it["locationId"] == 18)
        .map(|it| {
            it["references"]["backupUsage"]["cloudTotalSize"]
                .as_u64()
                .unwrap()
        })
        .sum();
    let location = sandbox
        .get(&token, "/v2/organization/17/locations/18/backup/usage")
        .await
        .json();
    assert!(sum > 0);
    assert_eq!(
        (&location["cloudTotalSize"], &location["locationName"]),
        (&json!(sum), &json!("Chambers"))
    );
    let all = sandbox
        .get(&token, "/v2/organization/17/locations/backup/usage")
        .await
        .json();
    assert_eq!(all, json!([location]));
    assert_eq!(
        sandbox
            .get(&token, "/v2/organization/17/locations/3/backup/usage")
            .await
            .status,
        404
    );
    let throttle = r#"{"deviceId":101,"bandwidthThrottle":{"enabled":true,"workHoursKbps":512}}"#;
    let set = sandbox
        .call(&token, "POST", "/v2/backup/bandwidth-throttle", throttle)
        .await;
    assert_eq!((set.status, set.json()), (200, json!("SUCCESS")));
    let device = sandbox.get(&token, "/v2/device/101").await.json();
    assert_eq!(
        device["references"]["backupBandwidthThrottle"]["workHoursKbps"],
        512
    );
}

#[tokio::test]
async fn only_a_mobile_device_has_been_somewhere() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let of = |id: u64| format!("/v2/device/{id}/geolocation/history");
    assert_eq!(sandbox.get(&token, &of(101)).await.status, 404);
    assert_eq!(sandbox.get(&token, &of(9)).await.status, 404);
    let first = sandbox.get(&token, &of(123)).await.json();
    let places = first["results"].as_array().unwrap();
    assert_eq!(places.len(), 100);
    assert!(places[0]["timestamp"].as_f64() > places[1]["timestamp"].as_f64());
    let next = format!(
        "{}?cursor={}",
        of(123),
        first["cursor"]["name"].as_str().unwrap()
    );
    assert_eq!(
        sandbox.get(&token, &next).await.json()["cursor"]["offset"],
        100
    );
    for wrong in [
        "pageSize=9",
        "pageSize=501",
        "after=2026-11-01",
        "after=2026-11-17&before=2026-11-16",
        "after=soon",
    ] {
        assert_eq!(
            sandbox
                .get(&token, &format!("{}?{wrong}", of(123)))
                .await
                .status,
            400,
            "{wrong}"
        );
    }
}
