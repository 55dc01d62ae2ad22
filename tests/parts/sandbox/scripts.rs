//! Scripts: what runs them, and what is left of a run.

use serde_json::{Value, json};

use super::wire::TestSandbox;

#[tokio::test]
async fn a_script_becomes_a_job_and_a_series_of_activities() {
    let sandbox = TestSandbox::strict();
    let (token, user) = (sandbox.token().await, sandbox.user_token().await);
    let target = "/v2/device/113/script/run";
    let body = r#"{"type":"SCRIPT","id":1,"parameters":"-Drive D:","runAs":"SYSTEM"}"#;
    assert_eq!(sandbox.call(&token, "POST", target, body).await.status, 403);
    assert_eq!(sandbox.call(&user, "POST", target, body).await.status, 204);
    let jobs = sandbox.get(&token, "/v2/device/113/jobs").await.json();
    assert_eq!(
        (&jobs[0]["jobStatus"], &jobs[0]["device"]["id"]),
        (&json!("STARTED"), &json!(113))
    );
    let series = jobs[0]["uid"].as_str().unwrap();
    let activities = async || {
        let target = format!("/v2/device/113/activities?seriesUid={series}");
        sandbox.get(&token, &target).await.json()["activities"].clone()
    };
    let codes = |of: &Value| -> Vec<String> {
        let codes = of.as_array().unwrap().iter().map(|it| &it["statusCode"]);
        codes.map(|it| it.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(codes(&activities().await), ["STARTED", "START_REQUESTED"]);
    sandbox.advance(3).await;
    let done = activities().await;
    assert_eq!(codes(&done), ["COMPLETED", "STARTED", "START_REQUESTED"]);
    assert_eq!(
        (&done[0]["activityResult"], &done[0]["userId"]),
        (&json!("SUCCESS"), &json!(1))
    );
    assert!(done[0]["message"].as_str().unwrap().contains("-Drive D:"));
    let output = &done[0]["data"]["message"]["params"]["output"];
    assert!(output.as_str().unwrap().starts_with("C: 512 GiB"));
    let jobs = sandbox.get(&token, "/v2/device/113/jobs").await.json();
    assert_eq!(jobs, json!([]));
    let source = done[0]["sourceConfigUid"].as_str().unwrap();
    let target = format!("/v2/activities?sourceConfigUid={source}&status=COMPLETED&df=org%3D17");
    let found = sandbox.get(&token, &target).await.json();
    assert_eq!(found["activities"], json!([done[0]]));
}

#[tokio::test]
async fn only_what_exists_can_be_run() {
    let sandbox = TestSandbox::strict();
    let user = sandbox.user_token().await;
    let run = async |device: u64, body: &str| {
        let target = format!("/v2/device/{device}/script/run");
        sandbox.call(&user, "POST", &target, body).await.status
    };
    let options = sandbox
        .get(&user, "/v2/device/106/scripting/options")
        .await
        .json();
    let scripts = options["scripts"].as_array().unwrap();
    assert!(scripts.iter().any(|it| it["type"] == "ACTION"));
    for script in scripts {
        let body = json!({"type": script["type"], "id": script["id"], "uid": script["uid"]});
        assert_eq!(run(106, &body.to_string()).await, 204, "{script}");
    }
    assert_eq!(run(106, r#"{"type":"SCRIPT","id":99}"#).await, 400);
    assert_eq!(
        run(
            106,
            r#"{"type":"ACTION","uid":"00000000-0000-4000-8000-000000000000"}"#
        )
        .await,
        400
    );
    assert_eq!(run(106, "{}").await, 204);
    assert_eq!(run(99, r#"{"type":"SCRIPT","id":1}"#).await, 404);
    let all = sandbox.get(&user, "/v2/automation/scripts").await.json();
    assert_eq!(all.as_array().unwrap().len(), 5);
}
