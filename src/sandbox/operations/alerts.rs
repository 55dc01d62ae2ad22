//! Alerts: conditions that are met now.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered},
    call::ApiCall,
    world::{Collection, NewActivity, WorldData, integer, record, text},
};

use super::activities::{acting_user, chosen_devices, is_of, is_one_of, with_device};

use Collection::{Alerts, Devices};

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getAlerts" => list(call, world),
        "getDeviceAlerts" => of_device(call, world),
        "resetAlert" | "resetAlertSetActivityData" => reset(call, world),
        _ => return None,
    })
}

fn list(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let chosen = chosen_devices(call, world)?;
    let found = world.all(Alerts).filter(|it| {
        is_of(it, chosen.as_ref()) && is_one_of(it, "sourceType", call.query("sourceType"))
    });
    Ok(Answer::list(found.map(|it| with_device(world, it))))
}

fn of_device(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let device = integer(call.record_of(0, world, Devices)?, "id");
    let own = world
        .all(Alerts)
        .filter(|it| integer(it, "deviceId") == device);
    Ok(Answer::list(own.map(|it| with_device(world, it))))
}

/// The alert is gone, and its series of activities ends. What the request says becomes the activity's data.
fn reset(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = call.id_of(0, world, Alerts)?;
    let Some(alert) = world.remove(Alerts, &id) else {
        return Ok(Answer::Done);
    };
    let said = |member| text(&alert, member).unwrap_or_default();
    let data = match &call.body {
        Value::Object(data) if !data.is_empty() => Value::Object(data.clone()),
        _ => json!({"message": {"code": "reset", "params": {"name": said("conditionName")}}}),
    };
    let more = json!({
        "seriesUid": alert.get("uid"),
        "sourceConfigUid": alert.get("sourceConfigUid"),
        "sourceName": alert.get("sourceName"),
        "severity": alert.get("severity"),
        "priority": alert.get("priority"),
        "activityResult": "SUCCESS",
        "userId": acting_user(call),
        "data": data,
    });
    world.add_activity(NewActivity {
        device_id: integer(&alert, "deviceId"),
        kind: "CONDITION",
        status_code: "RESET",
        status: "Reset",
        subject: said("subject"),
        message: &format!("The condition '{}' was reset.", said("conditionName")),
        more: record(more),
    });
    Ok(Answer::Done)
}
