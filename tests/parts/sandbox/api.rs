//! The sandbox's simulated world: what reads show and what writes change.

use std::collections::BTreeSet;

use ninjaone_proxy::{
    ninjaone::{
        catalogue::Catalogue,
        operation::{ParameterKind, RiskClass},
    },
    sandbox::SandboxOptions,
};

use super::wire::{TestSandbox, ids};

#[tokio::test]
async fn three_organizations_have_twenty_six_devices_in_pages() {
    let sandbox = TestSandbox::new();
    let token = sandbox.token().await;
    let organizations = ids(&sandbox.get(&token, "/v2/organizations").await.json());
    assert_eq!(organizations, [2, 17, 23]);

    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let target = format!("/api/v2/devices?pageSize=10&after={after}");
        let page = ids(&sandbox.get(&token, &target).await.json());
        let Some(last) = page.last() else { break };
        after = *last;
        all.extend(page);
    }
    assert_eq!(all, (101..=125).collect::<Vec<u64>>());

    let mut of_organizations = BTreeSet::new();
    for id in organizations {
        let target = format!("/v2/organization/{id}/devices");
        of_organizations.extend(ids(&sandbox.get(&token, &target).await.json()));
    }
    assert_eq!(of_organizations.into_iter().collect::<Vec<_>>(), all);
    let servers = sandbox
        .get(
            &token,
            "/v2/devices?df=org%20%3D%202%20AND%20class%20%3D%20WINDOWS_SERVER",
        )
        .await
        .json();
    assert!(
        servers
            .as_array()
            .unwrap()
            .iter()
            .all(|it| it["nodeClass"] == "WINDOWS_SERVER")
    );
    assert_eq!(
        sandbox.get(&token, "/v2/device/123").await.json()["id"],
        123
    );
    assert_eq!(sandbox.get(&token, "/v2/device/99").await.status, 404);
}

#[tokio::test]
async fn the_same_seed_makes_the_same_world_and_another_seed_another_one() {
    let world = async |seed| {
        let sandbox = TestSandbox::with(SandboxOptions {
            seed,
            ..SandboxOptions::default()
        });
        let token = sandbox.token().await;
        sandbox.get(&token, "/v2/devices-detailed").await.body
    };
    assert_eq!(world(7).await, world(7).await);
    assert_ne!(world(7).await, world(8).await);
}

#[tokio::test]
async fn a_cursor_leads_through_a_report_and_belongs_to_its_report() {
    let sandbox = TestSandbox::new();
    let token = sandbox.token().await;
    let mut sizes = Vec::new();
    let mut cursor = String::new();
    while sizes.last() != Some(&0) {
        let target = format!("/v2/queries/software?pageSize=5000&cursor={cursor}");
        let page = sandbox.get(&token, &target).await;
        assert_eq!(page.header("transfer-encoding"), Some("chunked"));
        let page = page.json();
        sizes.push(page["results"].as_array().unwrap().len());
        let name = page["cursor"]["name"].as_str().unwrap().to_owned();
        assert!(cursor.is_empty() || cursor == name);
        cursor = name;
    }
    assert_eq!(sizes, [5_000, 5_000, 2_000, 0]);
    let name = cursor;
    let elsewhere = format!("/v2/queries/volumes?cursor={name}");
    assert_eq!(sandbox.get(&token, &elsewhere).await.status, 400);
}

#[tokio::test]
async fn secure_fields_are_masked_unless_they_are_asked_for() {
    let sandbox = TestSandbox::new();
    let token = sandbox.token().await;
    let report =
        async |target: &str| String::from_utf8(sandbox.get(&token, target).await.body).unwrap();
    let masked = report("/v2/queries/custom-fields").await;
    assert!(!masked.contains("sandbox-secure-value"));
    let shown = report("/v2/queries/custom-fields?showSecureValues=true").await;
    assert!(shown.contains("sandbox-secure-value"));
}

#[tokio::test]
async fn activities_page_by_id_in_both_directions() {
    let sandbox = TestSandbox::new();
    let token = sandbox.token().await;
    let newest = sandbox
        .get(&token, "/v2/activities?pageSize=5")
        .await
        .json();
    assert_eq!(ids(&newest["activities"]), [5480, 5479, 5478, 5477, 5476]);
    let older = sandbox
        .get(&token, "/v2/activities?pageSize=2&olderThan=5476")
        .await
        .json();
    assert_eq!(ids(&older["activities"]), [5475, 5474]);
    let newer = sandbox
        .get(&token, "/v2/activities?pageSize=2&newerThan=5470")
        .await
        .json();
    assert_eq!(ids(&newer["activities"]), [5472, 5471]);
    assert_eq!(newer["lastActivityId"], 5472);
}

#[tokio::test]
async fn resetting_an_alert_removes_it() {
    let sandbox = TestSandbox::new();
    let token = sandbox.token().await;
    let alerts = sandbox.get(&token, "/v2/alerts").await.json();
    let uid = alerts[0]["uid"].as_str().unwrap();
    let target = format!("/v2/alert/{uid}");
    assert_eq!(
        sandbox.call(&token, "DELETE", &target, "").await.status,
        204
    );
    assert_eq!(
        sandbox.call(&token, "DELETE", &target, "").await.status,
        404
    );
    let left = sandbox.get(&token, "/v2/alerts").await.json();
    assert_eq!(
        left.as_array().unwrap().len() + 1,
        alerts.as_array().unwrap().len()
    );
}

#[tokio::test]
async fn every_read_of_the_catalogue_is_answered() {
    let sandbox = TestSandbox::new();
    let token = sandbox.token().await;
    for operation in Catalogue::builtin().all() {
        if operation.method.as_str() != "GET" || operation.class > RiskClass::Secrets {
            continue;
        }
        let mut target = operation.template.to_string();
        for parameter in &operation.parameters {
            let value = match (parameter.kind, &*operation.tag) {
                (ParameterKind::Integer, "organization") => "2",
                (ParameterKind::Integer, "devices") => "101",
                (ParameterKind::Integer, _) => "1",
                (ParameterKind::Text, _) => "sample",
            };
            target = target.replace(&format!("{{{}}}", parameter.name), value);
        }
        let reply = sandbox.get(&token, &target).await;
        assert!(
            [200, 404].contains(&reply.status),
            "{} {}: {}",
            reply.status,
            operation.id,
            String::from_utf8_lossy(&reply.body)
        );
        if reply.header("content-type") == Some("application/json") {
            reply.json();
        }
    }
}

#[tokio::test]
async fn an_api_answer_has_a_cookie_a_request_id_and_the_name_of_the_server() {
    let sandbox = TestSandbox::new();
    let token = sandbox.token().await;
    let reply = sandbox.get(&token, "/v2/devices").await;
    assert_eq!(reply.header("server"), Some("Grizzly"));
    assert!(
        reply
            .header("set-cookie")
            .unwrap()
            .starts_with("sessionKey=")
    );
    assert!(reply.header("x-nj-request-id").is_some());
    let unknown = sandbox.get(&token, "/v2/nothing").await;
    assert_eq!(unknown.status, 404);
    assert!(
        unknown.json()["incidentId"]
            .as_str()
            .unwrap()
            .starts_with("WEB_MGMT_SERVICE-")
    );
    let wrong = sandbox.call(&token, "DELETE", "/v2/devices", "").await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("GET")));
    let redirect = sandbox
        .get(&token, "/v2/device/101/dashboard-url?redirect=true")
        .await;
    assert_eq!(redirect.status, 302);
}
