//! Device roles.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, bad_request, no_such},
    call::ApiCall,
    response::SandboxResponse,
    world::{Collection, Record, RecordId, WorldData, integer, record, text},
};

use super::{activities::record_change, records};

use Collection::{Devices, NodeRoles, Policies};

/// Beginnings of device classes, and the group of the classes that begin so; agents are in the last.
const CLASS_GROUPS: [(&str, &str); 11] = [
    ("NMS_", "NMS"),
    ("VMWARE_", "VMM"),
    ("HYPERV_", "VMM"),
    ("ANDROID", "MDM"),
    ("APPLE_", "MDM"),
    ("CLOUD_", "CLOUD_MONITORING"),
    ("UNMANAGED_", "UNMANAGED_DEVICE"),
    ("MANAGED_", "MANAGED_DEVICE"),
    ("WINDOWS_", "RMM"),
    ("LINUX_", "RMM"),
    ("MAC", "RMM"),
];

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getNodeRoles" | "getNodeRoles_1" => Ok(Answer::list(
            world.all(NodeRoles).map(|it| shown(world, it)),
        )),
        "createNodeRoles" => create(call, world),
        "updateNodeRoles" => {
            let changed = records::update_each(call, world, NodeRoles, "id");
            if changed.is_ok() {
                record_change(call, world, "NODE_ROLE_UPDATED", "Device roles", None);
            }
            changed
        }
        "deleteNodeRoles" => delete(call, world),
        _ => return None,
    })
}

/// With the name of its policy.
fn shown(world: &WorldData, role: &Record) -> Value {
    let policy = integer(role, "policyId").map(RecordId::from);
    let policy = policy.and_then(|id| world.get(Policies, &id));
    let mut role = role.clone();
    role.extend(
        policy
            .and_then(|it| it.get("name"))
            .map(|it| ("policyName".to_owned(), it.clone())),
    );
    Value::Object(role)
}

fn create(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let mut created = Vec::new();
    for item in call.items() {
        let mut body = record(item.clone());
        if let Some(parent) = body.get("nodeRoleParentName").filter(|it| it.is_string()) {
            let parent = record(json!({"name": parent, "nodeClass": body.get("nodeClass")}));
            let parent = create_role(world, parent)?;
            body.extend(
                parent
                    .get("id")
                    .map(|it| ("nodeRoleParentId".to_owned(), it.clone())),
            );
        }
        let role = create_role(world, body)?;
        let name = text(&role, "name").unwrap_or_default();
        record_change(call, world, "NODE_ROLE_CREATED", name, None);
        created.push(role);
    }
    Ok(Answer::list(created))
}

/// The policy is that of another role for the class.
fn create_role(world: &mut WorldData, body: Record) -> Result<Record, SandboxResponse> {
    if world
        .all(NodeRoles)
        .any(|it| it.get("name") == body.get("name"))
    {
        return Err(bad_request("There is a device role with this name"));
    }
    let parent = integer(&body, "nodeRoleParentId").map(RecordId::from);
    if parent.is_some_and(|id| world.get(NodeRoles, &id).is_none()) {
        return Err(bad_request("There is no such device role"));
    }
    let class = text(&body, "nodeClass").unwrap_or("WINDOWS_WORKSTATION");
    let group = CLASS_GROUPS
        .iter()
        .find(|(start, _)| class.starts_with(start))
        .map_or("RMM", |(_, group)| *group);
    let policy = world
        .all(NodeRoles)
        .find(|it| text(it, "nodeClass") == Some(class))
        .and_then(|it| integer(it, "policyId"));
    let defaults = json!({
        "nodeClass": class,
        "nodeClassGroup": group,
        "policyId": policy.unwrap_or(1),
        "custom": true,
        "created": world.now(),
    });
    records::create_from(world, NodeRoles, body, record(defaults))
}

/// One that is built in, or that a device has, cannot be deleted.
fn delete(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let ids = call.members().remove("ids").unwrap_or_default();
    let ids = ids.as_array().map_or(&[][..], Vec::as_slice);
    let ids = records::existing(world, NodeRoles, ids)?;
    for id in &ids {
        let role = world.get(NodeRoles, id).ok_or_else(|| no_such(NodeRoles))?;
        if role.get("custom") != Some(&true.into()) {
            return Err(bad_request("The device role is built in"));
        }
        let id = id.to_value();
        let is_used = world
            .all(Devices)
            .any(|it| it.get("nodeRoleId") == Some(&id))
            || world
                .all(NodeRoles)
                .any(|it| it.get("nodeRoleParentId") == Some(&id));
        if is_used {
            return Err(bad_request("The device role is in use"));
        }
    }
    for id in &ids {
        let role = world.remove(NodeRoles, id).unwrap_or_default();
        let name = text(&role, "name").unwrap_or_default();
        record_change(call, world, "NODE_ROLE_DELETED", name, None);
    }
    Ok(Answer::Done)
}
