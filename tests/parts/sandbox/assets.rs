//! Software licenses, relationships, devices without an agent, scan groups and installers.

use serde_json::json;

use super::wire::{TestSandbox, ids};

#[tokio::test]
async fn a_license_is_upserted_assigned_and_deleted() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let body = json!({
        "name": "Drawing", "type": "PER_DEVICE", "publisherName": "Example Software", "vendorName": "New Resellers",
        "scope": {"global": false, "organizationNames": ["Kestrel Logistics"], "locationNames": []},
        "quantity": 5, "description": "", "licenseesToAssign": ["HDG-WS-02"],
        "date": 1_780_000_000, "currentUsage": 0, "note": "",
    });
    let upsert = async || {
        sandbox
            .write(&token, "POST", "/v2/software-license/upsert", &body)
            .await
    };
    let (status, made) = upsert().await;
    assert_eq!((status, &made["publisherId"]), (200, &json!(1)));
    assert_eq!(made["scope"]["organizationIds"], json!([23]));
    assert_eq!(
        made["licenseAssignmentList"][0]["licenseeName"],
        "HDG-WS-02"
    );
    assert_eq!(upsert().await.1["id"], made["id"]);

    let id = &made["id"];
    let usage = json!({"licenseId": id, "lastUsage": 1_795_000_000});
    let target = "/v2/software-license/assignments/last-usage";
    assert_eq!(sandbox.write(&token, "PUT", target, &usage).await.0, 204);
    let target = format!("/v2/software-license/{id}/assignments");
    let assignments = sandbox.get(&token, &target).await.json();
    assert_eq!(assignments[0]["lastUsage"], 1_795_000_000);
    let target = format!("/v2/software-license/{id}");
    assert_eq!(
        sandbox.call(&token, "DELETE", &target, "").await.status,
        204
    );
    assert_eq!(sandbox.get(&token, &target).await.status, 404);
}

#[tokio::test]
async fn relationships_come_in_pages_and_are_deleted_by_their_ids() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let body = json!([
        {"sourceEntityType": "DEVICE", "sourceEntityId": 104, "targetEntityType": "DEVICE", "targetEntityId": 101, "relationshipTypeId": 1},
        {"entityId": 104, "relEntityId": 102},
    ]);
    let target = "/v2/itam/asset-relationship";
    let (status, made) = sandbox.write(&token, "POST", target, &body).await;
    assert_eq!((status, made.as_array().unwrap().len()), (200, 2));
    let page = async |after: &str| {
        let target =
            format!("/v2/itam/asset-relationship/DEVICE/104/relations?pageSize=1&after={after}");
        sandbox.get(&token, &target).await.json()
    };
    let first = page("").await;
    assert_eq!(first["pageInfo"]["hasMore"], true);
    let second = page(first["pageInfo"]["nextCursor"].as_str().unwrap()).await;
    assert_eq!(second["pageInfo"]["hasMore"], false);
    let named = |page: &serde_json::Value| page["results"][0]["relationId"].to_string();
    let target = format!("{target}?id={}&id={}", named(&first), named(&second));
    assert_eq!(
        sandbox.call(&token, "DELETE", &target, "").await.status,
        204
    );
    assert_eq!(page("").await["results"], json!([]));
    assert_eq!(
        sandbox.call(&token, "DELETE", &target, "").await.status,
        400
    );
}

#[tokio::test]
async fn unmanaged_and_staged_devices_are_devices() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let body = json!({"name": "Label printer", "orgId": 17, "locationId": 18, "roleId": 10});
    let (_, made) = sandbox
        .write(&token, "POST", "/v2/itam/unmanaged-device", &body)
        .await;
    let target = format!("/v2/device/{}", made["nodeId"]);
    let device = sandbox.get(&token, &target).await.json();
    assert_eq!(
        (&device["nodeClass"], &device["displayName"]),
        (&json!("UNMANAGED_DEVICE"), &json!("Label printer"))
    );
    let staged = json!({"name": "Laptop", "orgId": 17, "locationId": 18, "roleId": 3});
    let (_, staged) = sandbox
        .write(&token, "POST", "/v2/staged-device", &staged)
        .await;
    let laptop = format!("/v2/device/{}", staged["nodeId"]);
    let laptop = sandbox.get(&token, &laptop).await.json();
    assert_eq!(
        (&laptop["nodeClass"], &laptop["approvalStatus"]),
        (&json!("MAC"), &json!("STAGED"))
    );

    let unmanaged = format!("/v2/itam/unmanaged-device/{}", made["nodeId"]);
    let moved = json!({"name": "Label printer", "orgId": 2, "locationId": 4});
    assert_eq!(
        sandbox.write(&token, "PUT", &unmanaged, &moved).await.0,
        202
    );
    assert_eq!(
        sandbox.get(&token, &target).await.json()["organizationId"],
        2
    );
    assert_eq!(
        sandbox.call(&token, "DELETE", &unmanaged, "").await.status,
        200
    );
    assert_eq!(sandbox.get(&token, &target).await.status, 404);
    let managed = "/v2/itam/unmanaged-device/101";
    assert_eq!(
        sandbox.call(&token, "DELETE", managed, "").await.status,
        404
    );
}

#[tokio::test]
async fn an_uploaded_scan_is_processed_after_a_while() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let target = "/v2/vulnerability/scan-groups/1/upload";
    let part = "name=\"csv\"; filename=\"scan.csv\"";
    let without = sandbox
        .upload(&token, target, part, "device,score\r\n")
        .await;
    assert_eq!(without.status, 400);
    let table = "Device,CVE\r\nHDG-SRV-01,CVE-2024-0001\r\nHDG-WS-02,CVE-2024-0002";
    let group = sandbox.upload(&token, target, part, table).await.json();
    assert_eq!(group["status"], "IN_PROGRESS");
    let advance = r#"{"advance_seconds":60}"#;
    sandbox
        .call(&token, "POST", "/sandbox/clock", advance)
        .await;
    let group = sandbox.get(&token, "/v2/vulnerability/scan-groups/1").await;
    let group = group.json();
    assert_eq!(
        (&group["status"], &group["recordsProcessed"]),
        (&json!("COMPLETE"), &json!(2))
    );
    assert_eq!(
        ids(&sandbox
            .get(&token, "/v2/vulnerability/scan-groups")
            .await
            .json()),
        [1, 2]
    );
}

#[tokio::test]
async fn an_installer_is_of_a_known_type_and_of_a_location_of_its_organization() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let of = async |target: &str| {
        let target = format!("/v2/organization/{target}");
        sandbox.get(&token, &target).await
    };
    let link = of("2/location/3/installer/LINUX_DEB").await.json();
    assert!(link["url"].as_str().unwrap().ends_with("-2-3.deb"));
    for wrong in [
        "2/location/18/installer/LINUX_DEB",
        "2/location/3/installer/FLOPPY",
    ] {
        assert_eq!(of(wrong).await.status, 404);
    }
}
