//! Maintenance, reboots, and the work that they leave behind; webhooks.

use serde_json::{Value, json};

use super::wire::TestSandbox;

#[tokio::test]
async fn maintenance_begins_and_ends_by_the_clock() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let clock = sandbox.get(&token, "/sandbox/clock").await.json();
    let now = clock["now"].as_u64().unwrap();
    let target = "/v2/device/102/maintenance";
    let (start, end) = ((now + 100) * 1_000, (now + 200) * 1_000);
    let body = format!(
        r#"{{"disabledFeatures":["ALERTS"],"start":{start},"end":{end},"reasonMessage":"Move"}}"#
    );
    assert_eq!(sandbox.call(&token, "PUT", target, &body).await.status, 204);
    let maintenance = async || {
        let device = sandbox.get(&token, "/v2/device/102").await.json();
        device.get("maintenance").cloned().unwrap_or(Value::Null)
    };
    let pending = maintenance().await;
    assert_eq!(
        pending,
        json!({"status": "PENDING", "start": now + 100, "end": now + 200, "reasonMessage": "Move"})
    );
    sandbox.advance(110).await;
    assert_eq!(maintenance().await["status"], "IN_MAINTENANCE");
    sandbox.advance(100).await;
    assert_eq!(maintenance().await, Value::Null);
    assert_eq!(sandbox.call(&token, "PUT", target, "{}").await.status, 204);
    assert_eq!(maintenance().await["status"], "IN_MAINTENANCE");
    assert_eq!(sandbox.call(&token, "DELETE", target, "").await.status, 204);
    assert_eq!(maintenance().await, Value::Null);
    let past = r#"{"end":1700000000}"#;
    assert_eq!(sandbox.call(&token, "PUT", target, past).await.status, 400);
    let nowhere = "/v2/device/99/maintenance";
    assert_eq!(sandbox.call(&token, "PUT", nowhere, "{}").await.status, 404);
}

#[tokio::test]
async fn a_reboot_ends_later_and_is_the_last_boot() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let booted = async || {
        let device = sandbox.get(&token, "/v2/device/102").await.json();
        device["os"]["lastBootTime"].as_u64().unwrap()
    };
    let before = booted().await;
    let target = "/v2/device/102/reboot/NORMAL";
    let body = r#"{"reason":"Updates"}"#;
    assert_eq!(sandbox.call(&token, "POST", target, body).await.status, 204);
    sandbox.advance(60).await;
    assert!(booted().await > before);
    let wrong = "/v2/device/102/reboot/SOFT";
    assert_eq!(sandbox.call(&token, "POST", wrong, body).await.status, 404);
    let scan = "/v2/device/102/patch/os/scan";
    assert_eq!(sandbox.call(&token, "POST", scan, "").await.status, 204);
    sandbox.advance(60).await;
    let target = "/v2/device/102/activities?status=PATCH_MANAGEMENT_SCAN_COMPLETED";
    let done = sandbox.get(&token, target).await.json();
    assert_eq!(done["activities"][0]["activityType"], "PATCH_MANAGEMENT");
    let service = "/v2/device/102/windows-service/NoSuchService/control";
    let reply = sandbox
        .call(&token, "POST", service, r#"{"action":"STOP"}"#)
        .await;
    assert_eq!(reply.status, 404);
}

#[tokio::test]
async fn each_app_has_one_webhook() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let webhooks =
        async || sandbox.get(&token, "/sandbox/webhooks").await.json()["webhooks"].clone();
    assert_eq!(webhooks().await, json!([]));
    for url in ["https://one.example.com/", "https://two.example.com/"] {
        let body = json!({"url": url, "activities": {"CONDITION": ["TRIGGERED"]}}).to_string();
        assert_eq!(
            sandbox
                .call(&token, "PUT", "/v2/webhook", &body)
                .await
                .status,
            204
        );
    }
    let kept = webhooks().await;
    assert_eq!(
        (kept.as_array().unwrap().len(), &kept[0]["url"]),
        (1, &json!("https://two.example.com/"))
    );
    assert_eq!(
        sandbox
            .call(&token, "DELETE", "/v2/webhook", "")
            .await
            .status,
        204
    );
    assert_eq!(webhooks().await, json!([]));
}

#[tokio::test]
async fn every_alert_has_a_series_of_activities_that_a_reset_ends() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let alerts = sandbox.get(&token, "/v2/alerts").await.json();
    for alert in alerts.as_array().unwrap() {
        let (uid, device) = (alert["uid"].as_str().unwrap(), &alert["deviceId"]);
        assert_eq!(&alert["device"]["id"], device);
        let target = format!("/v2/alert/{uid}/reset");
        assert_eq!(
            sandbox
                .call(&token, "POST", &target, r#"{"note":"Seen"}"#)
                .await
                .status,
            204
        );
        let target = format!("/v2/device/{device}/activities?seriesUid={uid}");
        let series = sandbox.get(&token, &target).await.json();
        assert_eq!(series["activities"][0]["statusCode"], "RESET");
        assert_eq!(series["activities"][0]["data"], json!({"note": "Seen"}));
        assert_eq!(series["activities"][1]["statusCode"], "TRIGGERED");
    }
    assert_eq!(sandbox.get(&token, "/v2/alerts").await.json(), json!([]));
}
