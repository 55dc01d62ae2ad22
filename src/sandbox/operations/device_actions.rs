//! What devices are told to do: reboot, go into maintenance, control services, look for patches and install them.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, bad_request},
    call::ApiCall,
    response::SandboxResponse,
    time_text::parse_time,
    world::{Collection, Record, RecordId, WorldData, integer, record, text},
};

use super::{activities::record_device_change, device_tasks::DeviceTask};

use Collection::Devices;

/// How long a device takes to come back.
const REBOOT_SECONDS: u64 = 30;

const SCAN_SECONDS: u64 = 10;

const APPLY_SECONDS: u64 = 60;

/// A kind of patches: the activities that tell of them, and the members of a device that hold them.
struct PatchKind {
    kind: &'static str,
    noun: &'static str,
    pending: &'static str,
    installed: &'static str,
    scan: (&'static [&'static str], &'static str),
    apply: (&'static [&'static str], &'static str),
}

const OS_PATCHES: PatchKind = PatchKind {
    kind: "PATCH_MANAGEMENT",
    noun: "OS patches",
    pending: "osPatches",
    installed: "osPatchInstalls",
    scan: (
        &["PATCH_MANAGEMENT_SCAN_STARTED"],
        "PATCH_MANAGEMENT_SCAN_COMPLETED",
    ),
    apply: (
        &["PATCH_MANAGEMENT_APPLY_PATCH_STARTED"],
        "PATCH_MANAGEMENT_APPLY_PATCH_COMPLETED",
    ),
};

const SOFTWARE_PATCHES: PatchKind = PatchKind {
    kind: "SOFTWARE_PATCH_MANAGEMENT",
    noun: "software patches",
    pending: "softwarePatches",
    installed: "softwarePatchInstalls",
    scan: (
        &["SOFTWARE_PATCH_MANAGEMENT_SCAN_STARTED"],
        "SOFTWARE_PATCH_MANAGEMENT_SCAN_COMPLETED",
    ),
    apply: (
        &["SOFTWARE_PATCH_MANAGEMENT_APPLY_PATCH_STARTED"],
        "SOFTWARE_PATCH_MANAGEMENT_APPLY_PATCH_COMPLETED",
    ),
};

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "rebootDevices" => reboot(call, world),
        "updateDeviceMaintenance" => maintain(call, world),
        "cancelDeviceMaintenance" => cancel_maintenance(call, world),
        "controlWindowsService" => control_service(call, world),
        "setWindowsServiceConfiguration" => configure_service(call, world),
        "submitOSPatchScan" => scan(call, world, &OS_PATCHES),
        "submitOSPatchApply" => apply(call, world, &OS_PATCHES),
        "submitSoftwarePatchScan" => scan(call, world, &SOFTWARE_PATCHES),
        "submitSoftwarePatchApply" => apply(call, world, &SOFTWARE_PATCHES),
        "resetPolicyOverrides" => reset_overrides(call, world),
        _ => return None,
    })
}

fn device_number(call: &ApiCall<'_>, world: &WorldData) -> Result<u64, SandboxResponse> {
    let device = call.record_of(0, world, Devices)?;
    Ok(integer(device, "id").unwrap_or_default())
}

fn reboot(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let device = device_number(call, world)?;
    if !matches!(call.text_at(1), Some("NORMAL" | "FORCED")) {
        return Err(SandboxResponse::not_found("The mode is NORMAL or FORCED"));
    }
    let reason = text(&call.members(), "reason")
        .unwrap_or_default()
        .to_owned();
    let task = DeviceTask {
        device,
        kind: "ACTION",
        begun: &["START_REQUESTED", "STARTED"],
        ended: "COMPLETED",
        name: "Reboot".to_owned(),
        source: None,
        seconds: REBOOT_SECONDS,
    };
    task.begin(
        call,
        world,
        Box::new(move |world| {
            let now = world.now();
            let device = world.get_mut(Devices, &RecordId::from(device));
            let os = device.and_then(|it| it.get_mut("os"));
            if let Some(os) = os.and_then(Value::as_object_mut) {
                os.insert("lastBootTime".to_owned(), now.into());
                os.insert("needsReboot".to_owned(), false.into());
            }
            reason
        }),
    )?;
    Ok(Answer::Done)
}

/// The seconds since 1970 in a number or text of a body.
fn time(body: &Record, member: &str) -> Result<Option<u64>, SandboxResponse> {
    let given = match body.get(member) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    match parse_time(&given) {
        Some(time) => Ok(Some(time.start)),
        None => Err(bad_request(&format!("{member} is no time"))),
    }
}

/// A window begins at once if it has no start, and ends when it is cancelled if it has no end. A new one takes the place of the
/// one before.
fn maintain(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = call.id_of(0, world, Devices)?;
    let body = call.members();
    let now = world.now();
    let start = time(&body, "start")?.unwrap_or(now).max(now);
    let end = time(&body, "end")?;
    if end.is_some_and(|end| end <= start) {
        return Err(bad_request("end must be after start and after now"));
    }
    let reason = body.get("reasonMessage").cloned().unwrap_or_default();
    world.set_maintenance(&id, start, end, &reason);
    let message = "A maintenance window was scheduled.";
    record_device_change(call, world, "NODE_UPDATED", &id, message);
    Ok(Answer::Done)
}

fn cancel_maintenance(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = call.id_of(0, world, Devices)?;
    let device = world.get_mut(Devices, &id);
    if device.and_then(|it| it.remove("maintenance")).is_some() {
        let message = "The maintenance window was cancelled.";
        record_device_change(call, world, "NODE_UPDATED", &id, message);
    }
    Ok(Answer::Done)
}

/// The Windows service that the second path parameter names.
fn service_of<'w>(
    call: &ApiCall<'_>,
    world: &'w mut WorldData,
) -> Result<&'w mut Record, SandboxResponse> {
    let id = call.id_of(0, world, Devices)?;
    let name = call.text_at(1).unwrap_or_default();
    let device = world.get_mut(Devices, &id);
    let services = device.and_then(|it| it.get_mut("windowsServices")?.as_array_mut());
    services
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
        .find(|it| text(it, "name").is_some_and(|it| it.eq_ignore_ascii_case(name)))
        .ok_or_else(|| SandboxResponse::not_found("There is no such Windows service"))
}

/// A service obeys at once.
fn control_service(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let service = service_of(call, world)?;
    let (state, code) = match text(&call.members(), "action") {
        Some("START" | "RESTART") => ("RUNNING", "WINDOWS_SERVICE_STARTED"),
        Some("STOP") => ("STOPPED", "WINDOWS_SERVICE_STOPPED"),
        Some("PAUSE") => ("PAUSED", "WINDOWS_SERVICE_STOPPED"),
        _ => return Err(bad_request("action is missing")),
    };
    service.insert("state".to_owned(), state.into());
    let name = text(service, "displayName").or_else(|| text(service, "name"));
    let message = format!(
        "The service '{}' is {}.",
        name.unwrap_or_default(),
        state.to_lowercase()
    );
    let id = call.id_of(0, world, Devices)?;
    record_device_change(call, world, code, &id, &message);
    Ok(Answer::Done)
}

fn configure_service(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let service = service_of(call, world)?;
    for member in ["startType", "userName"] {
        if let Some(value) = call.members().remove(member).filter(|it| !it.is_null()) {
            service.insert(member.to_owned(), value);
        }
    }
    let name = text(service, "displayName").unwrap_or_default();
    let message = format!("The service '{name}' was configured.");
    let id = call.id_of(0, world, Devices)?;
    record_device_change(call, world, "NODE_UPDATED", &id, &message);
    Ok(Answer::Done)
}

fn scan(call: &ApiCall<'_>, world: &mut WorldData, kind: &'static PatchKind) -> Answered {
    let device = device_number(call, world)?;
    let task = DeviceTask {
        device,
        kind: kind.kind,
        begun: kind.scan.0,
        ended: kind.scan.1,
        name: format!("Scan for {}", kind.noun),
        source: None,
        seconds: SCAN_SECONDS,
    };
    let ending = move |world: &mut WorldData| {
        let id = RecordId::from(device);
        let pending = world.get(Devices, &id).and_then(|it| it.get(kind.pending));
        let found = pending.and_then(Value::as_array).map_or(0, Vec::len);
        format!("{found} found")
    };
    task.begin(call, world, Box::new(ending))?;
    Ok(Answer::Done)
}

/// All patches are installed in the end, except those that were rejected.
fn apply(call: &ApiCall<'_>, world: &mut WorldData, kind: &'static PatchKind) -> Answered {
    let device = device_number(call, world)?;
    let task = DeviceTask {
        device,
        kind: kind.kind,
        begun: kind.apply.0,
        ended: kind.apply.1,
        name: format!("Apply {}", kind.noun),
        source: None,
        seconds: APPLY_SECONDS,
    };
    let ending = move |world: &mut WorldData| {
        let now = world.now();
        let Some(device) = world.get_mut(Devices, &RecordId::from(device)) else {
            return String::new();
        };
        format!("{} installed", install(device, kind, now))
    };
    task.begin(call, world, Box::new(ending))?;
    Ok(Answer::Done)
}

/// How many patches there were to install.
fn install(device: &mut Record, kind: &PatchKind, now: u64) -> usize {
    let Some(Value::Array(pending)) = device.remove(kind.pending) else {
        return 0;
    };
    let (rejected, wanted): (Vec<Value>, Vec<Value>) = pending
        .into_iter()
        .partition(|it| it["status"] == "REJECTED");
    let count = wanted.len();
    let installed = wanted.into_iter().map(|patch| {
        let mut patch = record(patch);
        patch.insert("status".to_owned(), "INSTALLED".into());
        patch.insert("installedAt".to_owned(), now.into());
        Value::Object(patch)
    });
    let installs = device
        .entry(kind.installed)
        .or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(installs) = installs {
        installs.extend(installed);
    }
    device.insert(kind.pending.to_owned(), rejected.into());
    count
}

fn reset_overrides(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = call.id_of(0, world, Devices)?;
    if let Some(device) = world.get_mut(Devices, &id) {
        device.insert("policyOverrides".to_owned(), json!([]));
    }
    record_device_change(
        call,
        world,
        "NODE_UPDATED",
        &id,
        "The policy overrides were reset.",
    );
    Ok(Answer::Done)
}
