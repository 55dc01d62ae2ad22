//! Tickets, and what is said and done about each.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, bad_request, unknown_in_body},
    call::ApiCall,
    multipart,
    response::SandboxResponse,
    time_text::parse_time,
    world::{Collection, Record, RecordId, WorldData, integer, record, text},
};

use super::{
    activities::{acting_user, record_change},
    records, ticket_boards,
    ticket_rows::status_of,
};

use Collection::{
    BillingAgreements, BillingInvoices, BillingProducts, Devices, Locations, Organizations,
    TicketAttributes, TicketForms, TicketLogEntries, TicketStatuses, Tickets, Users,
};

/// Entries of a page, unless `pageSize` says otherwise.
const LOG_PAGE_SIZE: u64 = 500;

/// Who acts where an app without a user does.
const TECHNICIAN: u64 = 1;

/// What a body refers to, and must be there.
const REFERENCES: [(&str, Collection); 5] = [
    ("clientId", Organizations),
    ("ticketFormId", TicketForms),
    ("locationId", Locations),
    ("nodeId", Devices),
    ("assignedAppUserId", Users),
];

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getTicketById" => call
            .record_of(0, world, Tickets)
            .map(|it| Answer::Value(shown(world, it))),
        "create_1" => create(call, world),
        "update_1" => update(call, world),
        "createComment" => comment(call, world),
        "getTicketLogEntriesByTicketId" => log(call, world),
        _ => return ticket_boards::respond(call, world),
    })
}

/// With its status as an object.
fn shown(world: &WorldData, ticket: &Record) -> Value {
    let mut shown = ticket.clone();
    let status = status_of(world, ticket);
    shown.insert("status".to_owned(), json!(status));
    Value::Object(shown)
}

/// The members of a body in the form that tickets have.
///
/// # Errors
/// 400: it refers to something that does not exist.
fn ticket_members(world: &WorldData, mut body: Record) -> Result<Record, SandboxResponse> {
    for (member, of) in REFERENCES {
        let wanted = integer(&body, member).map(RecordId::from);
        if wanted.is_some_and(|id| world.get(of, &id).is_none()) {
            return Err(unknown_in_body(of));
        }
    }
    if let Some(status) = body.remove("status") {
        body.insert("statusId".to_owned(), status_id(world, &status)?);
    }
    if let Some(cc) = body.remove("cc").filter(|it| !it.is_null()) {
        body.insert("ccList".to_owned(), cc);
    }
    if let Some(Value::Array(attributes)) = body.remove("attributes") {
        let mut values = Vec::new();
        for (index, attribute) in (1_u64..).zip(attributes) {
            let id = attribute["attributeId"].as_u64().map(RecordId::from);
            if id.is_none_or(|id| world.get(TicketAttributes, &id).is_none()) {
                return Err(bad_request("There is no such ticket attribute"));
            }
            let mut value = record(attribute);
            value.insert("id".to_owned(), index.into());
            values.push(Value::Object(value));
        }
        body.insert("attributeValues".to_owned(), values.into());
    }
    Ok(body)
}

/// Clients name a status by its id, as text or as a number, or by its name.
fn status_id(world: &WorldData, status: &Value) -> Result<Value, SandboxResponse> {
    let wanted = match status {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let is_meant = |it: &&Record| {
        integer(it, "statusId").is_some_and(|id| id.to_string() == wanted)
            || ["name", "displayName"]
                .iter()
                .any(|member| text(it, member).is_some_and(|it| it.eq_ignore_ascii_case(&wanted)))
    };
    let found = world.all(TicketStatuses).find(is_meant);
    found
        .and_then(|it| it.get("statusId").cloned())
        .ok_or_else(|| bad_request("There is no such ticket status"))
}

/// The status of a ticket that names none.
const NEW_TICKET: u64 = 1_000;

fn create(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let mut body = call.members();
    let description = record(body.remove("description").unwrap_or_default());
    body.remove("id");
    let members = ticket_members(world, body)?;
    let defaults = json!({
        "version": 1,
        "statusId": NEW_TICKET,
        "type": "PROBLEM",
        "priority": "NONE",
        "severity": "NONE",
        "source": "TECHNICIAN",
        "createTime": world.now(),
        "lastUpdated": world.now(),
        "deleted": false,
    });
    let ticket = records::create_from(world, Tickets, members, record(defaults))?;
    let said = text(&description, "body").or_else(|| text(&description, "htmlBody"));
    if said.is_some() {
        let entry = entry_from(&description);
        add_entry(
            call,
            world,
            &ticket,
            "DESCRIPTION",
            entry,
            "NINJA_TICKETING_TICKET_CREATED",
        )?;
    }
    Ok(Answer::Value(shown(world, &ticket)))
}

/// Refused if somebody else has changed the ticket since the version that the request is for.
fn update(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = call.id_of(0, world, Tickets)?;
    let before = call.record_of(0, world, Tickets)?.clone();
    let version = integer(&before, "version").unwrap_or_default();
    let mut body = call.members();
    if integer(&body, "version").is_some_and(|it| it != version) {
        let message = format!("The ticket has version {version} by now");
        return Err(SandboxResponse::application_error(
            StatusCode::CONFLICT,
            "CONFLICT",
            &message,
        ));
    }
    for member in ["deleted", "createTime", "source"] {
        body.remove(member);
    }
    let mut changes = ticket_members(world, body)?;
    changes.insert("version".to_owned(), (version + 1).into());
    changes.insert("lastUpdated".to_owned(), world.now().into());
    let ticket = records::update_from(world, Tickets, &id, changes)?;
    let entry = record(json!({"publicEntry": false, "changeDiff": difference(&before, &ticket)}));
    add_entry(
        call,
        world,
        &ticket,
        "SAVE",
        entry,
        "NINJA_TICKETING_UPDATED",
    )?;
    Ok(Answer::Value(shown(world, &ticket)))
}

/// What has changed: the old and the new value by the name of the member.
fn difference(before: &Record, after: &Record) -> Value {
    let changed = after.iter().filter(|(name, value)| {
        !matches!(name.as_str(), "version" | "lastUpdated") && before.get(*name) != Some(value)
    });
    let pairs = changed.map(|(name, value)| {
        let change = json!({"old": before.get(name), "new": value});
        (name.clone(), change)
    });
    Value::Object(pairs.collect())
}

/// A comment in the form that log entries have.
fn entry_from(comment: &Record) -> Record {
    let html = text(comment, "htmlBody").map(str::to_owned);
    let body = text(comment, "body").map(str::to_owned);
    let is_public = comment.get("public").cloned().unwrap_or(true.into());
    let html = html.or_else(|| body.as_ref().map(|it| format!("<p>{it}</p>")));
    record(json!({
        "body": body,
        "htmlBody": html,
        "publicEntry": is_public,
        "timeTracked": integer(comment, "timeTracked").unwrap_or_default(),
    }))
}

/// Adds an entry to the ticket's log, and an activity that it names.
fn add_entry(
    call: &ApiCall<'_>,
    world: &mut WorldData,
    ticket: &Record,
    kind: &str,
    mut entry: Record,
    code: &str,
) -> Result<(), SandboxResponse> {
    let author = acting_user(call).unwrap_or(TECHNICIAN);
    let uid = world
        .get(Users, &RecordId::from(author))
        .and_then(|it| it.get("uid").cloned());
    let subject = text(ticket, "subject").unwrap_or_default();
    let activity = record_change(call, world, code, subject, integer(ticket, "nodeId"));
    let more = json!({
        "ticketId": ticket.get("id"),
        "type": kind,
        "createTime": world.now(),
        "appUserContactId": author,
        "appUserContactUid": uid,
        "appUserContactType": "TECHNICIAN",
        "activityId": activity.get("id"),
    });
    entry.extend(record(more));
    world.create(TicketLogEntries, entry)?;
    Ok(())
}

/// A form with the comment as JSON in `comment`, and any number of `files`, whose names are kept with the comment.
fn comment(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = call.id_of(0, world, Tickets)?;
    let ticket = call.record_of(0, world, Tickets)?.clone();
    let request = call.request;
    let parts = multipart::parse(&request.headers, &request.body)
        .map_err(|error| bad_request(&error.to_string()))?;
    let files: Vec<&String> = parts
        .iter()
        .filter_map(|it| it.file_name.as_ref())
        .collect();
    let comment = parts.iter().find(|it| it.name == "comment");
    let comment = match comment {
        Some(part) => serde_json::from_slice::<Map<String, Value>>(part.bytes)
            .map_err(|_| bad_request("The comment is no JSON object"))?,
        None if files.is_empty() => return Err(bad_request("The comment is missing")),
        None => Map::new(),
    };
    if !comment.is_empty() && !comment.contains_key("public") {
        return Err(bad_request("comment.public is missing"));
    }
    let mut entry = entry_from(&comment);
    entry.insert("files".to_owned(), json!(files));
    add_entry(
        call,
        world,
        &ticket,
        "COMMENT",
        entry,
        "NINJA_TICKETING_UPDATED",
    )?;
    let now = world.now();
    if let Some(ticket) = world.get_mut(Tickets, &id) {
        ticket.insert("lastUpdated".to_owned(), now.into());
    }
    Ok(Answer::Done)
}

/// By ascending id, after `anchorId`.
fn log(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let ticket = integer(call.record_of(0, world, Tickets)?, "id");
    let kind = call.query("type").filter(|it| !it.is_empty());
    let anchor = call.request.query.number("anchorId").unwrap_or_default();
    let since = match call.query("createTime").filter(|it| !it.is_empty()) {
        Some(text) => {
            parse_time(text)
                .ok_or_else(|| bad_request("createTime is no date"))?
                .start
        }
        None => 0,
    };
    let size = call
        .request
        .query
        .number("pageSize")
        .unwrap_or(LOG_PAGE_SIZE);
    let fits = |it: &&Record| {
        integer(it, "ticketId") == ticket
            && kind.is_none_or(|kind| text(it, "type") == Some(kind))
            && integer(it, "id").is_some_and(|id| id > anchor)
            && integer(it, "createTime").is_some_and(|at| at >= since)
    };
    let entries = world.all(TicketLogEntries).filter(fits);
    let page = entries.take(usize::try_from(size).unwrap_or(usize::MAX));
    Ok(Answer::list(page.map(|it| shown_entry(world, it))))
}

/// With the time that it took, and what that would be billed with.
fn shown_entry(world: &WorldData, entry: &Record) -> Value {
    let first = |of: Collection| world.all(of).next();
    let named = |it: &Record| json!({"id": it.get("id"), "name": it.get("name")});
    let agreement = first(BillingAgreements).map(named);
    let product = first(BillingProducts).map(named);
    let invoice = first(BillingInvoices).and_then(|it| it.get("id"));
    let tracked = integer(entry, "timeTracked").unwrap_or_default();
    let billing = |tracked: u64| {
        json!({
            "timeTracked": tracked,
            "billing": "NOT_BILLABLE",
            "billingStatus": "NOT_BILLABLE",
            "agreementOriginType": "NONE",
            "agreement": agreement,
            "agreementProduct": product,
            "invoiceId": invoice,
        })
    };
    let time = json!({
        "ticketLogEntryId": entry.get("id"),
        "startDate": entry.get("createTime"),
        "remote": false,
        "timeTracked": tracked,
        "inHours": billing(tracked),
        "offHours": billing(0),
    });
    let mut shown = entry.clone();
    shown.insert("ticketTimeEntry".to_owned(), time);
    shown.insert(
        "automation".to_owned(),
        json!({"id": 1, "name": "Standard notifications", "system": true, "type": "NOTIFICATION"}),
    );
    Value::Object(shown)
}
