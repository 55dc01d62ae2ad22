//! Asset tags.

use serde_json::json;

use super::wire::TestSandbox;

#[tokio::test]
async fn a_tag_shows_on_its_devices_by_its_name_of_the_day() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let tags = async || {
        let device = sandbox.get(&token, "/v2/device/101").await.json();
        device["tags"].clone()
    };
    let (status, made) = sandbox
        .write(&token, "POST", "/v2/tag", &json!({"name": "Blue"}))
        .await;
    assert_eq!(status, 200);
    let (again, _) = sandbox
        .write(&token, "POST", "/v2/tag", &json!({"name": "Blue"}))
        .await;
    assert_eq!(again, 400);
    let id = &made["id"];
    let (status, _) = sandbox
        .write(
            &token,
            "PUT",
            "/v2/tag/device/101",
            &json!({"tagIds": [1, id]}),
        )
        .await;
    assert_eq!((status, tags().await), (204, json!(["Blue", "Loaner"])));
    let target = format!("/v2/tag/{id}");
    sandbox
        .write(&token, "PUT", &target, &json!({"name": "Green"}))
        .await;
    assert_eq!(tags().await, json!(["Green", "Loaner"]));

    let merge = json!({"tagIds": [1, id], "mergeMethod": "MERGE_INTO_NEW_TAG", "name": "Both"});
    let (status, _) = sandbox.write(&token, "POST", "/v2/tag/merge", &merge).await;
    assert_eq!((status, tags().await), (200, json!(["Both"])));
    assert_eq!(
        sandbox.call(&token, "DELETE", &target, "").await.status,
        404
    );
    let batch = json!({"assetIds": [101], "tagIdsToAdd": [2], "tagIdsToRemove": []});
    sandbox
        .write(&token, "POST", "/v2/tag/device", &batch)
        .await;
    assert_eq!(tags().await, json!(["Both", "To be replaced"]));
    let listed = sandbox.get(&token, "/v2/tag").await.json();
    let found = listed["tags"].as_array().unwrap();
    let found = found.iter().find(|it| it["id"] == 2).unwrap();
    assert_eq!(found["targetsCount"], 1);
    for (target, tag, status) in [
        ("/v2/tag/device/99", 2, 404),
        ("/v2/tag/device/101", 99, 400),
        ("/v2/tag/planet/101", 2, 404),
    ] {
        let body = json!({"tagIds": [tag]});
        assert_eq!(sandbox.write(&token, "PUT", target, &body).await.0, status);
    }
}
