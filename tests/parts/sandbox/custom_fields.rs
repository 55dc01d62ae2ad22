//! Custom fields: definitions, values, inheritance and reports.

use serde_json::{Value, json};

use super::wire::TestSandbox;

const FIELDS: &str = "/v2/custom-fields";

async fn create(sandbox: &TestSandbox, token: &str, name: &str) -> u16 {
    let body = json!({"label": name, "fieldName": name, "type": "TEXT", "definitionScope": ["NODE", "LOCATION", "ORGANIZATION"]});
    sandbox
        .call(token, "POST", FIELDS, &body.to_string())
        .await
        .status
}

async fn names(sandbox: &TestSandbox, token: &str, query: &str) -> Vec<String> {
    let page = sandbox
        .get(token, &format!("{FIELDS}?{query}"))
        .await
        .json();
    let rows = page["results"].as_array().unwrap();
    assert_eq!(page["count"], rows.len());
    rows.iter()
        .map(|it| it["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_field_is_made_changed_renamed_and_deleted_with_its_values() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    assert_eq!(create(&sandbox, &token, "rack").await, 200);
    assert_eq!(create(&sandbox, &token, "rack").await, 400);
    let values = "/v2/device/103/custom-fields";
    assert_eq!(
        sandbox
            .call(&token, "PATCH", values, r#"{"rack":"4"}"#)
            .await
            .status,
        204
    );
    let by_name = format!("{FIELDS}/field-name/rack");
    let renamed = sandbox
        .call(
            &token,
            "PUT",
            &by_name,
            r#"{"fieldName":"cabinet","label":"Cabinet"}"#,
        )
        .await
        .json();
    assert_eq!(
        (&renamed["name"], &renamed["label"]),
        (&json!("cabinet"), &json!("Cabinet"))
    );
    assert_eq!(sandbox.get(&token, &by_name).await.status, 404);
    assert_eq!(
        sandbox.get(&token, values).await.json(),
        json!({"cabinet": "4"})
    );
    let by_name = format!("{FIELDS}/field-name/cabinet");
    assert_eq!(
        sandbox.call(&token, "DELETE", &by_name, "").await.status,
        204
    );
    assert_eq!(
        sandbox.call(&token, "DELETE", &by_name, "").await.status,
        404
    );
    assert_eq!(sandbox.get(&token, values).await.json(), json!({}));
    let system = format!("{FIELDS}/field-name/supportHours");
    assert_eq!(
        sandbox.call(&token, "DELETE", &system, "").await.status,
        400
    );
}

#[tokio::test]
async fn many_fields_change_together_or_not_at_all() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let bulk = format!("{FIELDS}/bulk");
    let before = names(&sandbox, &token, "").await;
    let body = r#"{"customFields":[{"label":"A","fieldName":"a"},{"label":"A","fieldName":"a"}]}"#;
    assert_eq!(sandbox.call(&token, "POST", &bulk, body).await.status, 400);
    assert_eq!(names(&sandbox, &token, "").await, before);
    let body = r#"{"customFields":[{"label":"A","fieldName":"a"},{"label":"B","fieldName":"b"}]}"#;
    let made = sandbox.call(&token, "POST", &bulk, body).await.json();
    assert_eq!(made[1]["label"], "B");
    let body =
        r#"{"customFields":[{"fieldName":"a","label":"First"},{"fieldName":"c","label":"C"}]}"#;
    assert_eq!(sandbox.call(&token, "PUT", &bulk, body).await.status, 404);
    let first = sandbox
        .get(&token, &format!("{FIELDS}/field-name/a"))
        .await
        .json();
    assert_eq!(first["label"], "A");
    assert_eq!(
        sandbox
            .call(&token, "DELETE", &format!("{bulk}?fieldNames=a,c"), "")
            .await
            .status,
        404
    );
    let gone = sandbox
        .call(&token, "DELETE", &format!("{bulk}?fieldNames=a,b"), "")
        .await
        .json();
    assert_eq!(gone, json!(["a", "b"]));
    assert_eq!(names(&sandbox, &token, "").await, before);
}

#[tokio::test]
async fn fields_are_listed_in_pages_and_by_scope() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let all = names(&sandbox, &token, "").await;
    let first = names(&sandbox, &token, "pageSize=5").await;
    let last = first.last().unwrap();
    let second = names(&sandbox, &token, &format!("pageSize=5&cursorName={last}")).await;
    assert_eq!([first.clone(), second].concat(), all);
    for wrong in [
        "pageSize=4",
        "pageSize=501",
        "pageSize=many",
        "cursorName=nothing",
    ] {
        assert_eq!(
            sandbox
                .get(&token, &format!("{FIELDS}?{wrong}"))
                .await
                .status,
            400,
            "{wrong}"
        );
    }
    let of_locations = sandbox
        .get(&token, "/v2/device-custom-fields?scopes=location")
        .await
        .json();
    let of_locations = of_locations.as_array().unwrap();
    assert!(of_locations.len() < all.len());
    assert!(of_locations.iter().all(|it| {
        it["definitionScope"]
            .as_array()
            .unwrap()
            .contains(&json!("LOCATION"))
    }));
}

#[tokio::test]
async fn a_device_inherits_from_its_location_and_that_from_its_organization() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    assert_eq!(create(&sandbox, &token, "tierName").await, 200);
    let device = sandbox.get(&token, "/v2/device/104").await.json();
    let location = &device["locationId"];
    let of_location = format!("/v2/organization/2/location/{location}/custom-fields");
    let inherited = async |target: &str| {
        sandbox
            .get(&token, &format!("{target}?withInheritance=true"))
            .await
            .json()["tierName"]
            .clone()
    };
    let organization = "/v2/organization/2/custom-fields";
    assert_eq!(
        sandbox
            .call(&token, "PATCH", organization, r#"{"tierName":"gold"}"#)
            .await
            .status,
        204
    );
    let of_device = "/v2/device/104/custom-fields";
    assert_eq!(inherited(of_device).await, "gold");
    assert_eq!(
        sandbox
            .call(&token, "PATCH", &of_location, r#"{"tierName":"silver"}"#)
            .await
            .status,
        204
    );
    assert_eq!(inherited(of_device).await, "silver");
    assert_eq!(
        sandbox
            .call(&token, "PATCH", of_device, r#"{"tierName":7}"#)
            .await
            .status,
        204
    );
    assert_eq!(inherited(of_device).await, 7);
    assert_eq!(
        sandbox
            .call(&token, "PATCH", of_device, r#"{"tierName":null}"#)
            .await
            .status,
        204
    );
    assert_eq!(inherited(of_device).await, "silver");
    assert_eq!(
        sandbox.get(&token, of_device).await.json().get("tierName"),
        None
    );
    assert_eq!(
        sandbox
            .call(&token, "PATCH", of_device, r#"{"unknown":1}"#)
            .await
            .status,
        400
    );
    let elsewhere = format!("/v2/organization/17/location/{location}/custom-fields");
    assert_eq!(sandbox.get(&token, &elsewhere).await.status, 404);
    assert_eq!(
        sandbox
            .get(&token, "/v2/device/9/custom-fields")
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn reports_of_fields_show_what_was_written_since_a_time() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let since = "2026-11-17T13:00:00Z";
    let report = async |target: &str| sandbox.get(&token, target).await.json()["results"].clone();
    let detailed = format!("/v2/queries/custom-fields-detailed?updatedAfter={since}");
    assert_eq!(report(&detailed).await, json!([]));
    let values = "/v2/device/103/custom-fields";
    assert_eq!(
        sandbox
            .call(&token, "PATCH", values, r#"{"assetOwner":"Kim"}"#)
            .await
            .status,
        204
    );
    let rows = report(&detailed).await;
    assert_eq!(
        (&rows[0]["deviceId"], &rows[0]["entityType"]),
        (&json!(103), &json!("NODE"))
    );
    let field = &rows[0]["fields"][0];
    assert_eq!(
        (&field["name"], &field["value"]),
        (&json!("assetOwner"), &json!("Kim"))
    );
    let brief = report("/v2/queries/custom-fields?fields=assetOwner").await;
    assert_eq!(
        brief,
        json!([{"deviceId": 103, "fields": {"assetOwner": "Kim"}}])
    );
    let scoped = report("/v2/queries/scoped-custom-fields?scopes=location,organization").await;
    let named_scopes: Vec<&Value> = scoped
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["scope"])
        .collect();
    assert_eq!(named_scopes, ["LOCATION", "ORGANIZATION", "ORGANIZATION"]);
}

#[tokio::test]
async fn signed_urls_are_a_map_of_the_attachments() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let urls = |of: &str| format!("{FIELDS}/entity-type/{of}/signed-urls");
    let found = sandbox.get(&token, &urls("NODE/101")).await.json();
    let found = found.as_object().unwrap();
    assert_eq!(found.len(), 1);
    assert!(
        found
            .values()
            .all(|it| it.as_str().unwrap().starts_with("https://"))
    );
    assert_eq!(
        sandbox.get(&token, &urls("NODE/103")).await.json(),
        json!({})
    );
    for wrong in ["NODE/9", "TICKET/1", "NODE/x"] {
        assert_eq!(
            sandbox.get(&token, &urls(wrong)).await.status,
            404,
            "{wrong}"
        );
    }
}
