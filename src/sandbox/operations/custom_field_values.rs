//! The values of custom fields: of devices, locations, organizations, end users, and the system.

use serde_json::{Map, Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, bad_request, no_such},
    call::ApiCall,
    response::SandboxResponse,
    world::{Collection, Record, RecordId, WorldData, integer, record, text},
};

use super::organizations::location_of;

use Collection::{CustomFieldValues, CustomFields, Devices, Locations, Organizations, Users};

/// Types whose values are shown with `showSecureValues=true` only.
const SECURE_TYPES: [&str; 2] = ["TEXT_ENCRYPTED", "TOTP"];

/// Who has values: a kind of `definitionScope`, or `SYSTEM`; and the id.
pub(super) type FieldOwner = (&'static str, u64);

const SYSTEM: FieldOwner = ("SYSTEM", 0);

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    let operation = &*call.operation.id;
    if operation == "getNodeAttributeSignedUrls" {
        return Some(signed_urls(call, world));
    }
    let owner = match operation {
        "getSystemCustomFields" | "updateSystemCustomFields" => {
            |_: &ApiCall<'_>, _: &WorldData| Ok(SYSTEM)
        }
        "getNodeCustomFields" | "updateNodeAttributeValues" => device,
        "getNodeCustomFields_1" | "updateNodeAttributeValues_1" => organization,
        "getNodeCustomFields_2" | "updateNodeAttributeValues_2" => location,
        "getNodeCustomFields_3" | "updateNodeAttributeValues_3" => end_user,
        _ => return None,
    };
    Some(owner(call, world).and_then(|owner| {
        if operation.starts_with("get") {
            Ok(Answer::Value(Value::Object(read(call, world, owner))))
        } else {
            write(call, world, owner)
        }
    }))
}

fn device(call: &ApiCall<'_>, world: &WorldData) -> Result<FieldOwner, SandboxResponse> {
    number(&call.id_of(0, world, Devices)?).map(|id| ("NODE", id))
}

fn organization(call: &ApiCall<'_>, world: &WorldData) -> Result<FieldOwner, SandboxResponse> {
    number(&call.id_of(0, world, Organizations)?).map(|id| ("ORGANIZATION", id))
}

fn location(call: &ApiCall<'_>, world: &WorldData) -> Result<FieldOwner, SandboxResponse> {
    number(&location_of(call, world, 1)?).map(|id| ("LOCATION", id))
}

fn end_user(call: &ApiCall<'_>, world: &WorldData) -> Result<FieldOwner, SandboxResponse> {
    let id = number(&call.id_of(0, world, Users)?)?;
    if entity(world, ("END_USER", id)).is_none() {
        return Err(no_such(Users));
    }
    Ok(("END_USER", id))
}

fn number(id: &RecordId) -> Result<u64, SandboxResponse> {
    id.to_value()
        .as_u64()
        .ok_or_else(|| no_such(CustomFieldValues))
}

/// The record of an owner that exists.
pub(super) fn entity(world: &WorldData, (kind, id): FieldOwner) -> Option<&Record> {
    let of = match kind {
        "NODE" => Devices,
        "LOCATION" => Locations,
        "ORGANIZATION" => Organizations,
        "END_USER" => Users,
        _ => return None,
    };
    let is_end_user = |it: &&Record| of != Users || text(it, "userType") == Some("END_USER");
    world.get(of, &id.into()).filter(is_end_user)
}

/// From whom an owner inherits, nearest first.
fn parents(world: &WorldData, owner: FieldOwner) -> Vec<FieldOwner> {
    let of = |kind, member| Some((kind, integer(entity(world, owner)?, member)?));
    let parents = match owner.0 {
        "NODE" => vec![
            of("LOCATION", "locationId"),
            of("ORGANIZATION", "organizationId"),
        ],
        "LOCATION" => vec![of("ORGANIZATION", "organizationId")],
        _ => Vec::new(),
    };
    parents.into_iter().flatten().collect()
}

fn key((kind, id): FieldOwner) -> RecordId {
    RecordId::from(&*format!("{kind}/{id}"))
}

pub(super) fn values(world: &WorldData, owner: FieldOwner) -> Option<&Map<String, Value>> {
    let known = world.get(CustomFieldValues, &key(owner))?;
    known.get("values")?.as_object()
}

pub(super) fn is_secure(world: &WorldData, field: &str) -> bool {
    let field = world.get(CustomFields, &RecordId::from(field));
    field.is_some_and(|it| text(it, "type").is_some_and(|it| SECURE_TYPES.contains(&it)))
}

/// Whether a field can have values for this kind of owner.
fn is_defined_for(field: &Record, kind: &str) -> bool {
    match field.get("definitionScope").and_then(Value::as_array) {
        Some(scopes) => kind == SYSTEM.0 || scopes.iter().any(|it| it == kind),
        None => kind == SYSTEM.0 || kind == "NODE",
    }
}

fn read(call: &ApiCall<'_>, world: &WorldData, owner: FieldOwner) -> Record {
    let mut found = Record::new();
    let inherits = call.request.query.is_true("withInheritance");
    let ancestors = if inherits {
        parents(world, owner)
    } else {
        Vec::new()
    };
    for (is_own, of) in ancestors
        .iter()
        .rev()
        .map(|it| (false, *it))
        .chain([(true, owner)])
    {
        for (name, value) in values(world, of).into_iter().flatten() {
            let field = world.get(CustomFields, &RecordId::from(&**name));
            let is_for_owner = is_own || field.is_some_and(|it| is_defined_for(it, owner.0));
            if is_for_owner && !is_secure(world, name) {
                found.insert(name.clone(), value.clone());
            }
        }
    }
    found
}

/// All of the values or none. `null` takes a value away.
fn write(call: &ApiCall<'_>, world: &mut WorldData, owner: FieldOwner) -> Answered {
    let changes = call.members();
    for name in changes.keys() {
        let field = world.get(CustomFields, &RecordId::from(&**name));
        if !field.is_some_and(|it| is_defined_for(it, owner.0)) {
            return Err(bad_request(&format!(
                "There is no custom field '{name}' here"
            )));
        }
    }
    let (id, now) = (key(owner), world.now());
    let known = world.get(CustomFieldValues, &id).cloned();
    let mut known = known.unwrap_or_else(|| record(json!({"key": id.to_value(), "values": {}})));
    let mut times = known.remove("times").map(record).unwrap_or_default();
    let mut values = known.remove("values").map(record).unwrap_or_default();
    for (name, value) in changes {
        if value.is_null() {
            values.remove(&name);
            times.remove(&name);
        } else {
            times.insert(name.clone(), now.into());
            values.insert(name, value);
        }
    }
    known.insert("values".to_owned(), Value::Object(values));
    known.insert("times".to_owned(), Value::Object(times));
    world.put(CustomFieldValues, known)?;
    Ok(Answer::Done)
}

/// The values of a field that has another name now.
pub(super) fn rename(world: &mut WorldData, name: &str, new_name: &str) {
    move_values(world, name, Some(new_name));
}

/// The values of a field that is gone.
pub(super) fn forget(world: &mut WorldData, name: &str) {
    move_values(world, name, None);
}

fn move_values(world: &mut WorldData, name: &str, to: Option<&str>) {
    let keys: Vec<RecordId> = world
        .all(CustomFieldValues)
        .filter_map(|it| text(it, "key").map(RecordId::from))
        .collect();
    for key in keys {
        let Some(known) = world.get_mut(CustomFieldValues, &key) else {
            continue;
        };
        for member in ["values", "times"] {
            let Some(Value::Object(members)) = known.get_mut(member) else {
                continue;
            };
            if let (Some(value), Some(to)) = (members.remove(name), to) {
                members.insert(to.to_owned(), value);
            }
        }
    }
}

/// The address of each attachment, by its content id.
fn signed_urls(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let kinds = ["NODE", "LOCATION", "ORGANIZATION", "END_USER"];
    let kind = kinds.into_iter().find(|it| call.text_at(0) == Some(it));
    let id = call.text_at(1).and_then(|it| it.parse().ok());
    let owner = kind.zip(id).filter(|it| entity(world, *it).is_some());
    let owner = owner.ok_or_else(|| no_such(CustomFieldValues))?;
    let addresses = values(world, owner)
        .into_iter()
        .flatten()
        .filter_map(|(_, value)| {
            let id = value.get("contentId")?.as_str()?;
            let address = format!("https://files.sandbox.invalid/content/{id}?signature=made-up");
            Some((id.to_owned(), Value::from(address)))
        });
    Ok(Answer::Value(Value::Object(addresses.collect())))
}
