//! Scripts and built-in actions, and what happens when a device runs one.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, unknown_in_body},
    call::ApiCall,
    response::SandboxResponse,
    time_text::date_time,
    world::{Collection, Record, RecordId, WorldData, integer, record, text},
};

use super::device_tasks::DeviceTask;

use Collection::{Devices, Scripts};

/// How long every script runs.
const SCRIPT_SECONDS: u64 = 2;

/// Beginnings of device classes, and the system that a script has to be for.
const SYSTEMS: [(&str, &str); 3] = [("WINDOWS", "Windows"), ("MAC", "Mac"), ("LINUX", "Linux")];

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getAutomationScripts" => {
            let scripts = world.all(Scripts).filter(|it| is_script(it));
            Ok(Answer::list(scripts.cloned()))
        }
        "requestScriptingOptions" => options(call, world),
        "runScriptOnDevice" => run(call, world),
        _ => return None,
    })
}

fn is_script(record: &Record) -> bool {
    text(record, "type") == Some("SCRIPT")
}

/// The active scripts for the device's system, and how they can be run.
fn options(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let device = call.record_of(0, world, Devices)?;
    let class = text(device, "nodeClass").unwrap_or_default();
    let system = SYSTEMS
        .iter()
        .find(|(start, _)| class.starts_with(start))
        .map_or("", |(_, system)| *system);
    let fits = |script: &&Record| {
        let systems = script.get("operatingSystems").and_then(Value::as_array);
        script.get("active") == Some(&true.into())
            && systems.is_some_and(|it| it.contains(&system.into()))
    };
    let scripts: Value = world.all(Scripts).filter(fits).cloned().collect();
    Ok(Answer::Value(json!({
        "categories": [
            {"id": 1, "name": "Reports", "internal": false},
            {"id": 2, "name": "Maintenance", "internal": false},
        ],
        "scripts": scripts,
        "credentials": {
            "roles": ["SYSTEM", "LOGGED_ON_USER", "LOCAL_ADMIN", "DOMAIN_ADMIN"],
            "credentials": [{"id": 1, "name": "Backup Operator", "type": "BASIC"}],
        },
    })))
}

fn run(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let device = call.record_of(0, world, Devices)?;
    let device = integer(device, "id").unwrap_or_default();
    let body = call.members();
    let script = script_of(world, &body)?;
    let (name, output) = (text(&script, "name"), text(&script, "output"));
    let name = format!("Run {}", name.unwrap_or_default());
    let output = output.unwrap_or("Done.").to_owned();
    let parameters = text(&body, "parameters").unwrap_or_default().to_owned();
    let task = DeviceTask {
        device,
        kind: "SCRIPTING",
        begun: &["START_REQUESTED", "STARTED"],
        ended: "COMPLETED",
        name,
        source: script.get("uid").cloned(),
        seconds: SCRIPT_SECONDS,
    };
    task.begin(
        call,
        world,
        Box::new(move |world| {
            let at = date_time(world.now());
            if parameters.is_empty() {
                format!("{output}\nEnded at {at}")
            } else {
                format!("{output}\nParameters: {parameters}\nEnded at {at}")
            }
        }),
    )?;
    Ok(Answer::Done)
}

/// A script by its id, or a built-in action by its uid. The description requires neither, and what NinjaOne does without both is not
/// known: here something without a name runs.
fn script_of(world: &WorldData, body: &Record) -> Result<Record, SandboxResponse> {
    let uid = body.get("uid").filter(|it| it.is_string());
    let by_id = |id| world.get(Scripts, &RecordId::from(id));
    let found = match (integer(body, "id"), uid) {
        (None, None) => return Ok(record(json!({"name": "Script", "output": ""}))),
        (Some(id), _) if text(body, "type") != Some("ACTION") => {
            by_id(id).filter(|it| is_script(it))
        }
        (_, Some(uid)) => world.all(Scripts).find(|it| it.get("uid") == Some(uid)),
        (Some(id), None) => by_id(id),
    };
    found.cloned().ok_or_else(|| unknown_in_body(Scripts))
}
