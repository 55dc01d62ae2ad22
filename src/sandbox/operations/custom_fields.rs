//! Custom fields: their definitions. The values are in `custom_field_values`.

use std::slice;

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, bad_request, no_such},
    call::ApiCall,
    response::SandboxResponse,
    seeded_rng::{hash, uuid},
    world::{Collection, Record, RecordId, WorldData, merge, record, text},
};

use super::custom_field_values::{forget, rename};

use Collection::CustomFields;

const PAGE_ROWS: u64 = 50;

const PAGE_ROWS_ALLOWED: std::ops::RangeInclusive<u64> = 5..=500;

/// When the fields of a new world were made, in seconds since 1970.
pub(super) const FIRST_TIME: u64 = 1_792_300_000;

/// What `scopes` can name beside `all`.
const SCOPES: [&str; 4] = ["NODE", "LOCATION", "ORGANIZATION", "END_USER"];

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getAllNodeAttributes" => page(call, world),
        "getDeviceGlobalCustomFields" => of_scopes(call, world),
        "getNodeAttributeByFieldName" => call
            .record_of(0, world, CustomFields)
            .map(|it| Answer::Value(shown(it))),
        "createNodeAttribute" => create(world, slice::from_ref(&call.body)).map(first),
        "bulkCreateNodeAttributes" => create(world, &bulk(call)).map(Answer::list),
        "updateNodeAttributeByFieldName" => {
            let name = call.text_at(0).unwrap_or_default().to_owned();
            update(world, &[(name, call.members())]).map(first)
        }
        "bulkUpdateNodeAttributes" => update_many(call, world),
        "deleteNodeAttributeByFieldName" => {
            let name = call.text_at(0).unwrap_or_default();
            delete(world, &[name]).map(|()| Answer::Done)
        }
        "bulkDeleteNodeAttributes" => delete_many(call, world),
        _ => return None,
    })
}

fn first(mut fields: Vec<Value>) -> Answer {
    Answer::Value(fields.pop().unwrap_or_default())
}

fn bulk(call: &ApiCall<'_>) -> Vec<Value> {
    match call.members().remove("customFields") {
        Some(Value::Array(fields)) => fields,
        _ => Vec::new(),
    }
}

/// With the members that say how it can be used.
fn shown(field: &Record) -> Value {
    let mut shown = record(json!({
        "entityType": "NODE",
        "scope": "NODE_GLOBAL",
        "definitionScope": ["NODE"],
        "type": "TEXT",
        "endUserPermission": "HIDDEN",
        "technicianPermission": "EDITABLE",
        "scriptPermission": "READ_WRITE",
        "apiPermission": "READ_WRITE",
        "system": false,
        "active": true,
        "createTime": FIRST_TIME,
        "updateTime": FIRST_TIME,
    }));
    let mut content = record(json!({
        "endUserCustomization": {
            "name": field.get("name"),
            "label": field.get("label"),
            "description": field.get("description"),
        },
    }));
    content.extend(
        field
            .get("content")
            .cloned()
            .map(record)
            .unwrap_or_default(),
    );
    shown.extend(field.clone());
    shown.insert("content".to_owned(), Value::Object(content));
    Value::Object(shown)
}

/// Pages by the name of the last field of the page before: where a `cursorName` comes from is not published.
fn page(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let query = &call.request.query;
    let size = query.number("pageSize");
    let size = match (query.get("pageSize"), size) {
        (None, _) => PAGE_ROWS,
        (Some(_), Some(size)) if PAGE_ROWS_ALLOWED.contains(&size) => size,
        _ => return Err(bad_request("pageSize is from 5 to 500")),
    };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let fields: Vec<&Record> = world.all(CustomFields).collect();
    let start = match query.get("cursorName").filter(|it| !it.is_empty()) {
        None => 0,
        Some(name) => fields
            .iter()
            .position(|it| text(it, "name") == Some(name))
            .map(|it| it + 1)
            .ok_or_else(|| bad_request("The cursor does not exist"))?,
    };
    let rows: Vec<Value> = fields
        .iter()
        .skip(start)
        .take(size)
        .map(|it| shown(it))
        .collect();
    Ok(Answer::Value(json!({
        "page": start / size + 1,
        "pageSize": size,
        "count": rows.len(),
        "results": rows,
    })))
}

fn of_scopes(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let scopes = scopes(call)?;
    let fits = |field: &Value| {
        let own = field["definitionScope"].as_array();
        own.is_some_and(|own| {
            own.iter()
                .any(|it| it.as_str().is_some_and(|it| scopes.contains(&it)))
        })
    };
    let fields = world.all(CustomFields).map(shown);
    Ok(Answer::list(fields.filter(fits)))
}

/// The scopes that the query names: all of them by default.
///
/// # Errors
/// 400: there is no such scope.
pub(super) fn scopes(call: &ApiCall<'_>) -> Result<Vec<&'static str>, SandboxResponse> {
    let named = call
        .query("scopes")
        .filter(|it| !it.is_empty())
        .unwrap_or("all");
    let mut scopes = Vec::new();
    for name in named.split(',').map(str::trim) {
        if name.eq_ignore_ascii_case("all") {
            return Ok(SCOPES.to_vec());
        }
        let known = SCOPES.iter().find(|it| it.eq_ignore_ascii_case(name));
        scopes.push(*known.ok_or_else(|| bad_request(&format!("There is no scope '{name}'")))?);
    }
    Ok(scopes)
}

/// All of them or none.
fn create(world: &mut WorldData, bodies: &[Value]) -> Result<Vec<Value>, SandboxResponse> {
    let mut names: Vec<String> = Vec::new();
    for body in bodies {
        let name = body["fieldName"].as_str().unwrap_or_default().to_owned();
        let is_taken = names.contains(&name) || field(world, &name).is_some();
        if name.is_empty() || is_taken {
            return Err(bad_request(&format!(
                "The field name '{name}' cannot be taken"
            )));
        }
        names.push(name);
    }
    let mut created = Vec::new();
    for (name, body) in names.into_iter().zip(bodies) {
        let now = world.now();
        let mut field = record(json!({
            "name": name,
            "createTime": now,
            "technicianPermission": "NONE",
            "scriptPermission": "NONE",
            "apiPermission": "NONE",
        }));
        change(&mut field, record(body.clone()), world);
        world.put(CustomFields, field.clone())?;
        created.push(shown(&field));
    }
    Ok(created)
}

fn field<'w>(world: &'w WorldData, name: &str) -> Option<&'w Record> {
    world.get(CustomFields, &RecordId::from(name))
}

/// Takes over what a body says. The values of a list get ids.
fn change(field: &mut Record, mut body: Record, world: &WorldData) {
    body.remove("fieldName");
    if let Some(Value::Array(values)) = body.get_mut("content").and_then(|it| it.get_mut("values"))
    {
        for value in values.iter_mut().filter_map(Value::as_object_mut) {
            let key = format!("value {:?} of {:?}", value.get("name"), field.get("name"));
            value
                .entry("id")
                .or_insert_with(|| uuid(hash(world.seed, &key)).into());
            value.entry("active").or_insert(Value::Bool(true));
        }
    }
    merge(field, body);
    field.insert("updateTime".to_owned(), world.now().into());
}

fn update_many(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let named = bulk(call).into_iter().map(|body| {
        let mut body = record(body);
        match body.remove("fieldName") {
            Some(Value::String(name)) => Ok((name, body)),
            _ => Err(bad_request("fieldName is missing")),
        }
    });
    let changes: Vec<(String, Record)> = named.collect::<Result<_, _>>()?;
    update(world, &changes).map(Answer::list)
}

/// All of them or none. A `fieldName` in the changes is a new name.
fn update(
    world: &mut WorldData,
    changes: &[(String, Record)],
) -> Result<Vec<Value>, SandboxResponse> {
    for (name, body) in changes {
        if field(world, name).is_none() {
            return Err(no_such(CustomFields));
        }
        let new_name = text(body, "fieldName").filter(|it| it != name);
        if new_name.is_some_and(|it| it.is_empty() || field(world, it).is_some()) {
            return Err(bad_request("The new field name cannot be taken"));
        }
    }
    let mut fields = Vec::new();
    for (name, body) in changes {
        let Some(mut field) = world.remove(CustomFields, &RecordId::from(&**name)) else {
            continue;
        };
        change(&mut field, body.clone(), world);
        if let Some(new_name) = text(body, "fieldName") {
            field.insert("name".to_owned(), new_name.into());
            rename(world, name, new_name);
        }
        fields.push(shown(&field));
        world.put(CustomFields, field)?;
    }
    Ok(fields)
}

fn delete_many(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let names = call.query("fieldNames").unwrap_or_default();
    let names: Vec<&str> = names
        .split(',')
        .map(str::trim)
        .filter(|it| !it.is_empty())
        .collect();
    if names.is_empty() {
        return Err(bad_request("fieldNames is missing"));
    }
    delete(world, &names)?;
    Ok(Answer::list(names))
}

/// All of them or none.
fn delete(world: &mut WorldData, names: &[&str]) -> Result<(), SandboxResponse> {
    for name in names {
        let field = field(world, name).ok_or_else(|| no_such(CustomFields))?;
        if field.get("system") == Some(&Value::Bool(true)) {
            return Err(bad_request("A field of the system cannot be deleted"));
        }
    }
    for name in names {
        world.remove(CustomFields, &RecordId::from(*name));
        forget(world, name);
    }
    Ok(())
}
