//! Groups: saved searches for devices.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered},
    call::ApiCall,
    device_filter::DeviceFilter,
    world::{Collection, Record, WorldData, text},
};

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getGroups" => Ok(Answer::list(
            world.all(Collection::Groups).map(|it| shown(world, it)),
        )),
        "getGroupDeviceIds" => call
            .record_of(0, world, Collection::Groups)
            .map(|group| Answer::list(members(world, group))),
        _ => return None,
    })
}

fn shown(world: &WorldData, group: &Record) -> Value {
    let mut group = group.clone();
    let count = members(world, &group).len();
    group.insert("deviceCount".to_owned(), json!(count));
    group.insert("lastEvaluated".to_owned(), world.now().into());
    Value::Object(group)
}

/// The ids of the devices that the search finds now.
fn members(world: &WorldData, group: &Record) -> Vec<Value> {
    let filter = DeviceFilter::parse(text(group, "deviceFilter").unwrap_or_default());
    let Ok(filter) = filter else {
        return Vec::new();
    };
    let devices = world.all(Collection::Devices);
    devices
        .filter(|it| filter.matches(world, it))
        .filter_map(|it| it.get("id").cloned())
        .collect()
}
