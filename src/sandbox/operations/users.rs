//! Users: technicians, end users and their roles.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, bad_request, no_such, unknown_in_body},
    call::ApiCall,
    response::SandboxResponse,
    world::{Collection, Record, RecordId, WorldData, integer, merge, record, text},
};

use super::{activities::record_change, records};

use Collection::{Devices, Organizations, UserRoles, Users};

const TECHNICIAN: &str = "TECHNICIAN";

const END_USER: &str = "END_USER";

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getUsers" => users(call, world),
        "getEndUsers" => of_organization(call, world),
        "getEndUsers_1" => Ok(list(world, END_USER)),
        "getTechnicians" => Ok(list(world, TECHNICIAN)),
        "getEndUser" => read(call, world, END_USER),
        "getTechnician" => read(call, world, TECHNICIAN),
        "createEndUser" => create(call, world, END_USER),
        "createTechnician" => create(call, world, TECHNICIAN),
        "patchEndUser" => update(call, world, END_USER),
        "updateTechnician" => update(call, world, TECHNICIAN),
        "deleteEndUser" => delete(call, world, END_USER),
        "deleteTechnician" => delete(call, world, TECHNICIAN),
        "patchEndUserDeviceAccess" => device_access(call, world),
        "getUserRoles" => roles(call, world),
        "addUserRoleMembers" => change_members(call, world, true),
        "removeUserRoleMembers" => change_members(call, world, false),
        "updateUserRoleOrganizationPermissions" => permissions(call, world),
        _ => return None,
    })
}

/// A user with the names of the roles, and the devices that belong to them.
fn shown(world: &WorldData, user: &Record, with_roles: bool) -> Value {
    let mut user = user.clone();
    let devices = world
        .all(Devices)
        .filter(|it| it.contains_key("assignedOwnerUid"))
        .filter(|it| it.get("assignedOwnerUid") == user.get("uid"))
        .filter_map(|it| it.get("id").cloned());
    let devices: Value = devices.collect();
    if with_roles {
        let id = user.get("id").cloned().unwrap_or_default();
        let roles = world
            .all(UserRoles)
            .filter(|role| members(role).contains(&id));
        let names: Value = roles.filter_map(|it| it.get("name").cloned()).collect();
        user.insert("roles".to_owned(), names);
    }
    user.insert("assignedDeviceIds".to_owned(), devices);
    Value::Object(user)
}

fn is_a(user: &Record, kind: &str) -> bool {
    text(user, "userType") == Some(kind)
}

fn users(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let wanted = call.query("userType").filter(|it| !it.is_empty());
    if wanted.is_some_and(|it| it != TECHNICIAN && it != END_USER) {
        return Err(bad_request("The userType is TECHNICIAN or END_USER"));
    }
    let with_roles = call.request.query.is_true("includeRoles");
    let found = world
        .all(Users)
        .filter(|it| wanted.is_none_or(|kind| is_a(it, kind)));
    Ok(Answer::list(found.map(|it| shown(world, it, with_roles))))
}

fn of_organization(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let organization = integer(call.record_of(0, world, Organizations)?, "id");
    let with_roles = call.request.query.is_true("includeRoles");
    let found = world
        .all(Users)
        .filter(|it| is_a(it, END_USER) && integer(it, "organizationId") == organization);
    Ok(Answer::list(found.map(|it| shown(world, it, with_roles))))
}

fn list(world: &WorldData, kind: &str) -> Answer {
    let found = world.all(Users).filter(|it| is_a(it, kind));
    Answer::list(found.map(|it| shown(world, it, true)))
}

/// A technician is no end user, and is not found where end users are.
fn id_of(call: &ApiCall<'_>, world: &WorldData, kind: &str) -> Result<RecordId, SandboxResponse> {
    let user = call.record_of(0, world, Users)?;
    if is_a(user, kind) {
        call.id_of(0, world, Users)
    } else {
        Err(no_such(Users))
    }
}

fn read(call: &ApiCall<'_>, world: &WorldData, kind: &str) -> Answered {
    let id = id_of(call, world, kind)?;
    let user = world.get(Users, &id).ok_or_else(|| no_such(Users))?;
    Ok(Answer::Value(shown(world, user, true)))
}

fn check_organization(world: &WorldData, body: &Record) -> Result<(), SandboxResponse> {
    let wanted = integer(body, "organizationId").map(RecordId::from);
    if wanted.is_some_and(|id| world.get(Organizations, &id).is_none()) {
        return Err(unknown_in_body(Organizations));
    }
    Ok(())
}

fn create(call: &ApiCall<'_>, world: &mut WorldData, kind: &str) -> Answered {
    let body = call.members();
    check_organization(world, &body)?;
    let defaults = json!({
        "userType": kind,
        "enabled": true,
        "administrator": false,
        "permitAllClients": kind == TECHNICIAN,
        "mustChangePw": true,
        "mfaConfigured": false,
        "scimUser": false,
        "authType": "NATIVE",
        "invitationStatus": "PENDING",
    });
    let user = records::create_from(world, Users, body, record(defaults))?;
    note(call, world, &user, "CREATED");
    Ok(Answer::Value(shown(world, &user, true)))
}

fn note(call: &ApiCall<'_>, world: &mut WorldData, user: &Record, what: &str) {
    let code = if is_a(user, END_USER) {
        format!("END_USER_{what}_API")
    } else {
        format!("APP_USER_{what}")
    };
    let email = text(user, "email").unwrap_or_default();
    record_change(call, world, &code, email, None);
}

fn update(call: &ApiCall<'_>, world: &mut WorldData, kind: &str) -> Answered {
    let id = id_of(call, world, kind)?;
    check_organization(world, &call.members())?;
    let user = records::update_from(world, Users, &id, call.members())?;
    note(call, world, &user, "UPDATED");
    Ok(Answer::Value(shown(world, &user, true)))
}

/// The user's roles and devices lose it.
fn delete(call: &ApiCall<'_>, world: &mut WorldData, kind: &str) -> Answered {
    let id = id_of(call, world, kind)?;
    let Some(user) = world.remove(Users, &id) else {
        return Ok(Answer::Done);
    };
    for role in ids(world, UserRoles) {
        set_member(world, &role, &id.to_value(), false);
    }
    for device in ids(world, Devices) {
        if let Some(device) = world.get_mut(Devices, &device)
            && device.get("assignedOwnerUid") == user.get("uid")
        {
            device.remove("assignedOwnerUid");
        }
    }
    note(call, world, &user, "DELETED");
    Ok(Answer::Done)
}

fn ids(world: &WorldData, of: Collection) -> Vec<RecordId> {
    let ids = world.all(of).filter_map(|it| integer(it, "id"));
    ids.map(RecordId::from).collect()
}

/// Nobody has published what the body looks like. Its `deviceIds` are the devices that the end user may see.
fn device_access(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = id_of(call, world, END_USER)?;
    let mut body = call.members();
    if let Some(Value::Array(devices)) = body.get("deviceIds") {
        records::existing(world, Devices, devices)?;
        body.insert("accessibleDeviceIds".to_owned(), json!(devices));
    }
    for member in ["id", "uid", "userType", "organizationId"] {
        body.remove(member);
    }
    if let Some(user) = world.get_mut(Users, &id) {
        merge(user, body);
    }
    Ok(Answer::Done)
}

fn members(role: &Record) -> &[Value] {
    let ids = role.get("memberIds").and_then(Value::as_array);
    ids.map_or(&[], Vec::as_slice)
}

fn shown_role(world: &WorldData, role: &Record) -> Value {
    let users = members(role).iter().filter_map(Value::as_u64);
    let members = users.filter_map(|id| {
        let user = world.get(Users, &RecordId::from(id))?;
        let name = format!("{} {}", text(user, "firstName")?, text(user, "lastName")?);
        Some(json!({"id": id, "email": user.get("email"), "name": name, "source": "MANUAL"}))
    });
    let members: Value = members.collect();
    let mut role = role.clone();
    role.insert("members".to_owned(), members);
    Value::Object(role)
}

#[expect(clippy::unnecessary_wraps, reason = "what a family answers")]
fn roles(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let wanted = call.query("roleType").filter(|it| !it.is_empty());
    let found = world
        .all(UserRoles)
        .filter(|it| wanted.is_none_or(|kind| text(it, "type") == Some(kind)));
    Ok(Answer::list(found.map(|it| shown_role(world, it))))
}

fn change_members(call: &ApiCall<'_>, world: &mut WorldData, is_member: bool) -> Answered {
    let id = call.id_of(0, world, UserRoles)?;
    for user in records::existing(world, Users, call.items())? {
        set_member(world, &id, &user.to_value(), is_member);
    }
    let role = call.record_of(0, world, UserRoles)?;
    Ok(Answer::Value(shown_role(world, role)))
}

fn set_member(world: &mut WorldData, role: &RecordId, user: &Value, is_member: bool) {
    let Some(role) = world.get_mut(UserRoles, role) else {
        return;
    };
    let mut ids = members(role).to_vec();
    ids.retain(|it| it != user);
    if is_member {
        ids.push(user.clone());
    }
    role.insert("memberIds".to_owned(), ids.into());
}

/// Nobody has published what the body looks like; it is kept, and nothing shows it.
fn permissions(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = call.id_of(0, world, UserRoles)?;
    if let Some(role) = world.get_mut(UserRoles, &id) {
        role.insert("organizationPermissions".to_owned(), call.body.clone());
    }
    Ok(Answer::Done)
}
