//! Custom tabs.

use serde_json::json;

use super::wire::{TestSandbox, ids};

#[tokio::test]
async fn a_tab_is_made_named_ordered_hidden_extended_and_deleted() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let body = json!({"name": "Lease", "entityType": "NODE_ROLE", "entityId": 1, "position": 9});
    let (status, tab) = sandbox.write(&token, "POST", "/v2/tab", &body).await;
    assert_eq!(status, 200);
    let id = tab["id"].as_u64().unwrap();
    let summary = async || {
        let summary = sandbox.get(&token, "/v2/tab/summary/role/1").await;
        summary.json()["labels"].clone()
    };
    assert_eq!(ids(&summary().await), [1, 3, id]);
    for (target, body) in [
        ("/v2/tab/rename", json!({"tabId": id, "name": "Rent"})),
        (
            "/v2/tab/role/1/order",
            json!([{"tabId": id, "position": 0}]),
        ),
        (
            "/v2/tab/role/1/visibility",
            json!([{"tabId": id, "hidden": true}]),
        ),
    ] {
        assert_eq!(sandbox.write(&token, "PATCH", target, &body).await.0, 200);
    }
    let labels = summary().await;
    assert_eq!(ids(&labels), [id, 1, 3]);
    assert_eq!(labels[0]["name"], "Rent");
    assert_eq!(labels[0]["hiddenForRoles"], json!([1]));

    let target = format!("/v2/tab/{id}");
    let extend = json!({"roleId": 2, "items": []});
    assert_eq!(
        sandbox.write(&token, "PATCH", &target, &extend).await.0,
        200
    );
    let tabs = async |role: u64| {
        let target = format!("/v2/tab/{id}/role/{role}");
        ids(&sandbox.get(&token, &target).await.json()["tabs"])
    };
    assert_eq!((tabs(1).await.len(), tabs(2).await.len()), (1, 2));
    assert_eq!(
        sandbox.call(&token, "DELETE", &target, "").await.status,
        200
    );
    assert_eq!(sandbox.get(&token, &target).await.status, 404);
    let unknown = "/v2/tab/summary/role/99";
    assert_eq!(sandbox.get(&token, unknown).await.status, 404);
}
