//! Related items and attachments.

use serde_json::{Value, json};

use super::wire::{TestSandbox, ids};

#[tokio::test]
async fn a_relation_is_found_from_both_of_its_ends() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let target = "/v2/related-items/entity/NODE/103/relation";
    let body = json!({"relEntityType": "LOCATION", "relEntityId": 4});
    let (status, made) = sandbox.write(&token, "POST", target, &body).await;
    assert_eq!(
        (status, &made["relEntity"]["name"]),
        (200, &json!("Hill Road Surgery"))
    );
    let id = made["id"].as_u64().unwrap();
    for (target, expected) in [
        ("with-entity/NODE/103", vec![id]),
        ("with-entity/NODE/103?scope=HOSTED_BY", vec![]),
        ("with-entity/LOCATION/4?scope=HOSTED_BY", vec![id]),
        ("with-related-entity/LOCATION/4", vec![id]),
        ("with-related-entity-type/LOCATION", vec![id]),
    ] {
        let target = format!("/v2/related-items/{target}");
        assert_eq!(ids(&sandbox.get(&token, &target).await.json()), expected);
    }
    let unknown = json!({"relEntityType": "LOCATION", "relEntityId": 99});
    let target = "/v2/related-items/entity/NODE/103/relation";
    assert_eq!(sandbox.write(&token, "POST", target, &unknown).await.0, 404);
    for nothing in ["with-entity/NODE/99", "with-entity/PLANET/1"] {
        let target = format!("/v2/related-items/{nothing}");
        assert_eq!(sandbox.get(&token, &target).await.status, 404);
    }
    let target = "/v2/related-items/NODE/103";
    assert_eq!(sandbox.call(&token, "DELETE", target, "").await.status, 204);
    let target = "/v2/related-items/with-entity/NODE/103";
    assert_eq!(sandbox.get(&token, target).await.json(), json!([]));
}

#[tokio::test]
async fn an_attachment_is_downloaded_as_it_was_sent() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let target = "/v2/related-items/entity/ORGANIZATION/17/attachment";
    let part = "name=\"file\"; filename=\"note.txt\"";
    let made = sandbox.upload(&token, target, part, "keep").await.json();
    assert_eq!(made["relEntityType"], "ATTACHMENT");
    let target = format!("/v2/related-items/{}/attachment/download", made["id"]);
    assert_eq!(sandbox.get(&token, &target).await.body, b"keep");
    let target = "/v2/related-items/with-entity/ORGANIZATION/17/attachments/signed-urls";
    let urls = sandbox.get(&token, target).await.json();
    assert_eq!(urls.as_object().unwrap().len(), 1);
    let json = sandbox.call(&token, "POST", "/v2/attachments/temp/upload", "{}");
    assert_eq!(json.await.status, 400);
}

#[tokio::test]
async fn a_secure_value_never_shows_its_password() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let target = "/v2/related-items/entity/LOCATION/3/secure";
    let body = json!({"name": "Door", "username": "desk", "password": "not shown"});
    let (status, made) = sandbox.write(&token, "POST", target, &body).await;
    assert_eq!(
        (status, &made["value"]),
        (200, &json!({"name": "Door", "username": "desk"}))
    );
    let all = sandbox.get(&token, "/v2/related-items").await.body;
    assert!(!String::from_utf8(all).unwrap().contains("not shown"));
}

#[tokio::test]
async fn items_of_what_is_deleted_are_gone() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let all = async || ids(&sandbox.get(&token, "/v2/related-items").await.json());
    assert!(all().await.contains(&2));
    let target = "/v2/organization/document/1";
    sandbox.write(&token, "DELETE", target, &Value::Null).await;
    assert!(!all().await.contains(&2));
}
