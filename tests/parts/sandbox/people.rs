//! Users, roles and contacts.

use serde_json::json;

use super::wire::{TestSandbox, ids};

#[tokio::test]
async fn technicians_and_end_users_are_told_apart() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let get = async |target: &str| sandbox.get(&token, target).await.json();
    assert_eq!(ids(&get("/v2/users").await), [1, 2, 3, 4, 5, 6]);
    let end_users = get("/v2/users?userType=END_USER&includeRoles=true").await;
    assert_eq!(ids(&end_users), [4, 5, 6]);
    assert_eq!(end_users[0]["roles"], json!(["End User"]));
    assert_eq!(get("/v2/users").await[0]["roles"], json!([]));
    assert_eq!(ids(&get("/v2/user/technicians").await), [1, 2, 3]);
    assert_eq!(ids(&get("/v2/organization/17/end-users").await), [5]);
    let alex = get("/v2/user/end-user/4").await;
    assert_eq!(alex["uid"], get("/v2/users").await[3]["uid"]);
    assert_eq!(alex["assignedDeviceIds"][0], 101);
    for target in [
        "/v2/user/end-user/1",
        "/v2/user/technician/4",
        "/v2/organization/9/end-users",
    ] {
        assert_eq!(sandbox.get(&token, target).await.status, 404, "{target}");
    }
    let wrong = sandbox.get(&token, "/v2/users?userType=CONTACT").await;
    assert_eq!(wrong.status, 400);
}

#[tokio::test]
async fn an_end_user_is_created_changed_and_deleted() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let body =
        r#"{"firstName":"Ada","lastName":"Baker","email":"ada@example.com","organizationId":2}"#;
    let reply = sandbox
        .call(&token, "POST", "/v2/user/end-users", body)
        .await;
    assert_eq!(reply.status, 200);
    let made = reply.json();
    assert_eq!((&made["id"], &made["enabled"]), (&json!(7), &json!(true)));
    let target = "/v2/user/end-user/7";
    let reply = sandbox
        .call(&token, "PATCH", target, r#"{"lastName":"Cook"}"#)
        .await;
    assert_eq!(
        (reply.status, &reply.json()["lastName"]),
        (200, &json!("Cook"))
    );
    let access = r#"{"deviceIds":[103]}"#;
    let reply = sandbox
        .call(&token, "PATCH", "/v2/user/end-user/7/device-access", access)
        .await;
    assert_eq!(reply.status, 204);
    let read = sandbox.get(&token, target).await.json();
    assert_eq!(read["accessibleDeviceIds"], json!([103]));
    assert_eq!(read["uid"], made["uid"]);
    let role = sandbox
        .call(&token, "PATCH", "/v2/user/role/3/add-members", "[7]")
        .await
        .json();
    assert_eq!(role["members"][3]["email"], "ada@example.com");
    let reply = sandbox.call(&token, "DELETE", target, "").await;
    assert_eq!((reply.status, reply.body.len()), (204, 0));
    assert_eq!(sandbox.get(&token, target).await.status, 404);
    let roles = sandbox
        .get(&token, "/v2/user/roles?roleType=END_USER")
        .await
        .json();
    assert_eq!(ids(&roles[0]["members"]), [4, 5, 6]);
    let codes = sandbox
        .get(&token, "/v2/activities?class=USER")
        .await
        .json();
    let codes = codes["activities"].as_array().unwrap();
    assert_eq!(codes[0]["statusCode"], "END_USER_DELETED_API");
    assert!(codes[0].get("deviceId").is_none());
    let nowhere = r#"{"firstName":"A","lastName":"B","email":"a@example.com","organizationId":9}"#;
    let reply = sandbox
        .call(&token, "POST", "/v2/user/end-users", nowhere)
        .await;
    assert_eq!(reply.status, 400);
    let reply = sandbox
        .call(&token, "PATCH", "/v2/user/role/3/add-members", "[99]")
        .await;
    assert_eq!(reply.status, 400);
}

#[tokio::test]
async fn a_contact_is_created_changed_and_deleted() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let body = r#"{"organizationId":23,"firstName":"Ira","lastName":"Mechanic","email":"ira@example.com"}"#;
    let made = sandbox
        .call(&token, "POST", "/v2/contacts", body)
        .await
        .json();
    let target = format!("/v2/contact/{}", made["id"]);
    let changed = sandbox
        .call(&token, "PATCH", &target, r#"{"jobTitle":"Fitter"}"#)
        .await
        .json();
    assert_eq!(
        (&changed["jobTitle"], &changed["uid"]),
        (&json!("Fitter"), &made["uid"])
    );
    assert_eq!(sandbox.get(&token, &target).await.json(), changed);
    assert_eq!(
        ids(&sandbox.get(&token, "/v2/contacts").await.json()),
        [1, 2, 3, 4]
    );
    assert_eq!(
        sandbox.call(&token, "DELETE", &target, "").await.status,
        204
    );
    assert_eq!(sandbox.get(&token, &target).await.status, 404);
    assert_eq!(
        sandbox.call(&token, "PATCH", &target, "{}").await.status,
        404
    );
}

#[tokio::test]
async fn people_of_ticketing_page_by_natural_id() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let (mut seen, mut anchor) = (Vec::new(), "0".to_owned());
    loop {
        let target = format!("/v2/ticketing/app-user-contact?pageSize=4&anchorNaturalId={anchor}");
        let page = sandbox.get(&token, &target).await.json();
        let page = page.as_array().unwrap();
        let Some(last) = page.last() else { break };
        last["naturalId"].as_str().unwrap().clone_into(&mut anchor);
        seen.extend(page.iter().map(|it| it["uid"].as_str().unwrap().to_owned()));
    }
    assert_eq!(seen.len(), 9);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 9);
    let target = "/v2/ticketing/app-user-contact?userType=CONTACT&clientId=2&searchCriteria=PAT";
    assert_eq!(ids(&sandbox.get(&token, target).await.json()), [1]);
}
