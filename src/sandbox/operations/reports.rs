//! The reports below `/v2/queries`: what devices show of themselves, of many devices at once.

use serde_json::Value;

use crate::sandbox::{
    answer::{Answer, Answered},
    call::ApiCall,
    world::{Record, WorldData},
};

use super::{
    device_health,
    device_parts::{DevicePart, logged_on_user},
    devices,
    software::{self, add_origin},
};

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    let operation = &*call.operation.id;
    if let Some(part) = DevicePart::of_report(operation) {
        return Some(of_part(call, world, part));
    }
    Some(match operation {
        "getSoftware" => software::report(call, world),
        "getDeviceHealthReport" => device_health::report(call, world),
        "getLastLoggedOnUsersReport" => of_devices(call, world, |device| {
            device
                .contains_key("lastLoggedInUser")
                .then(|| logged_on_user(device))
        }),
        "getPolicyOverrides_1" => of_devices(call, world, |device| {
            let overrides = device.get("policyOverrides")?;
            let has_any = overrides.as_array().is_some_and(|it| !it.is_empty());
            has_any.then(|| Record::from_iter([("overrides".to_owned(), overrides.clone())]))
        }),
        _ => return None,
    })
}

fn of_part(call: &ApiCall<'_>, world: &WorldData, part: &DevicePart) -> Answered {
    let filter = part.filter(call)?;
    let devices = devices::filtered(call, world)?.filter(|it| filter.fits_device(it));
    let rows = devices.flat_map(|device| {
        part.rows(device)
            .filter(|it| filter.fits(it))
            .map(|row| with_origin(row, device))
    });
    Ok(Answer::report(rows.collect()))
}

/// One row of each device that has one.
fn of_devices(
    call: &ApiCall<'_>,
    world: &WorldData,
    row: impl Fn(&Record) -> Option<Record>,
) -> Answered {
    let devices = devices::filtered(call, world)?;
    let rows = devices.filter_map(|device| Some(with_origin(row(device)?, device)));
    Ok(Answer::report(rows.collect()))
}

fn with_origin(mut row: Record, device: &Record) -> Value {
    let of = |member| device.get(member).cloned().unwrap_or_default();
    add_origin(&mut row, of("id"), of("lastUpdate"));
    Value::Object(row)
}
