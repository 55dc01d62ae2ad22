//! Documents of organizations and their templates.

use serde_json::{Value, json};

use super::wire::TestSandbox;

#[tokio::test]
async fn a_document_is_written_changed_archived_and_deleted() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let template = json!({
        "name": "Printers", "allowMultiple": false,
        "fields": [{"fieldLabel": "Model", "fieldName": "model", "fieldType": "TEXT"}],
    });
    let (status, template) = sandbox
        .write(&token, "POST", "/v2/document-templates", &template)
        .await;
    assert_eq!(status, 200);
    assert!(template["fields"][0]["fieldId"].as_u64().unwrap() > 0);

    let target = format!("/v2/organization/2/template/{}/document", template["id"]);
    let body = json!({"documentName": "Reception", "fields": {"model": "M 1", "toner": "black"}});
    let (status, document) = sandbox.write(&token, "POST", &target, &body).await;
    assert_eq!((status, &document["organizationId"]), (200, &json!(2)));
    assert_eq!(document["fields"].as_array().unwrap().len(), 2);
    let (again, _) = sandbox.write(&token, "POST", &target, &body).await;
    assert_eq!(again, 400, "the template allows one");

    let id = &document["documentId"];
    let target = format!("/v2/organization/2/document/{id}");
    let change = json!({"fields": {"model": "M 2"}});
    let (_, changed) = sandbox.write(&token, "POST", &target, &change).await;
    assert_eq!(changed["updatedFields"].as_array().unwrap().len(), 1);
    let elsewhere = format!("/v2/organization/17/document/{id}");
    assert_eq!(
        sandbox.write(&token, "POST", &elsewhere, &change).await.0,
        404
    );

    let listed = "/v2/organization/documents?documentName=reception&organizationIds=2,17";
    let found = sandbox.get(&token, listed).await.json();
    assert_eq!(found[0]["fields"].as_array().unwrap().len(), 2);
    let archive = format!("/v2/organization/document/{id}/archive");
    assert_eq!(
        sandbox
            .write(&token, "POST", &archive, &Value::Null)
            .await
            .0,
        200
    );
    assert_eq!(sandbox.get(&token, listed).await.json(), json!([]));
    let target = format!("/v2/organization/document/{id}");
    assert_eq!(
        sandbox.call(&token, "DELETE", &target, "").await.status,
        204
    );
    assert_eq!(
        sandbox.call(&token, "DELETE", &target, "").await.status,
        404
    );
}

#[tokio::test]
async fn documents_are_chosen_by_template_and_organization() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let found = async |query: &str| {
        let target = format!("/v2/organization/documents?{query}");
        let found = sandbox.get(&token, &target).await.json();
        let ids = found.as_array().unwrap().iter();
        ids.map(|it| it["documentId"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(found("templateIds=1").await, [1, 3]);
    assert_eq!(found("templateName=contract&organizationIds=23").await, [4]);
    assert_eq!(found("groupBy=TEMPLATE").await, [1, 3, 2, 4]);
    assert_eq!(found("groupBy=ORGANIZATION").await, [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_template_takes_its_documents_with_it() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let target = "/v2/document-templates/1";
    assert_eq!(sandbox.call(&token, "DELETE", target, "").await.status, 204);
    assert_eq!(sandbox.get(&token, target).await.status, 404);
    let left = sandbox.get(&token, "/v2/organization/17/documents").await;
    assert_eq!(left.json(), json!([]));
}

#[tokio::test]
async fn signed_urls_are_addresses_by_content_id() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let target = "/v2/organization/document/1/signed-urls";
    let urls = sandbox.get(&token, target).await.json();
    let (content, url) = urls.as_object().unwrap().iter().next().unwrap();
    assert!(url.as_str().unwrap().contains(content.as_str()));
}
