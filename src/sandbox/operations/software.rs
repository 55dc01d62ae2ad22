//! The programs on devices.

use serde_json::Value;

use crate::sandbox::{
    answer::{Answer, Answered, Report},
    call::ApiCall,
    world::{Collection, Programs, Record, WorldData},
};

use super::{devices, row_filter::RowFilter};

/// All programs of one device.
pub(super) fn list(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let device = call.record_of(0, world, Collection::Devices)?;
    let programs = Programs::of(device, call.seed);
    Ok(Answer::list(programs.iter().flat_map(|it| {
        (0..Programs::count()).map(|index| it.get(index))
    })))
}

/// The programs of many devices. Only which ones is kept while they are sent.
pub(super) fn report(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let filter = RowFilter::of(call, &[])?;
    let on_devices: Vec<(Programs, Value)> = devices::filtered(call, world)?
        .filter_map(|device| {
            let timestamp = device.get("lastUpdate").cloned().unwrap_or_default();
            Some((Programs::of(device, call.seed)?, timestamp))
        })
        .collect();
    let rows: Vec<(usize, usize)> = on_devices
        .iter()
        .enumerate()
        .flat_map(|(device, (programs, _))| {
            (0..Programs::count())
                .filter(|index| filter.fits_installation(programs.installed_at(*index)))
                .map(move |index| (device, index))
        })
        .collect();
    Ok(Answer::Report(Report {
        total: rows.len(),
        row: Box::new(move |row| {
            let found = rows.get(row).and_then(|(device, index)| {
                let (programs, timestamp) = on_devices.get(*device)?;
                Some((programs, timestamp, *index))
            });
            found.map_or(Value::Null, |(programs, timestamp, index)| {
                let mut row = programs.get(index);
                if let Value::Object(members) = &mut row {
                    add_origin(members, programs.device.into(), timestamp.clone());
                }
                row
            })
        }),
    }))
}

/// Of which device a row is, and from when.
pub(super) fn add_origin(row: &mut Record, device: Value, timestamp: Value) {
    row.insert("deviceId".to_owned(), device);
    row.insert("timestamp".to_owned(), timestamp);
}
