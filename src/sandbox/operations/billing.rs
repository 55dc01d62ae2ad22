//! Billing: accounts, agreements, products, invoices, and what tickets are billed. Nobody has published the members of any of
//! them: see `schema/observed.tsv`.

use http::StatusCode;
use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, no_such},
    call::ApiCall,
    response::SandboxResponse,
    world::{Collection, Record, RecordId, WorldData, integer, record},
};

use super::{query_filters::lists, records};

use Collection::{
    BillingAccounts, BillingAgreements, BillingInvoices, BillingProducts, BillingTicketProducts,
    BillingTimeEntries, Organizations, TicketLogEntries, Tickets,
};

const DAY: u64 = 86_400;

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    let active = |is_active: bool| record(json!({"active": is_active}));
    Some(match &*call.operation.id {
        "getBillingAccounts" => list(call, world, BillingAccounts),
        "getBillingAccountById" => records::read(call, world, BillingAccounts),
        "createBillingAccount" => create(call, world, BillingAccounts, active(true)),
        "updateBillingAccount" => update(call, world, BillingAccounts),
        "deleteBillingAccount" => delete_account(call, world),
        "getBillingAgreements" => list(call, world, BillingAgreements),
        "getBillingAgreementById" => records::read(call, world, BillingAgreements),
        "createBillingAgreement" => {
            let defaults = json!({"status": "ACTIVE", "startDate": world.now()});
            create(call, world, BillingAgreements, record(defaults))
        }
        "updateBillingAgreement" => update(call, world, BillingAgreements),
        "deactivateBillingAgreement" => set(
            call,
            world,
            BillingAgreements,
            json!({"status": "INACTIVE"}),
        ),
        "getBillingProducts" => list(call, world, BillingProducts),
        "getBillingProductById" => records::read(call, world, BillingProducts),
        "createBillingProduct" => create(call, world, BillingProducts, active(true)),
        "updateBillingProduct" => update(call, world, BillingProducts),
        "activateBillingProduct" => set(call, world, BillingProducts, json!({"active": true})),
        "deactivateBillingProduct" => set(call, world, BillingProducts, json!({"active": false})),
        _ => return respond_to_invoices(call, world).or_else(|| respond_to_tickets(call, world)),
    })
}

fn respond_to_invoices(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getBillingInvoices" => list(call, world, BillingInvoices),
        "getBillingInvoiceById" => records::read(call, world, BillingInvoices),
        "createBillingInvoice" => {
            let now = world.now();
            let defaults = json!({
                "number": format!("INV-{:05}", world.count(BillingInvoices) + 1),
                "status": "DRAFT",
                "archived": false,
                "currency": "USD",
                "issueDate": now,
                "dueDate": now + 30 * DAY,
            });
            create(call, world, BillingInvoices, record(defaults))
        }
        "updateBillingInvoice" => update(call, world, BillingInvoices),
        "updateBillingInvoiceNote" => {
            let note = call.members().remove("note").unwrap_or_default();
            set(call, world, BillingInvoices, json!({ "note": note }))
        }
        "approveBillingInvoices" => set_invoices(call, world, json!({"status": "APPROVED"})),
        "archiveBillingInvoices" => set_invoices(call, world, json!({"archived": true})),
        "unarchiveBillingInvoices" => set_invoices(call, world, json!({"archived": false})),
        "exportBillingInvoices" => set_invoices(call, world, json!({"exported": true})),
        _ => return None,
    })
}

fn respond_to_tickets(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getBillingTicketProductsByTicketId" => call.id_of(0, world, Tickets).and_then(|ticket| {
            records::list_if(call, world, BillingTicketProducts, |it| {
                it.get("ticketId") == Some(&ticket.to_value())
            })
        }),
        "createAdHocBillingTicketProduct" => create_ticket_product(call, world, Record::new()),
        "createCatalogBillingTicketProduct" => from_catalog(call, world),
        "updateBillingTicketProduct" => update(call, world, BillingTicketProducts),
        "deleteBillingTicketProducts" => {
            let ids = listed(call, &["ticketProductIds", "ids"]);
            records::existing(world, BillingTicketProducts, &ids).map(|ids| {
                for id in ids {
                    world.remove(BillingTicketProducts, &id);
                }
                Answer::Done
            })
        }
        "updateBillingTicketTimeEntry" => update_time_entry(call, world),
        _ => return None,
    })
}

/// Billing's own form of an error.
fn billing_error(code: &str, message: &str) -> SandboxResponse {
    let body = json!({"errorCode": code, "message": message});
    SandboxResponse::json(StatusCode::BAD_REQUEST, &body)
}

fn list(call: &ApiCall<'_>, world: &WorldData, of: Collection) -> Answered {
    records::list_if(call, world, of, |it| {
        !it.contains_key("organizationId") || lists(call, "organizationId", it, "organizationId")
    })
}

fn create(
    call: &ApiCall<'_>,
    world: &mut WorldData,
    of: Collection,
    mut defaults: Record,
) -> Answered {
    let body = call.members();
    let organization = integer(&body, "organizationId").map(RecordId::from);
    if organization.is_some_and(|id| world.get(Organizations, &id).is_none()) {
        return Err(no_such(Organizations));
    }
    defaults.insert("createTime".to_owned(), world.now().into());
    defaults.insert("updateTime".to_owned(), world.now().into());
    let created = records::create_from(world, of, body, defaults)?;
    let summed = summed(created);
    world.put(of, summed.clone())?;
    Ok(Answer::Value(Value::Object(summed)))
}

fn update(call: &ApiCall<'_>, world: &mut WorldData, of: Collection) -> Answered {
    let id = call.id_of(0, world, of)?;
    let mut changes = call.members();
    changes.insert("updateTime".to_owned(), world.now().into());
    let summed = summed(records::update_from(world, of, &id, changes)?);
    world.put(of, summed.clone())?;
    Ok(Answer::Value(Value::Object(summed)))
}

/// The total of whatever has items.
fn summed(mut bill: Record) -> Record {
    let Some(Value::Array(items)) = bill.get("items") else {
        return bill;
    };
    let number = |item: &Value, member: &str, default| item[member].as_f64().unwrap_or(default);
    let total: f64 = items
        .iter()
        .map(|it| number(it, "quantity", 1.0) * number(it, "price", 0.0))
        .sum();
    bill.insert("subtotal".to_owned(), total.into());
    bill.insert("total".to_owned(), total.into());
    bill
}

fn set(call: &ApiCall<'_>, world: &mut WorldData, of: Collection, changes: Value) -> Answered {
    let id = call.id_of(0, world, of)?;
    let mut changes = record(changes);
    changes.insert("updateTime".to_owned(), world.now().into());
    records::update_from(world, of, &id, changes).map(|_| Answer::Done)
}

fn delete_account(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = call.id_of(0, world, BillingAccounts)?;
    let used = |of: Collection| {
        let mut all = world.all(of);
        all.any(|it| it.get("accountId") == Some(&id.to_value()))
    };
    if used(BillingProducts) || used(BillingTicketProducts) {
        return Err(billing_error(
            "account_in_use",
            "A product is billed to the account",
        ));
    }
    world.remove(BillingAccounts, &id);
    Ok(Answer::Done)
}

/// The ids in the first of these members that is there.
fn listed(call: &ApiCall<'_>, members: &[&str]) -> Vec<Value> {
    let body = call.members();
    let found = members.iter().find_map(|it| body.get(*it)?.as_array());
    found.cloned().unwrap_or_default()
}

fn set_invoices(call: &ApiCall<'_>, world: &mut WorldData, changes: Value) -> Answered {
    let ids = listed(call, &["invoiceIds", "ids"]);
    records::set_each(world, BillingInvoices, &ids, &record(changes)).map(|_| Answer::Done)
}

/// What the body does not say is that of the product.
fn from_catalog(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = integer(&call.members(), "productId").map(RecordId::from);
    let product = id.and_then(|id| world.get(BillingProducts, &id).cloned());
    let product = product.ok_or_else(|| no_such(BillingProducts))?;
    let members = [
        "name",
        "description",
        "accountId",
        "price",
        "cost",
        "taxable",
    ];
    let defaults = members
        .into_iter()
        .filter_map(|it| Some((it.to_owned(), product.get(it)?.clone())));
    let defaults = defaults.collect();
    create_ticket_product(call, world, defaults)
}

/// Refused where the ticket's organization has no agreement, as NinjaOne is known to.
fn create_ticket_product(
    call: &ApiCall<'_>,
    world: &mut WorldData,
    mut defaults: Record,
) -> Answered {
    let ticket = integer(&call.members(), "ticketId").map(RecordId::from);
    let ticket = ticket.and_then(|id| world.get(Tickets, &id));
    let ticket = ticket.ok_or_else(|| no_such(Tickets))?;
    let organization = ticket.get("clientId");
    let agreement = world
        .all(BillingAgreements)
        .find(|it| it.get("organizationId") == organization)
        .and_then(|it| it.get("id"))
        .ok_or_else(|| {
            billing_error(
                "agreement_is_required",
                "The organization of the ticket has no agreement",
            )
        })?;
    for (member, value) in [
        ("agreementId", agreement.clone()),
        ("quantity", json!(1)),
        ("billable", json!(true)),
    ] {
        defaults.entry(member).or_insert(value);
    }
    create(call, world, BillingTicketProducts, defaults)
}

/// A time entry is the time that an entry of a ticket's log has tracked, and has its id.
fn update_time_entry(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = call.id_of(0, world, TicketLogEntries)?;
    let entry = call.record_of(0, world, TicketLogEntries)?;
    let mut time = world
        .get(BillingTimeEntries, &id)
        .cloned()
        .unwrap_or_default();
    for member in ["ticketId", "timeTracked"] {
        if let Some(value) = entry.get(member) {
            time.insert(member.to_owned(), value.clone());
        }
    }
    time.entry("billing").or_insert_with(|| "BILLABLE".into());
    time.extend(call.members());
    time.insert("id".to_owned(), id.to_value());
    time.insert("updateTime".to_owned(), world.now().into());
    world.put(BillingTimeEntries, time.clone())?;
    if let (Some(entry), Some(tracked)) = (
        world.get_mut(TicketLogEntries, &id),
        time.get("timeTracked"),
    ) {
        entry.insert("timeTracked".to_owned(), tracked.clone());
    }
    Ok(Answer::Value(Value::Object(time)))
}
