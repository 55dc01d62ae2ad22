//! Checklists of organizations.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, bad_request, no_such, unknown_in_body},
    call::ApiCall,
    response::SandboxResponse,
    world::{Collection, Record, RecordId, WorldData, integer, record},
};

use super::{
    checklist_templates::{archive_members, changed_now, promote},
    files,
    people::{CALLER, person},
    query_filters::{is_open, is_true, lists, names, says},
    records,
};

use Collection::{ChecklistTemplates, Checklists, Organizations};

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getClientChecklists" => Ok(list(call, world)),
        "getClientChecklist" => call
            .record_of(0, world, Checklists)
            .map(|it| Answer::Value(shown(world, it))),
        "createOrganizationChecklists" => create_each(call, world),
        "createOrganizationChecklistsFromTemplates" => create_from_templates(call, world),
        "updateOrganizationChecklists" => update_each(call, world),
        "archiveOrganizationChecklists" => set_archived(call, world, true),
        "restoreOrganizationChecklists" => set_archived(call, world, false),
        "deleteClientChecklist" => records::delete(call, world, Checklists),
        "deleteClientChecklists" => records::delete_each(call, world, Checklists),
        "promoteClientChecklists" => promote_with_names(call, world),
        "promoteClientChecklists_1" => promote_each(call, world),
        "getClientChecklistSignedUrls" => call
            .record_of(0, world, Checklists)
            .map(|it| files::signed_urls(world, files::numbers(it, "files"))),
        _ => return None,
    })
}

fn list(call: &ApiCall<'_>, world: &WorldData) -> Answer {
    let found = world.all(Checklists).filter(|it| {
        lists(call, "checklistIds", it, "id")
            && lists(call, "organizationIds", it, "organizationId")
            && names(call, "checklistName", it, "name")
            && lists(call, "assignedToUserId", it, "assignedToUserId")
            && says(call, "required", it, "required")
            && is_open(call, it, "archived")
            && call
                .query("completed")
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case("true") == is_completed(it))
    });
    Answer::list(found.map(|it| shown(world, it)))
}

fn tasks(checklist: &Record) -> impl Iterator<Item = &Value> {
    let tasks = checklist.get("tasks").and_then(Value::as_array);
    tasks.into_iter().flatten()
}

/// All of its tasks are done, and there are some.
fn is_completed(checklist: &Record) -> bool {
    tasks(checklist).next().is_some() && tasks(checklist).all(|it| it["completed"] == true)
}

/// With its organization, whoever it is assigned to, and how much of it is done.
fn shown(world: &WorldData, checklist: &Record) -> Value {
    let assigned = |of: &Record| person(world, integer(of, "assignedToUserId").unwrap_or(CALLER));
    let shown_tasks: Vec<Value> = tasks(checklist)
        .map(|task| {
            let mut task = record(task.clone());
            task.insert("assignedTo".to_owned(), assigned(&task));
            if is_true(&task, "completed") {
                let by = integer(&task, "completedByUserId").unwrap_or(CALLER);
                task.insert("completedBy".to_owned(), person(world, by));
            }
            Value::Object(task)
        })
        .collect();
    let done: Vec<&Value> = tasks(checklist)
        .filter(|it| it["completed"] == true)
        .collect();
    let last = done
        .iter()
        .filter_map(|it| it["completedOn"].as_u64())
        .max();
    let organization = integer(checklist, "organizationId").map(RecordId::from);
    let organization = organization.and_then(|id| world.get(Organizations, &id));
    let members = json!({
        "assignedTo": assigned(checklist),
        "clientName": organization.and_then(|it| it.get("name")),
        "completed": is_completed(checklist),
        "completedOn": last.filter(|_| is_completed(checklist)),
        "completedTaskCount": done.len(),
        "totalTaskCount": shown_tasks.len(),
        "tasks": shown_tasks,
    });
    let mut shown = checklist.clone();
    shown.extend(record(members));
    Value::Object(shown)
}

/// Each new task has an id that no other one has; a done one says when it was.
fn with_ids(world: &WorldData, checklist: u64, tasks: Option<&Value>) -> Value {
    let tasks = tasks.and_then(Value::as_array).into_iter().flatten();
    let numbered = (1..).zip(tasks).map(|(position, task)| {
        let mut numbered = record(json!({
            "id": checklist * 1_000 + position,
            "position": position,
            "completed": false,
        }));
        numbered.extend(record(task.clone()));
        if is_true(&numbered, "completed") && !numbered.contains_key("completedOn") {
            numbered.insert("completedOn".to_owned(), world.now().into());
        }
        Value::Object(numbered)
    });
    numbered.collect()
}

/// Ids are ours to give.
fn without_ids(mut tasks: Value) -> Value {
    for task in tasks.as_array_mut().into_iter().flatten() {
        if let Some(task) = task.as_object_mut() {
            task.remove("id");
        }
    }
    tasks
}

/// A new checklist of the organization that the body names.
fn create(world: &mut WorldData, mut body: Record) -> Result<Record, SandboxResponse> {
    let organization = integer(&body, "organizationId").map(RecordId::from);
    if organization.is_none_or(|id| world.get(Organizations, &id).is_none()) {
        return Err(unknown_in_body(Organizations));
    }
    let given = body.remove("tasks").map(without_ids);
    let defaults = changed_now(world);
    let mut created = records::create_from(world, Checklists, body, defaults)?;
    let id = integer(&created, "id").unwrap_or_default();
    created.insert("tasks".to_owned(), with_ids(world, id, given.as_ref()));
    world.put(Checklists, created.clone())?;
    Ok(created)
}

/// What the body does not say is that of its template, if it names one.
fn create_each(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let mut created = Vec::new();
    for item in call.items() {
        let body = record(item.clone());
        let mut whole = match integer(&body, "checklistTemplateId") {
            Some(id) => from_template(world, &RecordId::from(id))?,
            None => Record::new(),
        };
        whole.extend(body);
        created.push(create(world, whole)?);
    }
    Ok(Answer::list(created.iter().map(|it| shown(world, it))))
}

fn from_template(world: &WorldData, id: &RecordId) -> Result<Record, SandboxResponse> {
    let template = world
        .get(ChecklistTemplates, id)
        .ok_or_else(|| unknown_in_body(ChecklistTemplates))?;
    let members = ["name", "description", "tasks", "required"];
    Ok(members
        .into_iter()
        .filter_map(|it| Some((it.to_owned(), template.get(it)?.clone())))
        .collect())
}

fn create_from_templates(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let organization = call.id_of(0, world, Organizations)?.to_value();
    let mut created = Vec::new();
    for id in records::existing(world, ChecklistTemplates, call.items())? {
        let mut body = from_template(world, &id)?;
        body.insert("organizationId".to_owned(), organization.clone());
        created.push(create(world, body)?);
    }
    Ok(Answer::list(created.iter().map(|it| shown(world, it))))
}

/// Tasks that the body names by id change; tasks without an id are new; the others stay.
fn update_each(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let mut changed = Vec::new();
    for item in call.items() {
        let mut body = record(item.clone());
        let id = integer(&body, "checklistId");
        let id = id.ok_or_else(|| bad_request("checklistId is missing"))?;
        let known = world
            .get(Checklists, &RecordId::from(id))
            .ok_or_else(|| no_such(Checklists))?;
        if let Some(given) = body.remove("tasks") {
            let all = merged(known, &given);
            body.insert("tasks".to_owned(), with_ids(world, id, Some(&all)));
        }
        for (member, value) in changed_now(world) {
            if member != "required" {
                body.insert(member, value);
            }
        }
        body.remove("checklistId");
        let it = records::update_from(world, Checklists, &RecordId::from(id), body)?;
        changed.push(it);
    }
    Ok(Answer::list(changed.iter().map(|it| shown(world, it))))
}

fn merged(checklist: &Record, given: &Value) -> Value {
    let mut all: Vec<Value> = tasks(checklist).cloned().collect();
    let mut new = Vec::new();
    for task in given.as_array().into_iter().flatten() {
        let same = |it: &&mut Value| !task["id"].is_null() && it["id"] == task["id"];
        match all.iter_mut().find(same).and_then(Value::as_object_mut) {
            Some(known) => known.extend(record(task.clone())),
            None => new.push(task.clone()),
        }
    }
    let new = without_ids(new.into());
    all.extend(new.as_array().into_iter().flatten().cloned());
    all.into()
}

fn set_archived(call: &ApiCall<'_>, world: &mut WorldData, archived: bool) -> Answered {
    let body = call.members();
    let listed = body.get("clientChecklistIds").and_then(Value::as_array);
    let ids = records::existing(world, Checklists, listed.map_or(&[], Vec::as_slice))?;
    let changes = archive_members(world, archived);
    let mut checklists = Vec::new();
    for id in ids {
        checklists.push(records::update_from(
            world,
            Checklists,
            &id,
            changes.clone(),
        )?);
    }
    Ok(Answer::list(checklists.iter().map(|it| shown(world, it))))
}

fn promote_each(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    for id in records::existing(world, Checklists, call.items())? {
        let checklist = world.get(Checklists, &id).cloned();
        promote(world, &checklist.unwrap_or_default(), None)?;
    }
    Ok(Answer::Done)
}

fn promote_with_names(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let ids: Vec<Value> = call.items().iter().map(|it| it["id"].clone()).collect();
    let existing = records::existing(world, Checklists, &ids)?;
    for (id, item) in existing.iter().zip(call.items()) {
        let checklist = world.get(Checklists, id).cloned();
        let name = item.get("name").filter(|it| it.is_string()).cloned();
        promote(world, &checklist.unwrap_or_default(), name)?;
    }
    Ok(Answer::Done)
}
