//! What tickets are about and shown in: boards, forms, statuses, attributes, and people.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, bad_request},
    call::ApiCall,
    response::SandboxResponse,
    world::{Collection, Record, RecordId, WorldData, integer, text},
};

use super::{
    records,
    ticket_rows::{COLUMNS, TicketRowFilter, compare, contains, full_name, row},
};

use Collection::{
    Boards, Contacts, Organizations, TicketAttributes, TicketForms, TicketStatuses, Tickets, Users,
};

/// Rows of a page, unless the request says otherwise; the most that it can say is not known.
const BOARD_PAGE_SIZE: u64 = 50;

const PEOPLE_PAGE_SIZE: u64 = 50;

/// Columns that are always there.
const REQUIRED_COLUMNS: [&str; 3] = ["id", "summary", "status"];

/// Tickets that were changed last come first, as in the boards of other clients' reports.
const SORT_FIELD: &str = "lastUpdated";

pub(super) fn respond(call: &ApiCall<'_>, world: &WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getBoards" => boards(world),
        "getTicketsByBoard" => run(call, world),
        "getTicketForms" => Ok(Answer::list(
            world.all(TicketForms).map(|it| form(world, it)),
        )),
        "getTicketFormById" => call
            .record_of(0, world, TicketForms)
            .map(|it| Answer::Value(form(world, it))),
        "getAllStatuses" => records::list(call, world, TicketStatuses),
        "getTicketAttributes" => records::list(call, world, TicketAttributes),
        "getContacts_1" => Ok(Answer::list(
            world.all(Contacts).map(|it| contact(world, it)),
        )),
        "getAllUserAndContacts" => people(call, world),
        _ => return None,
    })
}

fn size(given: Option<u64>, default: u64) -> usize {
    usize::try_from(given.filter(|it| *it > 0).unwrap_or(default)).unwrap_or(usize::MAX)
}

/// A number in a body; some clients write it as text.
fn number(body: &Record, member: &str) -> Option<u64> {
    integer(body, member).or_else(|| text(body, member)?.parse().ok())
}

/// The rows of a board: those that meet all of its conditions, and any of the others if there are some.
fn rows_of(world: &WorldData, board: &Record) -> Result<Vec<Record>, SandboxResponse> {
    let conditions =
        |name| TicketRowFilter::parse_all(board.get("conditions").and_then(|it| it.get(name)));
    let (all, any) = (conditions("all")?, conditions("any")?);
    let rows = world.all(Tickets).map(|it| row(world, it));
    let fits = |row: &Record| {
        all.iter().all(|it| it.matches(row))
            && (any.is_empty() || any.iter().any(|it| it.matches(row)))
    };
    Ok(rows.filter(fits).collect())
}

fn boards(world: &WorldData) -> Answered {
    let mut shown = Vec::new();
    for board in world.all(Boards) {
        let mut it = board.clone();
        it.insert("columns".to_owned(), json!(COLUMNS));
        it.insert(
            "ticketCount".to_owned(),
            rows_of(world, board)?.len().into(),
        );
        shown.push(Value::Object(it));
    }
    Ok(Answer::list(shown))
}

/// The next page begins after the ticket that `lastCursorId` names.
fn run(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let board = call.record_of(0, world, Boards)?;
    let body = call.members();
    let filters = TicketRowFilter::parse_all(body.get("filters"))?;
    let search = text(&body, "searchCriteria").unwrap_or_default();
    let sort = sort_of(&body)?;
    let mut rows = rows_of(world, board)?;
    rows.retain(|row| contains(row, search) && filters.iter().all(|it| it.matches(row)));
    rows.sort_by(|one, other| {
        let orders = sort.iter().map(|(field, is_descending)| {
            let order = compare(one, other, field);
            if *is_descending {
                order.reverse()
            } else {
                order
            }
        });
        orders.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    });
    let last = number(&body, "lastCursorId").unwrap_or_default();
    let is_last = |row: &Record| integer(row, "id") == Some(last);
    if last > 0 {
        let start = rows
            .iter()
            .position(is_last)
            .map_or(rows.len(), |it| it + 1);
        rows.drain(..start);
    }
    rows.truncate(size(number(&body, "pageSize"), BOARD_PAGE_SIZE));
    let last = rows.last().and_then(|it| integer(it, "id")).unwrap_or(last);
    let columns = columns_of(&body);
    for row in &mut rows {
        row.retain(|name, _| columns.contains(&name.as_str()));
    }
    let sort: Vec<Value> = sort.iter().map(shown_sort).collect();
    Ok(Answer::Value(json!({
        "data": rows,
        "metadata": {
            "columns": columns,
            "sortBy": sort,
            "attributes": attributes(world),
            "filters": body.get("filters").cloned().unwrap_or_else(|| json!([])),
            "lastCursorId": last,
            "allRequiredColumns": REQUIRED_COLUMNS,
            "allColumns": COLUMNS,
            "columnNamesForExporting": COLUMNS,
        },
    })))
}

fn shown_sort((field, is_descending): &(String, bool)) -> Value {
    json!({"field": field, "direction": if *is_descending { "DESC" } else { "ASC" }})
}

/// Fields, and whether they descend.
fn sort_of(body: &Record) -> Result<Vec<(String, bool)>, SandboxResponse> {
    let wanted = body.get("sortBy").and_then(Value::as_array);
    let mut sort = Vec::new();
    for it in wanted.into_iter().flatten().filter_map(Value::as_object) {
        let field = text(it, "field").unwrap_or_default();
        if !COLUMNS.contains(&field) {
            return Err(bad_request(&format!("There is no column {field}")));
        }
        sort.push((field.to_owned(), text(it, "direction") == Some("DESC")));
    }
    if sort.is_empty() {
        sort.push((SORT_FIELD.to_owned(), true));
    }
    Ok(sort)
}

/// Those that the request includes, in the order of all of them.
fn columns_of(body: &Record) -> Vec<&'static str> {
    let included = body.get("includeColumns").and_then(Value::as_array);
    let Some(included) = included.filter(|it| !it.is_empty()) else {
        return COLUMNS.to_vec();
    };
    let is_shown =
        |name: &&str| REQUIRED_COLUMNS.contains(name) || included.contains(&(*name).into());
    COLUMNS.into_iter().filter(|it| is_shown(it)).collect()
}

/// The attributes by their ids.
fn attributes(world: &WorldData) -> Value {
    let named = world.all(TicketAttributes).filter_map(|it| {
        let id = integer(it, "id")?.to_string();
        Some((
            id,
            json!({"name": it.get("name"), "type": it.get("attributeType")}),
        ))
    });
    Value::Object(named.collect())
}

/// With the attributes that it asks for.
fn form(world: &WorldData, form: &Record) -> Value {
    let ids = form.get("content").and_then(|it| it["fields"].as_array());
    let fields = ids.into_iter().flatten().filter_map(|id| {
        let id = RecordId::from(id.as_u64()?);
        world.get(TicketAttributes, &id).cloned()
    });
    let fields: Value = fields.collect();
    let mut form = form.clone();
    form.insert("fields".to_owned(), fields);
    Value::Object(form)
}

/// In the form of ticketing, where organizations are clients.
fn contact(world: &WorldData, contact: &Record) -> Value {
    let organization = integer(contact, "organizationId").map(RecordId::from);
    let organization = organization.and_then(|id| world.get(Organizations, &id));
    let mut shown = contact.clone();
    shown.extend([
        ("clientId".to_owned(), json!(contact.get("organizationId"))),
        (
            "clientName".to_owned(),
            json!(organization.and_then(|it| it.get("name"))),
        ),
        ("displayName".to_owned(), full_name(contact).into()),
    ]);
    Value::Object(shown)
}

/// Users and contacts by ascending natural id, which no two of them share.
fn people(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let kind = call.query("userType").filter(|it| !it.is_empty());
    if kind.is_some_and(|it| !["TECHNICIAN", "END_USER", "CONTACT"].contains(&it)) {
        return Err(bad_request(
            "The userType is TECHNICIAN, END_USER or CONTACT",
        ));
    }
    let number = |name| call.request.query.number(name);
    let client = number("clientId");
    let anchor = number("anchorNaturalId").unwrap_or_default();
    let search = call
        .query("searchCriteria")
        .unwrap_or_default()
        .to_lowercase();
    let users = world.all(Users).map(|it| (2, text(it, "userType"), it));
    let contacts = world.all(Contacts).map(|it| (1, Some("CONTACT"), it));
    let mut found: Vec<(u64, Value)> = users
        .chain(contacts)
        .filter(|(_, own, it)| {
            let said = ["firstName", "lastName", "email"]
                .map(|member| text(it, member).unwrap_or_default().to_lowercase());
            kind.is_none_or(|kind| *own == Some(kind))
                && client.is_none_or(|id| integer(it, "organizationId") == Some(id))
                && said.iter().any(|it| it.contains(&search))
        })
        .filter_map(|(offset, own, it)| {
            let natural_id = integer(it, "id")? * 2 + offset;
            let mut shown = it.clone();
            shown.extend([
                ("clientId".to_owned(), json!(it.get("organizationId"))),
                ("userType".to_owned(), json!(own)),
                ("naturalId".to_owned(), natural_id.to_string().into()),
            ]);
            (natural_id > anchor).then_some((natural_id, Value::Object(shown)))
        })
        .collect();
    found.sort_by_key(|(natural_id, _)| *natural_id);
    found.truncate(size(number("pageSize"), PEOPLE_PAGE_SIZE));
    Ok(Answer::list(found.into_iter().map(|(_, it)| it)))
}
