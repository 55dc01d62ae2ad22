//! What is in a device: disks, volumes, processors, interfaces, software, services, patches, users, policy overrides.
//!
//! Each part is a member of the device's record. A report shows the same members of many devices.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, bad_request},
    call::ApiCall,
    response::SandboxResponse,
    schema::{ApiDescription, Type},
    world::{Collection, Record, WorldData, record, text},
};

use super::{row_filter::RowFilter, software};

use Collection::Devices;

/// A list in a device's record, and the operations that show it.
pub(super) struct DevicePart {
    /// Of one device. Empty: there is none.
    of_device: &'static str,
    /// Of many devices.
    report: &'static str,
    member: &'static str,
    /// Parameters of both that choose rows by the member of the same name.
    filters: &'static [&'static str],
}

const OS_PATCH_FILTERS: &[&str] = &["status", "type", "severity"];

const SOFTWARE_PATCH_FILTERS: &[&str] = &["status", "type", "impact", "productIdentifier"];

static PARTS: [DevicePart; 15] = [
    part("getDeviceDiskDrives", "getDiskDrives", "disks", &[]),
    part("getDeviceVolumes", "getVolumes", "volumes", &[]),
    part("getDeviceProcessors", "getProcessors", "processors", &[]),
    part(
        "getDeviceNetworkInterfaces",
        "getNetworkInterfaces",
        "networkInterfaces",
        &[],
    ),
    part(
        "getDeviceServices",
        "getWindowsServicesReport",
        "windowsServices",
        &["name", "state"],
    ),
    part(
        "getDevicePendingFailedRejectedOSPatches",
        "getPendingFailedRejectedOSPatches",
        "osPatches",
        OS_PATCH_FILTERS,
    ),
    part(
        "getDeviceInstalledOSPatches",
        "getInstalledOSPatches",
        "osPatchInstalls",
        &["status"],
    ),
    part(
        "getDevicePendingFailedRejectedSoftwarePatches",
        "getPendingFailedRejectedSoftwarePatches",
        "softwarePatches",
        SOFTWARE_PATCH_FILTERS,
    ),
    part(
        "getDeviceInstalledSoftwarePatches",
        "getInstalledSoftwarePatches",
        "softwarePatchInstalls",
        SOFTWARE_PATCH_FILTERS,
    ),
    part(
        "",
        "getAntivirusStatusReport",
        "antivirus",
        &["productState", "productName"],
    ),
    part("", "getAntivirusThreats", "antivirusThreats", &[]),
    part("", "getRAIDControllerReport", "raidControllers", &[]),
    part("", "getRAIDDriveReport", "raidDrives", &[]),
    part("", "getOperatingSystems", "os", &[]),
    part("", "getComputerSystems", "system", &[]),
];

const fn part(
    of_device: &'static str,
    report: &'static str,
    member: &'static str,
    filters: &'static [&'static str],
) -> DevicePart {
    DevicePart {
        of_device,
        report,
        member,
        filters,
    }
}

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    let operation = &*call.operation.id;
    if let Some(part) = PARTS.iter().find(|it| it.of_device == operation) {
        return Some(list(call, world, part));
    }
    Some(match operation {
        "getDeviceSoftware" => software::list(call, world),
        "getDeviceLastLoggedOnUser" => call
            .record_of(0, world, Devices)
            .map(|it| Answer::Value(logged_on_user(it).into())),
        "getPolicyOverrides" => call
            .record_of(0, world, Devices)
            .map(|it| Answer::Value(json!({"overrides": it.get("policyOverrides")}))),
        _ => return None,
    })
}

fn list(call: &ApiCall<'_>, world: &WorldData, part: &DevicePart) -> Answered {
    let device = call.record_of(0, world, Devices)?;
    let filter = part.filter(call)?;
    Ok(Answer::list(part.rows(device).filter(|it| filter.fits(it))))
}

/// Nothing where nobody has logged on.
pub(super) fn logged_on_user(device: &Record) -> Record {
    record(json!({
        "userName": text(device, "lastLoggedInUser").unwrap_or_default(),
        "logonTime": device.get("lastLogon").cloned().unwrap_or_else(|| 0.into()),
    }))
}

impl DevicePart {
    /// The part that a report is about.
    pub(super) fn of_report(operation: &str) -> Option<&'static Self> {
        PARTS.iter().find(|it| it.report == operation)
    }

    /// # Errors
    /// 400: a value of the query is none of its enumeration, or no time.
    pub(super) fn filter(&self, call: &ApiCall<'_>) -> Result<RowFilter, SandboxResponse> {
        let states = ApiDescription::get().named("WindowsService.state");
        if self.filters.contains(&"state")
            && let (Some(state), Some(Type::Enumeration(known))) = (call.query("state"), states)
            && !known.contains(&state)
        {
            return Err(bad_request(&format!("state cannot be '{state}'")));
        }
        RowFilter::of(call, self.filters)
    }

    /// What the device has of it.
    pub(super) fn rows<'d>(&self, device: &'d Record) -> impl Iterator<Item = Record> + use<'d> {
        let has_agent = text(device, "deviceType") == Some("AgentDevice");
        let value = device.get(self.member).filter(|_| has_agent);
        let rows = match value {
            Some(Value::Array(rows)) => rows.as_slice(),
            Some(row) => std::slice::from_ref(row),
            None => &[],
        };
        rows.iter().cloned().map(record)
    }
}
