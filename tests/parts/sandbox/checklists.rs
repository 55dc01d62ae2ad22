//! Checklists of organizations and their templates.

use serde_json::json;

use super::wire::{TestSandbox, ids};

#[tokio::test]
async fn a_checklist_made_from_a_template_is_done_when_its_tasks_are() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let target = "/v2/organization/17/checklists-from-templates";
    let (status, made) = sandbox.write(&token, "POST", target, &json!([1])).await;
    assert_eq!((status, &made[0]["totalTaskCount"]), (200, &json!(2)));
    let (id, tasks) = (&made[0]["id"], &made[0]["tasks"]);
    let change = json!([{"checklistId": id, "tasks": [
        {"id": tasks[0]["id"], "completed": true},
        {"id": tasks[1]["id"], "completed": true},
    ]}]);
    let (_, changed) = sandbox
        .write(&token, "PUT", "/v2/organization/checklists", &change)
        .await;
    assert_eq!(changed[0]["completed"], true);
    assert!(changed[0]["completedOn"].as_u64().unwrap() > 0);
    let target = "/v2/organization/checklists?completed=true&organizationIds=17";
    let found = ids(&sandbox.get(&token, target).await.json());
    assert!(found.contains(&id.as_u64().unwrap()));

    let target = format!("/v2/organization/checklist/{id}");
    assert_eq!(
        sandbox.call(&token, "DELETE", &target, "").await.status,
        204
    );
    assert_eq!(sandbox.get(&token, &target).await.status, 404);
}

#[tokio::test]
async fn a_checklist_is_archived_restored_and_promoted() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let open = "/v2/organization/checklists?checklistIds=1";
    let body = json!({"clientChecklistIds": [1]});
    let (_, archived) = sandbox
        .write(&token, "POST", "/v2/organization/archive", &body)
        .await;
    assert_eq!(archived[0]["archivedBy"]["id"], 1);
    assert_eq!(sandbox.get(&token, open).await.json(), json!([]));
    sandbox
        .write(&token, "POST", "/v2/organization/restore", &body)
        .await;
    let restored = sandbox.get(&token, open).await.json();
    assert!(restored[0].get("archivedBy").is_none());

    let target = "/v2/organization/checklists/promote-with-name";
    let body = json!([{"id": 1, "name": "Any move"}]);
    assert_eq!(sandbox.write(&token, "POST", target, &body).await.0, 204);
    let target = "/v2/checklist/templates?checklistTemplateName=any%20move";
    let found = sandbox.get(&token, target).await.json();
    assert_eq!(found[0]["tasks"].as_array().unwrap().len(), 2);
}
