//! Boards: which tickets they show, and each ticket as a flat row, in the form that clients are known to get.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use crate::sandbox::{
    answer::bad_request,
    response::SandboxResponse,
    world::{Collection, Record, RecordId, WorldData, integer, text},
};

use Collection::{
    Contacts, Devices, Locations, Organizations, TicketForms, TicketLogEntries, TicketStatuses,
    Users,
};

/// All columns that a row can have.
pub(super) const COLUMNS: [&str; 19] = [
    "id",
    "summary",
    "description",
    "status",
    "type",
    "priority",
    "severity",
    "source",
    "organization",
    "location",
    "device",
    "requester",
    "assignedAppUser",
    "ticketForm",
    "tags",
    "createTime",
    "lastUpdated",
    "totalTimeTracked",
    "followupTime",
];

/// What a filter compares.
enum Comparison {
    Is,
    Contains,
    Less,
    Greater,
    Present,
}

/// A condition of a board, or a filter of a request.
pub(super) struct TicketRowFilter {
    field: String,
    comparison: Comparison,
    is_negated: bool,
    value: String,
}

impl TicketRowFilter {
    /// NinjaOne's operators are not published. These are the usual ones, with or without underscores.
    ///
    /// # Errors
    /// 400: there is no such column or operator.
    pub(super) fn parse(rule: &Record) -> Result<Self, SandboxResponse> {
        let said = |member| text(rule, member).unwrap_or_default();
        let (field, operator) = (said("field"), said("operator"));
        if !COLUMNS.contains(&field) {
            return Err(bad_request(&format!("There is no column {field}")));
        }
        let plain = operator.replace(['_', ' '], "").to_lowercase();
        let is_negated = plain.contains("not") || plain == "ne" || plain == "!=";
        let comparison = match plain.replace("not", "").as_str() {
            "is" | "in" | "equals" | "equal" | "equalto" | "eq" | "=" | "ne" | "!=" | "isanyof" => {
                Comparison::Is
            }
            "contains" | "contain" | "like" => Comparison::Contains,
            "lessthan" | "less" | "lt" | "<" | "before" => Comparison::Less,
            "greaterthan" | "greater" | "gt" | ">" | "after" => Comparison::Greater,
            "present" | "ispresent" | "exists" => Comparison::Present,
            _ => return Err(bad_request(&format!("There is no operator {operator}"))),
        };
        Ok(Self {
            field: field.to_owned(),
            comparison,
            is_negated,
            value: said("value").to_owned(),
        })
    }

    /// The rules in a list of the body or of a board.
    ///
    /// # Errors
    /// 400: one of them is not understood.
    pub(super) fn parse_all(rules: Option<&Value>) -> Result<Vec<Self>, SandboxResponse> {
        let rules = rules.and_then(Value::as_array);
        let rules = rules.into_iter().flatten().filter_map(Value::as_object);
        rules.map(Self::parse).collect()
    }

    pub(super) fn matches(&self, row: &Record) -> bool {
        let value = row.get(&self.field);
        let known = value.map(names).unwrap_or_default();
        let wanted = self.value.to_lowercase();
        let number = || {
            let wanted: f64 = self.value.parse().ok()?;
            value?.as_f64()?.partial_cmp(&wanted)
        };
        let holds = match self.comparison {
            Comparison::Is => wanted
                .split(',')
                .any(|it| known.iter().any(|name| name == it.trim())),
            Comparison::Contains => known.iter().any(|name| name.contains(&wanted)),
            Comparison::Less => number() == Some(Ordering::Less),
            Comparison::Greater => number() == Some(Ordering::Greater),
            Comparison::Present => known.iter().any(|name| !name.is_empty()),
        };
        holds != self.is_negated
    }
}

/// What a value is called, in lower case: a status has several names.
fn names(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.to_lowercase()],
        Value::Array(values) => values.iter().flat_map(names).collect(),
        Value::Object(members) => members.values().flat_map(names).collect(),
        Value::Null => Vec::new(),
        other => vec![other.to_string()],
    }
}

/// Whether any column of the row contains the text.
pub(super) fn contains(row: &Record, wanted: &str) -> bool {
    let wanted = wanted.trim().to_lowercase();
    row.values()
        .flat_map(names)
        .any(|name| name.contains(&wanted))
}

/// Orders two rows by a column.
pub(super) fn compare(one: &Record, other: &Record, field: &str) -> Ordering {
    let number = |row: &Record| row.get(field).and_then(Value::as_f64);
    if let (Some(one), Some(other)) = (number(one), number(other)) {
        return one.total_cmp(&other);
    }
    let name = |row: &Record| row.get(field).map(names).unwrap_or_default();
    name(one).cmp(&name(other))
}

/// A ticket with names instead of ids. What it does not have is left out.
pub(super) fn row(world: &WorldData, ticket: &Record) -> Record {
    let named = |of: Collection, member: &str, name: &str| {
        let id = RecordId::from(integer(ticket, member)?);
        world.get(of, &id)?.get(name).cloned()
    };
    let assigned = integer(ticket, "assignedAppUserId")
        .and_then(|id| world.get(Users, &RecordId::from(id)))
        .map(full_name);
    let requester = ticket
        .get("requesterUid")
        .and_then(|uid| person(world, uid))
        .map(full_name);
    let entries = || {
        world
            .all(TicketLogEntries)
            .filter(|it| it.get("ticketId") == ticket.get("id"))
    };
    let description = entries()
        .find(|it| text(it, "type") == Some("DESCRIPTION"))
        .and_then(|it| it.get("body"));
    let tracked: u64 = entries().filter_map(|it| integer(it, "timeTracked")).sum();
    let values = json!({
        "id": ticket.get("id"),
        "summary": ticket.get("subject"),
        "description": description,
        "status": status_of(world, ticket),
        "type": ticket.get("type"),
        "priority": ticket.get("priority"),
        "severity": ticket.get("severity"),
        "source": ticket.get("source"),
        "organization": named(Organizations, "clientId", "name"),
        "location": named(Locations, "locationId", "name"),
        "device": named(Devices, "nodeId", "systemName"),
        "requester": requester,
        "assignedAppUser": assigned,
        "ticketForm": named(TicketForms, "ticketFormId", "name"),
        "tags": ticket.get("tags"),
        "createTime": ticket.get("createTime"),
        "lastUpdated": ticket.get("lastUpdated"),
        "totalTimeTracked": tracked,
        "followupTime": ticket.get("followupTime"),
    });
    let Value::Object(mut row) = values else {
        return Map::new();
    };
    row.retain(|_, value| !value.is_null());
    row
}

/// The status as an object.
pub(super) fn status_of(world: &WorldData, ticket: &Record) -> Option<Value> {
    let id = RecordId::from(integer(ticket, "statusId")?);
    world.get(TicketStatuses, &id).cloned().map(Value::Object)
}

/// A user or a contact.
pub(super) fn person<'w>(world: &'w WorldData, uid: &Value) -> Option<&'w Record> {
    let mut people = world.all(Users).chain(world.all(Contacts));
    people.find(|it| it.get("uid") == Some(uid))
}

pub(super) fn full_name(person: &Record) -> String {
    let part = |member| text(person, member).unwrap_or_default();
    format!("{} {}", part("firstName"), part("lastName"))
}
