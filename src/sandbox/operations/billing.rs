//! Billing: accounts, agreements, invoices, products. Nobody has published what they look like.

use crate::sandbox::{answer::Answered, call::ApiCall, world::WorldData};

pub(super) fn respond(call: &ApiCall<'_>, _world: &mut WorldData) -> Option<Answered> {
    let _ = call;
    None
}
