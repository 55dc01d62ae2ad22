//! Read operations on the simulated world. All others respond with a sample.

use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_DISPOSITION, LOCATION},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::ninjaone::operation::Payload;

use super::{
    api::ApiCall,
    response::SandboxResponse,
    world::{Activity, Device, NOW, WorldData},
};

/// Rows on a page of activities, unless `pageSize` says otherwise.
const ACTIVITIES_PER_PAGE: usize = 200;

const ACTIVITIES_PER_PAGE_MAX: usize = 1_000;

/// The response of a read about the simulated world.
pub(super) fn respond(call: &ApiCall<'_>) -> Option<SandboxResponse> {
    if call.operation.payload == Payload::Download {
        return Some(file());
    }
    let things = call.state.world.data();
    let response = match &*call.operation.id {
        "getOrganizations" => page(call, &things.organizations, |it| it.id),
        "getOrganizationsDetailed" => {
            let chosen = paged(call, things.organizations.iter(), |it| it.id);
            let detailed: Vec<Value> = chosen.iter().map(|it| it.detailed(&things)).collect();
            SandboxResponse::ok(&detailed)
        }
        "getOrganization" => organization(call, &things),
        "getOrganizationLocations" => organization_locations(call, &things),
        "getOrganizationDevices" => organization_devices(call, &things),
        "getLocations" => {
            let chosen = paged(call, things.locations.iter(), |it| it.id);
            let all: Vec<Value> = chosen.iter().map(|it| it.with_organization()).collect();
            SandboxResponse::ok(&all)
        }
        "getDevices" => SandboxResponse::ok(&devices(call, &things)),
        "getDevicesDetailed" => {
            let chosen = devices(call, &things);
            let detailed: Vec<_> = chosen.iter().map(|it| it.detailed()).collect();
            SandboxResponse::ok(&detailed)
        }
        "getDevice" => device(call, &things),
        "getDeviceAlerts" | "getAlerts" => alerts(call, &things),
        "getDeviceActivities" | "getActivities" => activities(call, &things),
        "getUsers" => users(call, &things),
        "getPolicies" => SandboxResponse::ok(&things.policies),
        "getGroups" => SandboxResponse::ok(&groups(&things)),
        "getGroupDeviceIds" => group_devices(call, &things),
        "getBoards" => SandboxResponse::ok(&json!([board(&things)])),
        "getTicketsByBoard" => tickets(call, &things),
        "getTicketById" => ticket(call, &things),
        "getDeviceLink" => device_link(call),
        _ => return None,
    };
    Some(response)
}

/// Rows by ascending id, after `after`, at most `pageSize`.
fn paged<'a, T>(
    call: &ApiCall<'_>,
    rows: impl Iterator<Item = &'a T>,
    id: impl Fn(&T) -> u32,
) -> Vec<&'a T> {
    let after = call.request.query.number("after").unwrap_or_default();
    let size = call.request.query.number("pageSize").unwrap_or(u64::MAX);
    rows.filter(|row| u64::from(id(row)) > after)
        .take(usize::try_from(size).unwrap_or(usize::MAX))
        .collect()
}

fn page<T: Serialize>(call: &ApiCall<'_>, rows: &[T], id: impl Fn(&T) -> u32) -> SandboxResponse {
    SandboxResponse::ok(&paged(call, rows.iter(), id))
}

fn organization(call: &ApiCall<'_>, things: &WorldData) -> SandboxResponse {
    call.id_at(0)
        .and_then(|id| things.organization(id))
        .map_or_else(no_organization, |it| {
            SandboxResponse::ok(&it.detailed(things))
        })
}

fn no_organization() -> SandboxResponse {
    SandboxResponse::not_found("There is no such organization")
}

pub(super) fn no_device() -> SandboxResponse {
    SandboxResponse::not_found("There is no such device")
}

fn organization_locations(call: &ApiCall<'_>, things: &WorldData) -> SandboxResponse {
    match call
        .id_at(0)
        .filter(|id| things.organization(*id).is_some())
    {
        None => no_organization(),
        Some(id) => SandboxResponse::ok(&things.locations_of(id).collect::<Vec<_>>()),
    }
}

fn organization_devices(call: &ApiCall<'_>, things: &WorldData) -> SandboxResponse {
    match call
        .id_at(0)
        .filter(|id| things.organization(*id).is_some())
    {
        None => no_organization(),
        Some(id) => {
            let own = things.devices.iter().filter(|it| it.organization_id == id);
            SandboxResponse::ok(&paged(call, own, |it| it.id))
        }
    }
}

/// A page of the devices that match the `df` filter.
fn devices<'a>(call: &ApiCall<'_>, things: &'a WorldData) -> Vec<&'a Device> {
    let filter = call.request.query.get("df").unwrap_or_default();
    let kept = things
        .devices
        .iter()
        .filter(|it| matches_filter(filter, it));
    paged(call, kept, |it| it.id)
}

/// `org = 2 AND class = WINDOWS_SERVER AND offline`. As in NinjaOne, a term that is not understood is silently
/// ignored.
fn matches_filter(filter: &str, device: &Device) -> bool {
    filter.split(" AND ").all(|term| {
        let term = term.trim();
        match term.split_once('=') {
            None if term.eq_ignore_ascii_case("offline") => device.offline,
            None if term.eq_ignore_ascii_case("online") => !device.offline,
            None => true,
            Some((field, value)) => {
                let value = value.trim();
                match field.trim() {
                    "org" | "organization" => value == device.organization_id.to_string(),
                    "loc" | "location" => value == device.location_id.to_string(),
                    "id" => value == device.id.to_string(),
                    "class" => value.eq_ignore_ascii_case(device.node_class),
                    _ => true,
                }
            }
        }
    })
}

fn device(call: &ApiCall<'_>, things: &WorldData) -> SandboxResponse {
    call.id_at(0)
        .and_then(|id| things.device(id))
        .map_or_else(no_device, |it| SandboxResponse::ok(&it.detailed()))
}

/// Of one device if the path names one, otherwise of all.
fn alerts(call: &ApiCall<'_>, things: &WorldData) -> SandboxResponse {
    let only = call.id_at(0);
    if only.is_some_and(|id| things.device(id).is_none()) {
        return no_device();
    }
    let chosen: Vec<_> = things
        .alerts
        .iter()
        .filter(|alert| only.is_none_or(|id| id == alert.device_id))
        .collect();
    SandboxResponse::ok(&chosen)
}

/// Newest first. `newerThan` gives the ones that follow that id, `olderThan` the ones before it.
fn activities(call: &ApiCall<'_>, things: &WorldData) -> SandboxResponse {
    let only = call.id_at(0);
    if only.is_some_and(|id| things.device(id).is_none()) {
        return no_device();
    }
    let query = &call.request.query;
    let size = query
        .number("pageSize")
        .and_then(|size| usize::try_from(size).ok())
        .unwrap_or(ACTIVITIES_PER_PAGE)
        .min(ACTIVITIES_PER_PAGE_MAX);
    let (newer, older) = (query.number("newerThan"), query.number("olderThan"));
    let fits = things.activities.iter().filter(|it| {
        only.is_none_or(|id| id == it.device_id)
            && newer.is_none_or(|id| it.id > id)
            && older.is_none_or(|id| it.id < id)
    });
    let mut chosen: Vec<&Activity> = match newer {
        Some(_) => fits.take(size).collect(),
        None => fits.rev().take(size).collect(),
    };
    chosen.sort_by_key(|it| std::cmp::Reverse(it.id));
    let last = chosen.first().map_or(newer.unwrap_or_default(), |it| it.id);
    SandboxResponse::ok(&json!({"lastActivityId": last, "activities": chosen}))
}

fn users(call: &ApiCall<'_>, things: &WorldData) -> SandboxResponse {
    let wanted = call.request.query.get("userType");
    let chosen: Vec<_> = things
        .users
        .iter()
        .filter(|user| wanted.is_none_or(|kind| kind == user.kind))
        .collect();
    SandboxResponse::ok(&chosen)
}

/// One group for each state, so that both can be seen.
fn groups(things: &WorldData) -> Value {
    let count = |offline| {
        things
            .devices
            .iter()
            .filter(|it| it.offline == offline)
            .count()
    };
    let group = |id: u32, name: &str, devices: usize| {
        json!({
            "id": id,
            "name": name,
            "description": "Made up by the sandbox",
            "shared": true,
            "created": NOW,
            "updated": NOW,
            "deviceCount": devices,
        })
    };
    json!([
        group(1, "Online", count(false)),
        group(2, "Offline", count(true))
    ])
}

fn group_devices(call: &ApiCall<'_>, things: &WorldData) -> SandboxResponse {
    let offline = match call.id_at(0) {
        Some(1) => false,
        Some(2) => true,
        _ => return SandboxResponse::not_found("There is no such group"),
    };
    let members = things.devices.iter().filter(|it| it.offline == offline);
    SandboxResponse::ok(&members.map(|it| it.id).collect::<Vec<u32>>())
}

fn board(things: &WorldData) -> Value {
    json!({
        "id": 1,
        "name": "All tickets",
        "description": "Made up by the sandbox",
        "system": true,
        "columns": ["id", "summary", "status"],
        "ticketCount": things.tickets.len(),
    })
}

fn tickets(call: &ApiCall<'_>, things: &WorldData) -> SandboxResponse {
    if call.id_at(0) != Some(1) {
        return SandboxResponse::not_found("There is no such board");
    }
    let last = things.tickets.last().map(|it| it.id);
    SandboxResponse::ok(&json!({
        "data": things.tickets,
        "metadata": {"columns": ["id", "summary", "status"], "lastCursorId": last},
    }))
}

fn ticket(call: &ApiCall<'_>, things: &WorldData) -> SandboxResponse {
    call.id_at(0)
        .and_then(|id| things.tickets.iter().find(|it| it.id == u64::from(id)))
        .map_or_else(
            || SandboxResponse::not_found("There is no such ticket"),
            SandboxResponse::ok,
        )
}

/// With `redirect=true` the response redirects to another host, as NinjaOne's does.
fn device_link(call: &ApiCall<'_>) -> SandboxResponse {
    let Some(id) = call.id_at(0) else {
        return no_device();
    };
    let url = format!("https://console.sandbox.invalid/#/deviceDashboard/{id}/overview");
    match HeaderValue::from_str(&url) {
        Ok(location) if call.request.query.is_true("redirect") => {
            SandboxResponse::empty(StatusCode::FOUND).with(LOCATION, location)
        }
        _ => SandboxResponse::ok(&json!({"url": url, "expires": NOW + 3_600.0})),
    }
}

fn file() -> SandboxResponse {
    let content_type = HeaderValue::from_static("application/octet-stream");
    let name = HeaderValue::from_static("attachment; filename=\"sample.txt\"");
    SandboxResponse::bytes(
        StatusCode::OK,
        content_type,
        "Made up by the sandbox.\n".into(),
    )
    .with(CONTENT_DISPOSITION, name)
}
