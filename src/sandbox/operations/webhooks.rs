//! The webhook of an app. Nothing is ever sent to it; `GET /sandbox/webhooks` shows it.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered},
    call::ApiCall,
    world::{Collection, RecordId, WorldData, record},
};

use Collection::Webhooks;

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "configureWebhook" => configure(call, world),
        "disableWebhook" => {
            world.remove(Webhooks, &RecordId::from(app(call)));
            Ok(Answer::Done)
        }
        _ => return None,
    })
}

/// Each app has one webhook: the next configuration takes its place.
fn configure(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    world.put(
        Webhooks,
        record(json!({"id": app(call), "configuration": call.body})),
    )?;
    Ok(Answer::Done)
}

fn app(call: &ApiCall<'_>) -> u64 {
    call.bearer.client as u64
}

/// The configurations of all apps.
pub(in crate::sandbox) fn webhooks(world: &WorldData) -> Vec<&Value> {
    let webhooks = world.all(Webhooks);
    webhooks.filter_map(|it| it.get("configuration")).collect()
}
