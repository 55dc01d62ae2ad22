//! What is done to devices: reboots, patch scans, services, maintenance windows.

use crate::sandbox::{answer::Answered, call::ApiCall, world::WorldData};

pub(super) fn respond(call: &ApiCall<'_>, _world: &mut WorldData) -> Option<Answered> {
    let _ = call;
    None
}
