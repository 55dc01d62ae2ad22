//! Custom fields: their definitions, and their values on devices, end users, locations and organizations.

use crate::sandbox::{answer::Answered, call::ApiCall, world::WorldData};

pub(super) fn respond(call: &ApiCall<'_>, _world: &mut WorldData) -> Option<Answered> {
    let _ = call;
    None
}
