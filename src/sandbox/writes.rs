//! Write operations on the simulated world. All others only pretend to succeed.

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    api::ApiCall,
    reads::no_device,
    response::SandboxResponse,
    world::{NOW, Organization, SupportTicket},
};

/// How many organizations and tickets the world can hold.
const CREATED_MAX: usize = 10_000;

/// The response of a write whose effect a read shows.
pub(super) fn respond(call: &ApiCall<'_>) -> Option<SandboxResponse> {
    let response = match &*call.operation.id {
        "resetAlert" | "resetAlertSetActivityData" => reset_alert(call),
        "runScriptOnDevice" => on_device(call, "SCRIPTING", "Script run"),
        "rebootDevices" => on_device(call, "ACTION", "Reboot"),
        "submitOSPatchScan" | "submitSoftwarePatchScan" => {
            on_device(call, "PATCH_MANAGEMENT", "Patch scan")
        }
        "submitOSPatchApply" | "submitSoftwarePatchApply" => {
            on_device(call, "PATCH_MANAGEMENT", "Patch apply")
        }
        "updateDevice" => update_device(call),
        "createOrganization" => create_organization(call),
        "create_1" => create_ticket(call),
        _ => return None,
    };
    Some(response)
}

fn body(call: &ApiCall<'_>) -> Value {
    serde_json::from_slice(&call.request.body).unwrap_or_default()
}

fn bad_body(message: &str) -> SandboxResponse {
    SandboxResponse::application_error(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", message)
}

fn reset_alert(call: &ApiCall<'_>) -> SandboxResponse {
    let mut things = call.state.world.data();
    let uid = call.text_at(0).unwrap_or_default();
    let Some(index) = things.alerts.iter().position(|alert| alert.uid == uid) else {
        return SandboxResponse::not_found("There is no such alert");
    };
    let alert = things.alerts.remove(index);
    things.add_activity(
        alert.device_id,
        "CONDITION",
        "Reset",
        "The alert was reset.",
    );
    SandboxResponse::no_content()
}

/// Starts something on a device: 204 now, and an activity later.
fn on_device(call: &ApiCall<'_>, activity: &'static str, subject: &str) -> SandboxResponse {
    let mut things = call.state.world.data();
    let Some(id) = call.id_at(0).filter(|id| things.device(*id).is_some()) else {
        return no_device();
    };
    things.add_activity(id, activity, subject, "Started through the API.");
    SandboxResponse::no_content()
}

fn update_device(call: &ApiCall<'_>) -> SandboxResponse {
    let mut things = call.state.world.data();
    let wanted = call.id_at(0);
    let Some(device) = things.devices.iter_mut().find(|it| Some(it.id) == wanted) else {
        return no_device();
    };
    if let Some(name) = body(call).get("displayName").and_then(Value::as_str) {
        name.clone_into(&mut device.display_name);
    }
    SandboxResponse::no_content()
}

fn create_organization(call: &ApiCall<'_>) -> SandboxResponse {
    let body = body(call);
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let Some(name) = text("name") else {
        return bad_body("`name` is missing");
    };
    let mut things = call.state.world.data();
    if things.organizations.len() >= CREATED_MAX {
        return bad_body("The sandbox holds no more organizations");
    }
    let organization = Organization {
        id: things.organizations.last().map_or(1, |last| last.id + 1),
        name,
        description: text("description").unwrap_or_default(),
        node_approval_mode: "AUTOMATIC",
    };
    let response = SandboxResponse::ok(&organization.detailed(&things));
    things.organizations.push(organization);
    response
}

fn create_ticket(call: &ApiCall<'_>) -> SandboxResponse {
    let body = body(call);
    let Some(summary) = body.get("subject").and_then(Value::as_str) else {
        return bad_body("`subject` is missing");
    };
    let client = body.get("clientId").and_then(Value::as_u64);
    let mut things = call.state.world.data();
    if things.tickets.len() >= CREATED_MAX {
        return bad_body("The sandbox holds no more tickets");
    }
    let permit = SupportTicket {
        id: things.tickets.last().map_or(1, |last| last.id + 1),
        summary: summary.to_owned(),
        client_id: client
            .and_then(|id| u32::try_from(id).ok())
            .unwrap_or_default(),
        status: "NEW",
        create_time: NOW,
    };
    let response = SandboxResponse::ok(&json!({
        "id": permit.id,
        "subject": permit.summary,
        "clientId": permit.client_id,
        "status": {"name": permit.status},
        "createTime": permit.create_time,
    }));
    things.tickets.push(permit);
    response
}
