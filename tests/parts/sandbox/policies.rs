//! Policies, their conditions, and device roles.

use serde_json::json;

use super::wire::{TestSandbox, ids};

#[tokio::test]
async fn a_condition_belongs_to_its_policy_and_kind() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let target = "/v2/policies/1/condition/windows-event";
    let body =
        r#"{"displayName":"Disk errors","source":"disk","eventIds":[7,11],"severity":"MAJOR"}"#;
    let reply = sandbox.call(&token, "POST", target, body).await;
    assert_eq!(reply.status, 200);
    let made = reply.json();
    assert_eq!(made["inheritance"]["sourcePolicyId"], 1);
    let id = made["id"].as_str().unwrap();
    let own = format!("{target}/{id}");
    assert_eq!(sandbox.get(&token, &own).await.json(), made);
    let listed = sandbox.get(&token, target).await.json();
    assert!(listed.as_array().unwrap().contains(&made));
    for elsewhere in [
        format!("/v2/policies/2/condition/windows-event/{id}"),
        format!("/v2/policies/1/condition/custom-fields/{id}"),
        "/v2/policies/99/condition/windows-event".to_owned(),
    ] {
        assert_eq!(
            sandbox.get(&token, &elsewhere).await.status,
            404,
            "{elsewhere}"
        );
    }
    let target = format!("/v2/policies/1/condition/{id}");
    assert_eq!(
        sandbox.call(&token, "DELETE", &target, "").await.status,
        204
    );
    assert_eq!(
        sandbox.call(&token, "DELETE", &target, "").await.status,
        404
    );
    let reply = sandbox
        .call(
            &token,
            "POST",
            "/v2/policies/1/condition/windows-event",
            "{}",
        )
        .await;
    assert_eq!(reply.status, 400);
}

#[tokio::test]
async fn a_policy_is_a_child_or_a_copy_of_its_template() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let create = async |query: &str| {
        let target = format!("/v2/policies?{query}");
        sandbox
            .call(&token, "POST", &target, r#"{"name":"Surgery"}"#)
            .await
    };
    let child = create("mode=CHILD&templatePolicyId=2").await.json();
    assert_eq!(
        (&child["parentPolicyId"], &child["nodeClass"]),
        (&json!(2), &json!("WINDOWS_SERVER"))
    );
    let copy = create("mode=COPY&templatePolicyId=2").await.json();
    assert!(copy.get("parentPolicyId").is_none());
    let target = format!("/v2/policies/{}/condition/windows-event", copy["id"]);
    let conditions = sandbox.get(&token, &target).await.json();
    assert_eq!(conditions[0]["displayName"], "Many failed logons");
    let all = sandbox.get(&token, "/v2/policies").await.json();
    assert_eq!(all.as_array().unwrap()[10..], [child, copy]);
    assert_eq!(create("mode=CHILD&templatePolicyId=99").await.status, 400);
    assert_eq!(create("mode=OTHER").await.status, 400);
}

#[tokio::test]
async fn a_device_role_is_created_changed_and_deleted_unless_it_is_built_in_or_used() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let body = r#"[{"name":"Till","nodeClass":"WINDOWS_WORKSTATION","nodeRoleParentId":1}]"#;
    assert_eq!(
        sandbox
            .call(&token, "POST", "/v2/noderole", body)
            .await
            .status,
        200
    );
    assert_eq!(
        sandbox
            .call(&token, "POST", "/v2/noderole", body)
            .await
            .status,
        400
    );
    let roles = sandbox.get(&token, "/v2/noderole/list").await.json();
    let till = roles.as_array().unwrap().last().unwrap();
    assert_eq!(till["nodeRoleParentId"], 1);
    assert_eq!(
        (&till["policyName"], &till["nodeClassGroup"]),
        (&json!("Windows Workstations"), &json!("RMM"))
    );
    let id = &till["id"];
    let body = format!(r#"[{{"id":{id},"name":"Cash desk"}}]"#);
    assert_eq!(
        sandbox
            .call(&token, "PATCH", "/v2/noderole", &body)
            .await
            .status,
        200
    );
    let roles = sandbox.get(&token, "/v2/roles").await.json();
    assert_eq!(
        roles.as_array().unwrap().last().unwrap()["name"],
        "Cash desk"
    );
    let delete = async |id: &str| {
        let body = format!(r#"{{"ids":[{id}]}}"#);
        sandbox
            .call(&token, "POST", "/v2/noderole/delete", &body)
            .await
            .status
    };
    assert_eq!(delete("1").await, 400);
    assert_eq!(delete("99").await, 400);
    assert_eq!(delete(&id.to_string()).await, 204);
    assert!(!ids(&sandbox.get(&token, "/v2/roles").await.json()).contains(&id.as_u64().unwrap()));
}
