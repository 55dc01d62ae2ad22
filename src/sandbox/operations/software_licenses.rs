//! Software licenses, and whom they are assigned to.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, bad_request, unknown_in_body},
    call::ApiCall,
    response::SandboxResponse,
    world::{Collection, Record, RecordId, WorldData, integer, merge, record, text},
};

use super::{files::numbers, records};

use Collection::{Devices, Locations, Organizations, SoftwareLicenses, Users};

const DAY: u64 = 86_400;

/// What can be later than this, in seconds since 1970, is in milliseconds.
const SECONDS_MAX: u64 = 100_000_000_000;

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getSoftwareLicenses" => Ok(Answer::list(
            world.all(SoftwareLicenses).map(|it| listed(world, it)),
        )),
        "getById" => call
            .record_of(0, world, SoftwareLicenses)
            .map(|it| Answer::Value(shown(world, it))),
        "create" => create(call, world),
        "update" => {
            let id = call.id_of(0, world, SoftwareLicenses);
            id.and_then(|id| change(world, &id, call.members()))
        }
        "upsert" => upsert(call, world),
        "delete" => records::delete(call, world, SoftwareLicenses),
        "getSoftwareLicenseAssignments" => call
            .record_of(0, world, SoftwareLicenses)
            .map(|it| Answer::list(assignments(world, it))),
        "updateSoftwareLicenseAssignmentLastUsage" => last_usage(call, world),
        _ => return None,
    })
}

/// Devices, or the users; a license of one's own kind is for devices here.
fn licensees(license: &Record) -> Collection {
    match text(license, "type") {
        Some("PER_END_USER") => Users,
        _ => Devices,
    }
}

fn name(entity: &Record) -> String {
    let whole = ["firstName", "lastName"].map(|it| text(entity, it).unwrap_or_default());
    let names = ["displayName", "name", "email"];
    let name = names.into_iter().find_map(|it| text(entity, it));
    name.map_or_else(|| whole.join(" ").trim().to_owned(), str::to_owned)
}

fn member_of<'a>(license: &'a Record, member: &str, inner: &str) -> Option<&'a Value> {
    license.get(member)?.get(inner)
}

fn assignments(world: &WorldData, license: &Record) -> Vec<Value> {
    let of = licensees(license);
    let usage = license.get("lastUsage");
    let assigned = numbers(license, "assignedLicenses").into_iter();
    assigned
        .filter_map(|id| {
            let licensee = world.get(of, &RecordId::from(id))?;
            let organization = integer(licensee, "organizationId").map(RecordId::from);
            let organization = organization.and_then(|id| world.get(Organizations, &id));
            Some(json!({
                "licenseeId": id,
                "licenseeName": name(licensee),
                "licenseeOrganizationId": licensee.get("organizationId"),
                "licenseeOrganizationName": organization.and_then(|it| it.get("name")),
                "licenseeEmail": licensee.get("email"),
                "lastUsage": usage.and_then(|it| it.get(id.to_string())),
            }))
        })
        .collect()
}

/// With its assignments, and how long it is valid. How many are used is their number, unless somebody has said another one.
fn shown(world: &WorldData, license: &Record) -> Value {
    let assignments = assignments(world, license);
    let expires = member_of(license, "term", "expirationDate").and_then(Value::as_f64);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time after 1970, without its fraction"
    )]
    let expires = expires.filter(|it| *it > 0.0).map(|it| it as u64);
    let expires = expires.map(|it| if it > SECONDS_MAX { it / 1_000 } else { it });
    let left = expires.map(|it| it.saturating_sub(world.now()) / DAY);
    let settings = match text(license, "type") {
        Some("PER_END_USER") => {
            json!({"type": "EndUserAutomationSettings", "assignmentType": "END_USER_ROLES"})
        }
        _ => json!({"type": "DeviceAutomationSettings"}),
    };
    let settings = license
        .get("assigmentAutomationSettings")
        .unwrap_or(&settings);
    let used = u64::try_from(assignments.len()).unwrap_or_default();
    let used = integer(license, "currentUsage").unwrap_or(used);
    let mut shown = license.clone();
    shown.extend(record(json!({
        "publisherId": member_of(license, "publisher", "id"),
        "vendorId": member_of(license, "vendor", "id"),
        "expired": expires.is_some_and(|it| it < world.now()),
        "daysToExpire": left.unwrap_or_default(),
        "currentUsage": used,
        "assigmentAutomationSettings": settings,
        "automation": settings,
        "licenseAssignmentList": assignments,
        "unassignedLicenses": [],
        "characterLimit": 250,
    })));
    Value::Object(shown)
}

/// The list names the organizations and locations of the scope.
fn listed(world: &WorldData, license: &Record) -> Value {
    let scope = license.get("scope").and_then(Value::as_object);
    let named = |member: &str, of: Collection| {
        let ids = scope.map(|it| numbers(it, member)).unwrap_or_default();
        let found = ids
            .into_iter()
            .filter_map(|id| world.get(of, &RecordId::from(id)));
        found.cloned().collect::<Vec<Record>>()
    };
    let mut listed = record(shown(world, license));
    listed.insert(
        "scope".to_owned(),
        json!({
            "global": member_of(license, "scope", "global"),
            "organizations": named("organizationIds", Organizations),
            "locations": named("locationIds", Locations),
        }),
    );
    Value::Object(listed)
}

fn create(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let license = understood(world, Record::new(), call.members())?;
    let created = world.create(SoftwareLicenses, license)?;
    Ok(Answer::Value(shown(world, &created)))
}

fn change(world: &mut WorldData, id: &RecordId, body: Record) -> Answered {
    let known = world.get(SoftwareLicenses, id).cloned();
    let license = understood(world, known.unwrap_or_default(), body)?;
    world.put(SoftwareLicenses, license.clone())?;
    Ok(Answer::Value(shown(world, &license)))
}

/// The license as it is after a change: with the companies by name, and all assignments.
///
/// # Errors
/// 404: a licensee does not exist.
fn understood(
    world: &WorldData,
    mut license: Record,
    mut body: Record,
) -> Result<Record, SandboxResponse> {
    let added = numbers(&body, "assignedLicenses");
    let removed = numbers(&body, "unassignedLicenses");
    for member in ["assignedLicenses", "unassignedLicenses", "id"] {
        body.remove(member);
    }
    for (company, id) in [("publisher", "publisherId"), ("vendor", "vendorId")] {
        if let Some(id) = body.remove(id).and_then(|it| it.as_u64()) {
            body.insert(company.to_owned(), company_by_id(world, company, id));
        }
    }
    let mut assigned = numbers(&license, "assignedLicenses");
    merge(&mut license, body);
    let of = licensees(&license);
    if let Some(missing) = added
        .iter()
        .find(|id| world.get(of, &RecordId::from(**id)).is_none())
    {
        return Err(bad_request(&format!("There is no {} {missing}", of.noun())));
    }
    assigned.extend(added);
    assigned.sort_unstable();
    assigned.dedup();
    assigned.retain(|it| !removed.contains(it));
    license.insert("assignedLicenses".to_owned(), assigned.into());
    let is_automated = license.contains_key("assigmentAutomationSettings");
    license.insert("automated".to_owned(), is_automated.into());
    Ok(license)
}

/// The publishers or vendors of all licenses.
fn companies<'w>(world: &'w WorldData, kind: &'w str) -> impl Iterator<Item = &'w Value> {
    world
        .all(SoftwareLicenses)
        .filter_map(move |it| it.get(kind))
}

fn company_by_id(world: &WorldData, kind: &str, id: u64) -> Value {
    let known = companies(world, kind).find(|it| it["id"] == id).cloned();
    known.unwrap_or_else(
        || json!({"id": id, "name": format!("Software company {id}"), "description": ""}),
    )
}

fn company_by_name(world: &WorldData, kind: &str, name: &str) -> Value {
    let known = companies(world, kind)
        .find(|it| it["name"] == name)
        .cloned();
    known.unwrap_or_else(|| {
        let last = companies(world, kind)
            .filter_map(|it| it["id"].as_u64())
            .max();
        json!({"id": last.unwrap_or_default() + 1, "name": name, "description": ""})
    })
}

/// Changes the license with this name and publisher, or makes it. Everything is named, not numbered.
fn upsert(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let mut body = call.members();
    for (company, name) in [("publisher", "publisherName"), ("vendor", "vendorName")] {
        let name = body.remove(name).unwrap_or_default();
        let name = name.as_str().unwrap_or_default();
        body.insert(company.to_owned(), company_by_name(world, company, name));
    }
    if let Some(date) = body.remove("date") {
        body.insert("purchaseDate".to_owned(), date);
    }
    let scope = record(body.remove("scope").unwrap_or_default());
    let scope = json!({
        "global": scope.get("global"),
        "organizationIds": ids_named(world, Organizations, scope.get("organizationNames")),
        "locationIds": ids_named(world, Locations, scope.get("locationNames")),
    });
    body.insert("scope".to_owned(), scope);
    let of = licensees(&body);
    let assigned = [
        body.remove("currentLicensees"),
        body.remove("licenseesToAssign"),
    ];
    let assigned: Vec<u64> = assigned
        .iter()
        .flat_map(|it| ids_named(world, of, it.as_ref()))
        .collect();
    let removed = body.remove("licenseesToRemove");
    let removed = ids_named(world, of, removed.as_ref());
    body.insert("assignedLicenses".to_owned(), assigned.into());
    body.insert("unassignedLicenses".to_owned(), removed.into());
    let known = world.all(SoftwareLicenses).find(|it| {
        it.get("name") == body.get("name")
            && member_of(it, "publisher", "id") == member_of(&body, "publisher", "id")
    });
    if let Some(id) = known.and_then(|it| integer(it, "id")) {
        return change(world, &RecordId::from(id), body);
    }
    let license = understood(world, Record::new(), body)?;
    let created = world.create(SoftwareLicenses, license)?;
    Ok(Answer::Value(shown(world, &created)))
}

/// The ids of those that have one of the names, or one of them as their e-mail address. Others are passed over.
fn ids_named(world: &WorldData, of: Collection, names: Option<&Value>) -> Vec<u64> {
    let names = names.and_then(Value::as_array).into_iter().flatten();
    let names: Vec<&str> = names.filter_map(Value::as_str).collect();
    world
        .all(of)
        .filter(|it| {
            names.contains(&&*name(it)) || text(it, "email").is_some_and(|it| names.contains(&it))
        })
        .filter_map(|it| integer(it, "id"))
        .collect()
}

/// Of all assignments of a license, or of one.
fn last_usage(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let body = call.members();
    let id = integer(&body, "licenseId").map(RecordId::from);
    let id = id.ok_or_else(|| bad_request("licenseId is missing"))?;
    let license = world.get(SoftwareLicenses, &id);
    let license = license.ok_or_else(|| unknown_in_body(SoftwareLicenses))?;
    let usage = body.get("lastUsage").cloned();
    let usage = usage.unwrap_or_else(|| world.now().into());
    let mut all = record(license.get("lastUsage").cloned().unwrap_or_default());
    let wanted = integer(&body, "licenseeId");
    for licensee in numbers(license, "assignedLicenses") {
        if wanted.is_none_or(|it| it == licensee) {
            all.insert(licensee.to_string(), usage.clone());
        }
    }
    let changes = record(json!({"lastUsage": all}));
    records::update_from(world, SoftwareLicenses, &id, changes).map(|_| Answer::Done)
}
