//! The health of devices: counts of what else the world shows of them.
//!
//! How NinjaOne comes to a status is not known. Here a critical alert or failed patches make a device unhealthy; other alerts,
//! malware and a pending restart need attention.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, bad_request},
    call::ApiCall,
    schema::{ApiDescription, Type},
    world::{Collection, Record, RecordId, WorldData, integer, text},
};

use super::devices;

const STATUSES: &str = "Alert.conditionHealthStatus";

pub(super) fn report(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let wanted = call.query("health").filter(|it| !it.is_empty());
    if let (Some(wanted), Some(Type::Enumeration(known))) =
        (wanted, ApiDescription::get().named(STATUSES))
        && !known.contains(&wanted)
    {
        return Err(bad_request(&format!("health cannot be '{wanted}'")));
    }
    let rows = devices::filtered(call, world)?
        .map(|device| health(world, device))
        .filter(|it| wanted.is_none_or(|wanted| it["healthStatus"] == wanted));
    Ok(Answer::report(rows.collect()))
}

/// How many items of a list in the record have one of these statuses.
fn count(device: &Record, member: &str, statuses: &[&str]) -> usize {
    let items = device.get(member).and_then(Value::as_array);
    let has_status = |item: &&Value| {
        item["status"]
            .as_str()
            .is_some_and(|it| statuses.contains(&it))
    };
    items.map_or(0, |items| items.iter().filter(has_status).count())
}

fn health(world: &WorldData, device: &Record) -> Value {
    let id = device.get("id");
    let of_device = |of| world.all(of).filter(move |it| it.get("deviceId") == id);
    let is_critical = |it: &Record| text(it, "severity") == Some("CRITICAL");
    let alerts = of_device(Collection::Alerts).count();
    let failed_os = count(device, "osPatches", &["FAILED"]);
    let failed_software = count(device, "softwarePatches", &["FAILED"]);
    let threats = |status| count(device, "antivirusThreats", &[status]);
    let needs_restart = device.get("os").is_some_and(|it| it["needsReboot"] == true);
    let found = threats("ACTIVE") + threats("QUARANTINED");
    let status =
        if of_device(Collection::Alerts).any(is_critical) || failed_os + failed_software > 0 {
            "UNHEALTHY"
        } else if alerts + found > 0 || needs_restart {
            "NEEDS_ATTENTION"
        } else {
            "HEALTHY"
        };
    let parent = integer(device, "parentDeviceId").map(RecordId::from);
    let parent = parent.and_then(|it| world.get(Collection::Devices, &it));
    let has_antivirus = device.contains_key("antivirus");
    json!({
        "deviceId": id,
        "healthStatus": status,
        "alertCount": alerts,
        "activeJobCount": of_device(Collection::Jobs).count(),
        "activeThreatsCount": threats("ACTIVE"),
        "quarantinedThreatsCount": threats("QUARANTINED"),
        "blockedThreatsCount": threats("BLOCKED"),
        "failedOSPatchesCount": failed_os,
        "pendingOSPatchesCount": count(device, "osPatches", &["MANUAL", "APPROVED"]),
        "failedSoftwarePatchesCount": failed_software,
        "pendingSoftwarePatchesCount": count(device, "softwarePatches", &["MANUAL", "APPROVED"]),
        "pendingRebootReason": if needs_restart { "PENDING_PATCH_INSTALLATION" } else { "" },
        "avInstallStatus": if has_antivirus { "INSTALLED" } else { "UNINSTALLED" },
        "productsInstallationStatuses": if has_antivirus {
            json!({"WINDOWS_DEFENDER": "INSTALLED"})
        } else {
            json!({})
        },
        "offline": device.get("offline"),
        "parentDeviceId": device.get("parentDeviceId"),
        "parentOffline": parent.is_some_and(|it| it.get("offline") == Some(&json!(true))),
    })
}
