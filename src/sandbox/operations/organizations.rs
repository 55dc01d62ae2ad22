//! Organizations and their locations.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, bad_request, no_such},
    call::ApiCall,
    organization_filter::OrganizationFilter,
    response::SandboxResponse,
    world::{Collection, Record, RecordId, WorldData, integer, record},
};

use super::records;

use Collection::{Locations, Organizations, Policies};

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getOrganizations" => chosen(call, world).map(Answer::list),
        "getOrganizationsDetailed" => chosen(call, world)
            .map(|page| Answer::list(page.into_iter().map(|it| detailed(world, it)))),
        "getOrganization" => call
            .record_of(0, world, Organizations)
            .map(|it| Answer::Value(detailed(world, it.clone()))),
        "createOrganization" => create(call, world),
        "updateOrganization" => records::update(call, world, Organizations).map(|_| Answer::Done),
        "getLocations" => records::list(call, world, Locations),
        "getOrganizationLocations" => locations(call, world),
        "createLocationForOrganization" => create_location(call, world),
        "updateLocation" => update_location(call, world),
        "updateNodeRolePolicyAssignmentForOrganization" => assign_policies(call, world),
        _ => return None,
    })
}

/// The page of those that the filter `of` chooses.
fn chosen(call: &ApiCall<'_>, world: &WorldData) -> Result<Vec<Record>, SandboxResponse> {
    let filter = OrganizationFilter::parse(call.query("of").unwrap_or_default())
        .map_err(|error| bad_request(&error.to_string()))?;
    let fitting = world.all(Organizations).filter(|it| filter.matches(it));
    Ok(records::page(call, fitting).cloned().collect())
}

/// With its locations and the policy of each device role.
fn detailed(world: &WorldData, mut organization: Record) -> Value {
    let id = integer(&organization, "id");
    let own = world
        .all(Locations)
        .filter(|it| integer(it, "organizationId") == id);
    organization.insert("locations".to_owned(), own.cloned().collect());
    let assigned = organization
        .remove("policies")
        .unwrap_or_else(|| default_policies(world));
    organization.insert("policies".to_owned(), assigned);
    Value::Object(organization)
}

/// Each device role has the policy that is meant for it.
fn default_policies(world: &WorldData) -> Value {
    world
        .all(Collection::NodeRoles)
        .map(|role| json!({"nodeRoleId": role.get("id"), "policyId": role.get("policyId")}))
        .collect()
}

fn create(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let mut body = call.members();
    let locations = body.remove("locations");
    let defaults = record(json!({"nodeApprovalMode": "AUTOMATIC", "description": ""}));
    let created = records::create_from(world, Organizations, body, defaults)?;
    for location in locations.iter().filter_map(Value::as_array).flatten() {
        let organization = record(json!({"organizationId": created.get("id")}));
        records::create_from(world, Locations, record(location.clone()), organization)?;
    }
    Ok(Answer::Value(detailed(world, created)))
}

fn locations(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let organization = integer(call.record_of(0, world, Organizations)?, "id");
    records::list_if(call, world, Locations, |it| {
        integer(it, "organizationId") == organization
    })
}

fn create_location(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let organization = call.id_of(0, world, Organizations)?.to_value();
    records::create(
        call,
        world,
        Locations,
        record(json!({"organizationId": organization})),
    )
}

fn update_location(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = location_of(call, world, 1)?;
    let changed = records::update_from(world, Locations, &id, call.members())?;
    Ok(Answer::Value(Value::Object(changed)))
}

/// The location in the path parameter at this index, if it is one of the organization in the first.
///
/// # Errors
/// 404: there is no such organization, or no such location in it.
pub(super) fn location_of(
    call: &ApiCall<'_>,
    world: &WorldData,
    index: usize,
) -> Result<RecordId, SandboxResponse> {
    let organization = integer(call.record_of(0, world, Organizations)?, "id");
    let location = call.record_of(index, world, Locations)?;
    if integer(location, "organizationId") != organization {
        return Err(no_such(Locations));
    }
    call.id_of(index, world, Locations)
}

/// Answers with the ids of the devices whose policy changes.
fn assign_policies(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = call.id_of(0, world, Organizations)?;
    let assignments: Vec<Record> = call.items().iter().cloned().map(record).collect();
    for assignment in &assignments {
        let policy = integer(assignment, "policyId").map(RecordId::from);
        if policy.is_none_or(|policy| world.get(Policies, &policy).is_none()) {
            return Err(no_such(Policies));
        }
    }
    if let Some(organization) = world.get_mut(Organizations, &id) {
        let assigned = assignments.iter().cloned().map(Value::Object).collect();
        organization.insert("policies".to_owned(), assigned);
    }
    let fits = |device: &Record| {
        let role = device.get("nodeRoleId");
        device.get("organizationId") == Some(&id.to_value())
            && assignments.iter().any(|it| it.get("nodeRoleId") == role)
    };
    let affected = world.all(Collection::Devices).filter(|it| fits(it));
    Ok(Answer::list(
        affected.filter_map(|it| it.get("id").cloned()),
    ))
}
