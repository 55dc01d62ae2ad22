//! Devices without an agent, and devices that are expected.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, bad_request, no_such, unknown_in_body},
    call::ApiCall,
    response::SandboxResponse,
    world::{Collection, Record, RecordId, WorldData, integer, record, text},
};

use super::records;

use Collection::{Devices, Locations, NodeRoles, Organizations, Users};

/// The description's name for what a device shows, by the begin of its class.
const DEVICE_TYPES: [(&str, &str); 8] = [
    ("UNMANAGED_DEVICE", "UnmanagedDevice"),
    ("NMS_", "NMSTarget"),
    ("VMWARE_VM_HOST", "VMHost"),
    ("HYPERV_VMM_HOST", "VMHost"),
    ("VMWARE_VM_GUEST", "VMGuest"),
    ("HYPERV_VMM_GUEST", "VMGuest"),
    ("CLOUD_MONITOR_TARGET", "CloudMonitorPing"),
    ("", "AgentDevice"),
];

/// Classes of mobile devices.
const MOBILE: [&str; 4] = ["ANDROID", "APPLE_IOS", "APPLE_IPADOS", "MANAGED_DEVICE"];

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "createUnmanagedDevicePublicApi" => create(call, world, "APPROVED"),
        "createStagedDevice" => create(call, world, "STAGED"),
        "updateUnmanagedDevicePublicApi" => update(call, world),
        "deleteUnmanagedDevicePublicApi" => unmanaged(call, world).map(|id| {
            world.remove(Devices, &id);
            Answer::Done
        }),
        "decommissionUnmanagedDevicePublicApi" => {
            unmanaged(call, world).and_then(|id| decommission(world, &[id.to_value()]))
        }
        "decommissionUnmanagedDevicePublicApiList" => {
            let body = call.members();
            let ids = body.get("nodeIds").and_then(Value::as_array);
            decommission(world, ids.map_or(&[], Vec::as_slice))
        }
        _ => return None,
    })
}

/// The id in the path, if it is of a device without an agent.
fn unmanaged(call: &ApiCall<'_>, world: &WorldData) -> Result<RecordId, SandboxResponse> {
    let device = call.record_of(0, world, Devices)?;
    match text(device, "nodeClass") {
        Some("UNMANAGED_DEVICE") => call.id_of(0, world, Devices),
        _ => Err(no_such(Devices)),
    }
}

/// What the body says of a device, as a device has it.
///
/// # Errors
/// 400: the organization, the location or the person does not exist.
fn members(world: &WorldData, body: &Record) -> Result<Record, SandboxResponse> {
    for (member, of) in [("orgId", Organizations), ("locationId", Locations)] {
        let id = integer(body, member).map(RecordId::from);
        if id.is_none_or(|id| world.get(of, &id).is_none()) {
            return Err(unknown_in_body(of));
        }
    }
    let owner = body.get("assignedUserUid").filter(|it| !it.is_null());
    if owner.is_some_and(|uid| !world.all(Users).any(|it| it.get("uid") == Some(uid))) {
        return Err(bad_request(&format!("There is no such {}", Users.noun())));
    }
    let name = text(body, "name").unwrap_or_default();
    let mut members = record(json!({
        "organizationId": body.get("orgId"),
        "locationId": body.get("locationId"),
        "displayName": name,
        "systemName": name,
        "lastUpdate": world.now(),
        "warranty": {
            "startDate": body.get("warrantyStartDate"),
            "endDate": body.get("warrantyEndDate"),
        },
    }));
    if let Some(owner) = owner {
        members.insert("assignedOwnerUid".to_owned(), owner.clone());
    }
    Ok(members)
}

/// A staged device waits for its agent, and has the class of its role.
fn create(call: &ApiCall<'_>, world: &mut WorldData, status: &str) -> Answered {
    let body = call.members();
    let mut device = members(world, &body)?;
    let role = integer(&body, "roleId").map(RecordId::from);
    let role = role
        .and_then(|id| world.get(NodeRoles, &id))
        .ok_or_else(|| bad_request(&format!("There is no such {}", NodeRoles.noun())))?;
    let class = text(role, "nodeClass").unwrap_or_default();
    if status == "APPROVED" && class != "UNMANAGED_DEVICE" {
        return Err(bad_request("The role is for devices with an agent"));
    }
    let policy = role.get("policyId").cloned();
    device.extend(record(json!({
        "nodeClass": class,
        "deviceType": device_type(class),
        "nodeRoleId": body.get("roleId"),
        "policyId": policy,
        "rolePolicyId": policy,
        "approvalStatus": status,
        "offline": true,
        "created": world.now(),
        "uid": world.new_uid(&format!("device {}", world.count(Devices))),
    })));
    let created = world.create(Devices, device)?;
    Ok(Answer::Value(json!({"nodeId": created.get("id")})))
}

fn device_type(class: &str) -> &'static str {
    if MOBILE.contains(&class) {
        return "MdmDevice";
    }
    let mut known = DEVICE_TYPES.iter();
    known
        .find(|(begin, _)| class.starts_with(begin))
        .map_or("AgentDevice", |(_, device_type)| device_type)
}

fn update(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = unmanaged(call, world)?;
    let changes = members(world, &call.members())?;
    records::update_from(world, Devices, &id, changes).map(|_| Answer::Done)
}

fn decommission(world: &mut WorldData, ids: &[Value]) -> Answered {
    let changes = record(json!({"approvalStatus": "DECOMMISSIONED"}));
    records::set_each(world, Devices, ids, &changes).map(|_| Answer::Done)
}
