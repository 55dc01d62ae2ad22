//! Templates of checklists.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered},
    call::ApiCall,
    response::SandboxResponse,
    world::{Collection, Record, RecordId, WorldData, record},
};

use super::{
    people::{CALLER, person},
    query_filters::{is_open, lists, names, says},
    records,
};

use Collection::ChecklistTemplates;

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getChecklistTemplates" => records::list_if(call, world, ChecklistTemplates, |it| {
            lists(call, "checklistTemplateIds", it, "id")
                && names(call, "checklistTemplateName", it, "name")
                && says(call, "required", it, "required")
                && is_open(call, it, "archived")
        }),
        "createChecklistTemplates" => {
            let defaults = changed_now(world);
            records::create_each(call, world, ChecklistTemplates, &defaults)
        }
        "updateChecklistTemplates" => update_each(call, world),
        "archiveChecklistTemplate" => set_archived(call, world, true),
        "restoreChecklistTemplate" => set_archived(call, world, false),
        "deleteChecklistTemplate" => records::delete(call, world, ChecklistTemplates),
        "deleteChecklistTemplates" => records::delete_each(call, world, ChecklistTemplates),
        _ => return None,
    })
}

/// Who changed it, and when.
pub(super) fn changed_now(world: &WorldData) -> Record {
    record(json!({
        "required": false,
        "lastUpdatedOn": world.now(),
        "lastUpdatedBy": person(world, CALLER),
    }))
}

/// What an archive or a restore sets.
pub(super) fn archive_members(world: &WorldData, archived: bool) -> Record {
    record(if archived {
        json!({"archived": true, "archiveTime": world.now(), "archivedBy": person(world, CALLER)})
    } else {
        json!({"archived": false, "archiveTime": null, "archivedBy": null})
    })
}

fn update_each(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let mut changed = records::update_each(call, world, ChecklistTemplates, "id")?;
    if let Answer::Value(Value::Array(templates)) = &mut changed {
        for template in templates {
            let id = template["id"].as_u64().map(RecordId::from);
            let mut now = changed_now(world);
            now.remove("required");
            if let Some(id) = id {
                *template = records::update_from(world, ChecklistTemplates, &id, now)?.into();
            }
        }
    }
    Ok(changed)
}

fn set_archived(call: &ApiCall<'_>, world: &mut WorldData, archived: bool) -> Answered {
    let body = call.members();
    let ids = body.get("checklistTemplateIds").and_then(Value::as_array);
    let changes = archive_members(world, archived);
    let ids = ids.map_or(&[][..], Vec::as_slice);
    records::set_each(world, ChecklistTemplates, ids, &changes)
}

/// A template with the tasks of a checklist.
pub(super) fn promote(
    world: &mut WorldData,
    checklist: &Record,
    name: Option<Value>,
) -> Result<(), SandboxResponse> {
    let mut template = changed_now(world);
    let tasks = checklist.get("tasks").and_then(Value::as_array);
    let tasks: Vec<Value> = tasks
        .into_iter()
        .flatten()
        .map(|it| json!({"position": it["position"], "name": it["name"], "description": it["description"]}))
        .collect();
    template.insert("tasks".to_owned(), tasks.into());
    for member in ["name", "description", "required"] {
        if let Some(value) = checklist.get(member) {
            template.insert(member.to_owned(), value.clone());
        }
    }
    if let Some(name) = name {
        template.insert("name".to_owned(), name);
    }
    world.create(ChecklistTemplates, template)?;
    Ok(())
}
