//! Billing.

use serde_json::{Value, json};

use super::wire::{TestSandbox, ids};

#[tokio::test]
async fn an_invoice_is_written_approved_archived_and_summed() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let body = json!({"organizationId": 2, "items": [
        {"name": "Drive", "quantity": 2, "price": 95.5}, {"name": "Cable", "quantity": 1, "price": 9},
    ]});
    let (status, made) = sandbox
        .write(&token, "POST", "/v2/billing/invoices", &body)
        .await;
    assert_eq!((status, &made["total"]), (200, &json!(200)));
    let id = &made["id"];
    for action in ["approve", "archive"] {
        let target = format!("/v2/billing/invoices/{action}");
        let body = json!({ "invoiceIds": [id] });
        assert!(sandbox.write(&token, "POST", &target, &body).await.0 < 300);
    }
    let target = format!("/v2/billing/invoices/{id}");
    let note = json!({"note": "Paid in cash"});
    let noted = format!("{target}/note");
    sandbox.write(&token, "PATCH", &noted, &note).await;
    let read = sandbox.get(&token, &target).await.json();
    assert_eq!(
        (&read["status"], &read["archived"], &read["note"]),
        (&json!("APPROVED"), &json!(true), &json!("Paid in cash"))
    );
    let unknown = json!({"invoiceIds": [99]});
    let target = "/v2/billing/invoices/approve";
    assert_eq!(sandbox.write(&token, "POST", target, &unknown).await.0, 400);
}

#[tokio::test]
async fn accounts_products_and_agreements_change_their_state() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let target = "/v2/billing/accounts";
    let (_, made) = sandbox
        .write(&token, "POST", target, &json!({"name": "Software"}))
        .await;
    let account = format!("{target}/{}", made["id"]);
    assert_eq!(
        sandbox.get(&token, &account).await.json()["name"],
        "Software"
    );
    assert_eq!(
        sandbox.call(&token, "DELETE", &account, "").await.status,
        204
    );
    let used = sandbox
        .call(&token, "DELETE", "/v2/billing/accounts/1", "")
        .await;
    assert_eq!(
        (used.status, &used.json()["errorCode"]),
        (400, &json!("account_in_use"))
    );
    assert_eq!(ids(&sandbox.get(&token, target).await.json()), [1, 2, 3]);

    let product = "/v2/billing/products/1";
    let off = format!("{product}/deactivate");
    sandbox.write(&token, "PATCH", &off, &Value::Null).await;
    assert_eq!(sandbox.get(&token, product).await.json()["active"], false);
    let agreement = "/v2/billing/agreements/3";
    let off = format!("{agreement}/deactivate");
    sandbox.write(&token, "PATCH", &off, &Value::Null).await;
    let read = sandbox.get(&token, agreement).await.json();
    assert_eq!(read["status"], "INACTIVE");
}
