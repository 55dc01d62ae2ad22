//! How records show the person who created, changed or archived them.

use serde_json::{Value, json};

use crate::sandbox::world::{Collection, RecordId, WorldData, text};

/// Whoever calls: which technician an app acts for is not told apart.
pub(super) const CALLER: u64 = 1;

/// `id`, both names, and whether the person is gone.
pub(super) fn person(world: &WorldData, id: u64) -> Value {
    let user = world.get(Collection::Users, &RecordId::from(id));
    let name = |member| Some(text(user?, member)?.to_owned());
    let (first, last) = (name("firstName"), name("lastName"));
    let whole = [first.clone(), last.clone()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ");
    json!({
        "id": id,
        "firstName": first,
        "lastName": last,
        "name": whole,
        "displayName": whole,
        "email": name("email"),
        "deleted": user.is_none(),
    })
}
