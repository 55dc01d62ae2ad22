//! Devices: lists of them, each of them, and what changes them.

use http::{HeaderValue, StatusCode, header::LOCATION};
use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, bad_request, no_such, unknown_in_body},
    call::ApiCall,
    device_filter::DeviceFilter,
    response::SandboxResponse,
    world::{Collection, Record, RecordId, WorldData, integer, merge, record},
};

use super::records;

use Collection::{Devices, Locations, NodeRoles, Organizations, Policies, Users};

/// How long the link to a device's dashboard can be used.
const LINK_SECONDS: u64 = 3_600;

/// The members that refer to something else, and what may be changed to something that does not exist: nothing.
const REFERENCES: [(&str, Collection); 4] = [
    ("organizationId", Organizations),
    ("locationId", Locations),
    ("nodeRoleId", NodeRoles),
    ("policyId", Policies),
];

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getDevices" | "getDevicesDetailed" => list(call, world),
        "getOrganizationDevices" => of_organization(call, world),
        "getDevice" => call
            .record_of(0, world, Devices)
            .map(|it| Answer::Value(shown(world, it))),
        "updateDevice" => update(call, world),
        "decommissionDevice" => decommission(call, world),
        "nodeApprovalOperation" => approve(call, world),
        "getDeviceLink" => link(call, world),
        "setDeviceOwner" => set_owner(call, world),
        "removeDeviceOwner" => remove_owner(call, world),
        _ => return None,
    })
}

/// A device with what it refers to.
pub(super) fn shown(world: &WorldData, device: &Record) -> Value {
    let referred = |of: Collection, member: &str| {
        let id = integer(device, member).map(RecordId::from)?;
        world.get(of, &id).cloned().map(Value::Object)
    };
    let owner = device
        .get("assignedOwnerUid")
        .and_then(|uid| world.all(Users).find(|it| it.get("uid") == Some(uid)));
    let mut device = device.clone();
    let references = json!({
        "organization": referred(Organizations, "organizationId"),
        "location": referred(Locations, "locationId"),
        "rolePolicy": referred(Policies, "rolePolicyId"),
        "policy": referred(Policies, "policyId"),
        "role": referred(NodeRoles, "nodeRoleId"),
        "assignedOwner": owner,
        "warranty": device.get("warranty"),
        "backupUsage": device.get("backupUsage"),
        "backupBandwidthThrottle": device.get("backupBandwidthThrottle"),
    });
    device.insert("references".to_owned(), references);
    Value::Object(device)
}

/// The devices that the request's `df` chooses.
///
/// # Errors
/// 400: the filter is malformed.
pub(super) fn filtered<'w>(
    call: &ApiCall<'_>,
    world: &'w WorldData,
) -> Result<impl Iterator<Item = &'w Record>, SandboxResponse> {
    let filter = filter(call)?;
    Ok(world
        .all(Devices)
        .filter(move |it| filter.matches(world, it)))
}

/// The request's `df`.
///
/// # Errors
/// 400: the filter is malformed.
pub(super) fn filter(call: &ApiCall<'_>) -> Result<DeviceFilter, SandboxResponse> {
    DeviceFilter::parse(call.query("df").unwrap_or_default())
        .map_err(|error| bad_request(&error.to_string()))
}

fn list(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let page = records::page(call, filtered(call, world)?);
    Ok(Answer::list(page.map(|it| shown(world, it))))
}

fn of_organization(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let organization = call.id_of(0, world, Organizations)?.to_value();
    let own = world
        .all(Devices)
        .filter(|it| it.get("organizationId") == Some(&organization));
    let page = records::page(call, own);
    Ok(Answer::list(page.map(|it| shown(world, it))))
}

fn update(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = call.id_of(0, world, Devices)?;
    let changes = call.members();
    for (member, of) in REFERENCES {
        let wanted = integer(&changes, member).map(RecordId::from);
        let is_known = wanted.is_some_and(|it| world.get(of, &it).is_some());
        if changes.get(member).is_some_and(|it| !it.is_null()) && !is_known {
            return Err(unknown_in_body(of));
        }
    }
    let (moved_to, now) = (moved_location(world, &changes), world.now());
    if let Some(device) = world.get_mut(Devices, &id) {
        merge(device, changes);
        if let Some(location) = moved_to {
            device.insert("locationId".to_owned(), location);
        }
        device.insert("lastUpdate".to_owned(), now.into());
    }
    Ok(Answer::Done)
}

/// The location of a device that moves to an organization without a word of where: the first one there.
fn moved_location(world: &WorldData, changes: &Record) -> Option<Value> {
    let organization = changes.get("organizationId").filter(|it| !it.is_null())?;
    let own: Vec<&Record> = world
        .all(Locations)
        .filter(|it| it.get("organizationId") == Some(organization))
        .collect();
    let named = changes.get("locationId");
    let fits = own.iter().find(|it| it.get("id") == named);
    fits.or(own.first())?.get("id").cloned()
}

fn decommission(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = call.id_of(0, world, Devices)?;
    if let Some(device) = world.get_mut(Devices, &id) {
        device.insert("approvalStatus".to_owned(), "DECOMMISSIONED".into());
    }
    Ok(Answer::Done)
}

/// `APPROVE` keeps the devices, `REJECT` ends them.
fn approve(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let status = match call.text_at(0) {
        Some("APPROVE") => "APPROVED",
        Some("REJECT") => "DECOMMISSIONED",
        _ => return Err(SandboxResponse::not_found("The mode is APPROVE or REJECT")),
    };
    let devices = call.members().remove("devices").unwrap_or_default();
    let ids = devices.as_array().map_or(&[][..], Vec::as_slice);
    let changes = record(json!({"approvalStatus": status}));
    records::set_each(world, Devices, ids, &changes).map(|_| Answer::Done)
}

/// With `redirect=true` the response redirects to another host, as NinjaOne's does.
fn link(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let id = call.id_of(0, world, Devices)?;
    let url = format!("https://console.sandbox.invalid/#/deviceDashboard/{id}/overview");
    match HeaderValue::from_str(&url) {
        Ok(location) if call.request.query.is_true("redirect") => {
            let redirect = SandboxResponse::empty(StatusCode::FOUND).with(LOCATION, location);
            Ok(Answer::Response(redirect))
        }
        _ => Ok(Answer::Value(
            json!({"url": url, "expires": world.now() + LINK_SECONDS}),
        )),
    }
}

fn set_owner(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = call.id_of(0, world, Devices)?;
    let uid = Value::from(call.text_at(1).unwrap_or_default());
    if !world.all(Users).any(|it| it.get("uid") == Some(&uid)) {
        return Err(no_such(Users));
    }
    if let Some(device) = world.get_mut(Devices, &id) {
        device.insert("assignedOwnerUid".to_owned(), uid);
    }
    Ok(Answer::Done)
}

fn remove_owner(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = call.id_of(0, world, Devices)?;
    if let Some(device) = world.get_mut(Devices, &id) {
        device.remove("assignedOwnerUid");
    }
    Ok(Answer::Done)
}
