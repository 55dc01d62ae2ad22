//! Reports of the values of custom fields, brief and detailed.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered},
    call::ApiCall,
    response::SandboxResponse,
    world::{Collection, Record, WorldData, text},
};

use super::{
    custom_field_values::{FieldOwner, entity, is_secure},
    custom_fields::{FIRST_TIME, scopes},
    devices,
    row_filter::time,
};

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getCustomFieldsReport" => of_devices(
            call,
            world,
            |(_, id), fields| json!({"deviceId": id, "fields": brief(fields)}),
        ),
        "getCustomFieldsDetailedReport" => of_devices(
            call,
            world,
            |(kind, id), fields| json!({"deviceId": id, "entityType": kind, "entityId": id, "fields": detailed(world, fields)}),
        ),
        "getScopedCustomFieldsReport" => of_scopes(
            call,
            world,
            |(kind, id), fields| json!({"scope": kind, "entityId": id, "fields": brief(fields)}),
        ),
        "getScopedCustomFieldsDetailedReport" => of_scopes(
            call,
            world,
            |(kind, id), fields| json!({"scope": kind, "entityId": id, "fields": detailed(world, fields)}),
        ),
        _ => return None,
    })
}

/// A field with its value, and when that was set.
struct FieldValue<'w> {
    name: &'w str,
    value: &'w Value,
    time: u64,
}

/// Makes a row of what an owner has.
type Row<'a> = &'a dyn Fn(FieldOwner, &[FieldValue<'_>]) -> Value;

fn of_devices(
    call: &ApiCall<'_>,
    world: &WorldData,
    row: impl Fn(FieldOwner, &[FieldValue<'_>]) -> Value,
) -> Answered {
    let filter = devices::filter(call)?;
    let fits = |owner| entity(world, owner).is_some_and(|device| filter.matches(world, device));
    rows(call, world, &["NODE"], fits, &row)
}

fn of_scopes(
    call: &ApiCall<'_>,
    world: &WorldData,
    row: impl Fn(FieldOwner, &[FieldValue<'_>]) -> Value,
) -> Answered {
    let scopes = scopes(call)?;
    rows(call, world, &scopes, |it| entity(world, it).is_some(), &row)
}

/// A row of each owner that has any of the values which are asked for.
fn rows(
    call: &ApiCall<'_>,
    world: &WorldData,
    kinds: &[&'static str],
    fits: impl Fn(FieldOwner) -> bool,
    row: Row<'_>,
) -> Answered {
    let wanted = FieldChoice::of(call)?;
    let mut owners: Vec<(FieldOwner, &Record)> = world
        .all(Collection::CustomFieldValues)
        .filter_map(|it| Some((owner(text(it, "key")?, kinds)?, it)))
        .filter(|(owner, _)| fits(*owner))
        .collect();
    owners.sort_by_key(|(owner, _)| *owner);
    let rows = owners.into_iter().filter_map(|(owner, known)| {
        let fields = wanted.fields(world, known);
        (!fields.is_empty()).then(|| row(owner, &fields))
    });
    Ok(Answer::report(rows.collect()))
}

fn owner(key: &str, kinds: &[&'static str]) -> Option<FieldOwner> {
    let (kind, id) = key.split_once('/')?;
    Some((*kinds.iter().find(|it| **it == kind)?, id.parse().ok()?))
}

/// Which values a query asks for.
struct FieldChoice<'a> {
    /// Empty: all.
    names: Vec<&'a str>,
    updated_after: Option<u64>,
    with_secure: bool,
}

impl<'a> FieldChoice<'a> {
    fn of(call: &'a ApiCall<'_>) -> Result<Self, SandboxResponse> {
        let names = call.query("fields").unwrap_or_default().split(',');
        Ok(Self {
            names: names.map(str::trim).filter(|it| !it.is_empty()).collect(),
            updated_after: time(call, "updatedAfter")?,
            with_secure: call.request.query.is_true("showSecureValues"),
        })
    }

    fn fields<'w>(&self, world: &WorldData, known: &'w Record) -> Vec<FieldValue<'w>> {
        let values = known.get("values").and_then(Value::as_object);
        let all = values
            .into_iter()
            .flatten()
            .map(|(name, value)| FieldValue {
                name,
                value,
                time: known
                    .get("times")
                    .and_then(|it| it.get(name)?.as_u64())
                    .unwrap_or(FIRST_TIME),
            });
        all.filter(|it| {
            (self.names.is_empty() || self.names.contains(&it.name))
                && self.updated_after.is_none_or(|after| it.time > after)
                && (self.with_secure || !is_secure(world, it.name))
        })
        .collect()
    }
}

fn brief(fields: &[FieldValue<'_>]) -> Value {
    let fields = fields
        .iter()
        .map(|it| (it.name.to_owned(), it.value.clone()));
    Value::Object(fields.collect())
}

fn detailed(world: &WorldData, fields: &[FieldValue<'_>]) -> Value {
    let user = technician(world);
    let detailed = fields.iter().map(|it| {
        json!({
            "name": it.name,
            "value": it.value,
            "updated": it.time,
            "updateTime": it.time,
            "updatedBy": {"source": "API", "user": user},
        })
    });
    detailed.collect()
}

/// The user of all apps.
fn technician(world: &WorldData) -> Value {
    let mut users = world.all(Collection::Users);
    let user = users.find(|it| text(it, "userType") == Some("TECHNICIAN"));
    let part = |member| user.and_then(|it| text(it, member)).unwrap_or_default();
    json!({
        "id": user.map_or_else(|| 1.into(), |it| it.get("id").cloned().unwrap_or_default()),
        "name": format!("{} {}", part("firstName"), part("lastName")).trim(),
        "email": part("email"),
    })
}
