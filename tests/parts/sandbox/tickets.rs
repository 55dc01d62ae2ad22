//! Tickets and boards.

use serde_json::{Value, json};

use super::wire::{TestSandbox, ids, send};

const BOARD: &str = "/v2/ticketing/trigger/board/1/run";

#[tokio::test]
async fn a_board_pages_by_the_last_ticket() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let run = async |body: Value| {
        let reply = sandbox.call(&token, "POST", BOARD, &body.to_string()).await;
        assert_eq!(reply.status, 200);
        reply.json()
    };
    let (mut seen, mut last) = (Vec::new(), 0);
    loop {
        let sort = json!([{"field": "createTime", "direction": "DESC"}]);
        let page = run(json!({"pageSize": 2, "sortBy": sort, "lastCursorId": last})).await;
        let rows = ids(&page["data"]);
        if rows.is_empty() {
            break;
        }
        seen.extend(rows);
        last = page["metadata"]["lastCursorId"].as_u64().unwrap();
    }
    assert_eq!(seen, [1003, 1002, 1001]);
    let row = &run(json!({"searchCriteria": "PRINTER"})).await["data"][0];
    assert_eq!(
        row["status"],
        json!({"name": "OPEN", "displayName": "Open", "statusId": 2000})
    );
    assert_eq!(row["organization"], "Harbour Dental Group");
    assert_eq!(
        (&row["requester"], &row["assignedAppUser"]),
        (&json!("Alex Dentist"), &json!("Sam Specimen"))
    );
    assert_eq!(row["totalTimeTracked"], 600);
    let few = run(json!({"includeColumns": ["priority"]})).await;
    assert_eq!(few["data"][0].as_object().unwrap().len(), 4);
    let filter = |operator: &str| json!({"filters": [{"field": "status", "operator": operator, "value": "Closed"}]});
    assert_eq!(ids(&run(filter("is")).await["data"]), [1003]);
    assert_eq!(ids(&run(filter("is_not")).await["data"]), [1002, 1001]);
    for (target, body, status) in [
        (BOARD, filter("sounds_like"), 400),
        ("/v2/ticketing/trigger/board/99/run", json!({}), 404),
    ] {
        let reply = sandbox
            .call(&token, "POST", target, &body.to_string())
            .await;
        assert_eq!(reply.status, status);
    }
    let boards = sandbox
        .get(&token, "/v2/ticketing/trigger/boards")
        .await
        .json();
    let counts: Vec<_> = boards
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["ticketCount"].clone())
        .collect();
    assert_eq!(counts, [3, 2, 0]);
}

#[tokio::test]
async fn a_ticket_is_created_and_changed_by_version() {
    let sandbox = TestSandbox::strict();
    let (token, user) = (sandbox.token().await, sandbox.user_token().await);
    let mut body = json!({
        "clientId": 2, "ticketFormId": 1, "subject": "No sound", "status": "1000", "nodeId": 103,
        "requesterUid": "36f675cc-81e7-4ef5-a8e2-5d940ed90475",
        "description": {"public": true, "body": "The speakers are silent."},
        "cc": {"uids": [], "emails": ["desk@example.com"]},
        "attributes": [{"attributeId": 2, "value": "PO 7"}],
    });
    let target = "/v2/ticketing/ticket";
    assert_eq!(
        sandbox
            .call(&token, "POST", target, &body.to_string())
            .await
            .status,
        403
    );
    let reply = sandbox.call(&user, "POST", target, &body.to_string()).await;
    assert_eq!(reply.status, 200);
    let made = reply.json();
    assert_eq!((&made["id"], &made["version"]), (&json!(1004), &json!(1)));
    assert_eq!(made["status"]["displayName"], "New");
    assert_eq!(made["ccList"]["emails"], json!(["desk@example.com"]));
    assert_eq!(made["attributeValues"][0]["value"], "PO 7");
    assert!(made.get("assignedAppUserId").is_none());
    let target = "/v2/ticketing/ticket/1004";
    assert_eq!(sandbox.get(&user, target).await.json(), made);

    body["version"] = 1.into();
    body["status"] = "closed".into();
    let update = async |body: &Value| sandbox.call(&user, "PUT", target, &body.to_string()).await;
    let changed = update(&body).await.json();
    assert_eq!(
        (&changed["version"], &changed["status"]["statusId"]),
        (&json!(2), &json!(6000))
    );
    assert_eq!(update(&body).await.status, 409);
    body["version"] = 2.into();
    body["status"] = "asleep".into();
    assert_eq!(update(&body).await.status, 400);
    let log = sandbox
        .get(&user, "/v2/ticketing/ticket/1004/log-entry")
        .await
        .json();
    assert_eq!(
        (&log[0]["type"], &log[1]["type"]),
        (&json!("DESCRIPTION"), &json!("SAVE"))
    );
    assert_eq!(
        log[1]["changeDiff"]["statusId"],
        json!({"old": 1000, "new": 6000})
    );
    assert_eq!(
        sandbox.get(&user, "/v2/ticketing/ticket/99").await.status,
        404
    );
    body["clientId"] = 9.into();
    let reply = sandbox
        .call(&user, "POST", "/v2/ticketing/ticket", &body.to_string())
        .await;
    assert_eq!(reply.status, 400);
}

#[tokio::test]
async fn a_comment_is_a_form_and_becomes_a_log_entry() {
    let sandbox = TestSandbox::strict();
    let user = sandbox.user_token().await;
    let form = "--b\r\nContent-Disposition: form-data; name=\"comment\"\r\nContent-Type: application/json\r\n\r\n\
        {\"public\":true,\"body\":\"Done.\",\"timeTracked\":90}\r\n\
        --b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.txt\"\r\n\r\nhello\r\n--b--\r\n";
    let comment = async |content_type: &str, body: &str| {
        let headers = format!("Authorization: Bearer {user}\r\nContent-Type: {content_type}\r\n");
        let target = "/v2/ticketing/ticket/1001/comment";
        send(sandbox.at, "POST", target, &headers, body)
            .await
            .unwrap()
            .status
    };
    assert_eq!(comment("multipart/form-data; boundary=b", form).await, 204);
    assert_eq!(comment("application/json", "{\"public\":true}").await, 400);
    let target = "/v2/ticketing/ticket/1001/log-entry?type=COMMENT";
    let comments = sandbox.get(&user, target).await.json();
    assert_eq!(comments[1]["body"], "Done.");
    assert_eq!(comments[1]["ticketTimeEntry"]["timeTracked"], 90);
    let next = format!("{target}&pageSize=1&anchorId={}", comments[0]["id"]);
    assert_eq!(sandbox.get(&user, &next).await.json(), json!([comments[1]]));
}
