//! Asset tags: each device shows the names of its own in `tags`.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, bad_request, no_such, unknown_in_body},
    call::ApiCall,
    response::SandboxResponse,
    world::{Collection, Record, RecordId, WorldData, integer, merge, record, text},
};

use super::{
    people::{CALLER, person},
    records,
};

use Collection::{Devices, Tags};

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getTags" => Ok(Answer::Value(
            json!({"tags": world.all(Tags).map(|it| shown(world, it)).collect::<Vec<_>>()}),
        )),
        "createTag" => create(call.members(), world).map(|it| Answer::Value(Value::Object(it))),
        "updateTag" => update(call, world),
        "deleteTag" => call.id_of(0, world, Tags).map(|id| delete(world, &[id])),
        "deleteTags" => records::existing(world, Tags, call.items()).map(|ids| delete(world, &ids)),
        "mergeTags" => merge_tags(call, world),
        "batchUpdateTags" => batch(call, world),
        "setTagsForAsset" => set(call, world),
        _ => return None,
    })
}

/// With how many devices have it, and who made it.
fn shown(world: &WorldData, tag: &Record) -> Value {
    let name = text(tag, "name").unwrap_or_default();
    let devices = world.all(Devices).filter(|it| has(it, name)).count();
    let mut shown = tag.clone();
    shown.insert("targetsCount".to_owned(), devices.into());
    for (member, by) in [
        ("createdBy", "createdByUserId"),
        ("updatedBy", "updatedByUserId"),
    ] {
        let id = integer(tag, by).unwrap_or(CALLER);
        shown.insert(member.to_owned(), person(world, id));
    }
    Value::Object(shown)
}

fn of(device: &Record) -> impl Iterator<Item = &str> {
    let tags = device.get("tags").and_then(Value::as_array);
    tags.into_iter().flatten().filter_map(Value::as_str)
}

fn has(device: &Record, name: &str) -> bool {
    of(device).any(|it| it == name)
}

/// # Errors
/// 400: it has no name, or another tag has it.
fn check_name(
    world: &WorldData,
    name: &str,
    except: Option<&RecordId>,
) -> Result<(), SandboxResponse> {
    if name.is_empty() {
        return Err(bad_request("A tag needs a name"));
    }
    let is_taken = world.all(Tags).any(|it| {
        text(it, "name") == Some(name) && it.get("id") != except.map(RecordId::to_value).as_ref()
    });
    if is_taken {
        return Err(bad_request("There is a tag with this name"));
    }
    Ok(())
}

fn create(body: Record, world: &mut WorldData) -> Result<Record, SandboxResponse> {
    check_name(world, text(&body, "name").unwrap_or_default(), None)?;
    let now = world.now();
    let defaults = record(json!({
        "description": "",
        "createTime": now,
        "updateTime": now,
        "createdByUserId": CALLER,
        "updatedByUserId": CALLER,
    }));
    records::create_from(world, Tags, body, defaults)
}

fn update(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = call.id_of(0, world, Tags)?;
    let mut changes = call.members();
    let old = name_of(world, &id)?;
    if let Some(new) = text(&changes, "name").map(str::to_owned) {
        check_name(world, &new, Some(&id))?;
        replace(world, &[old], Some(&new));
    }
    changes.insert("updateTime".to_owned(), world.now().into());
    changes.insert("updatedByUserId".to_owned(), CALLER.into());
    let tag = records::update_from(world, Tags, &id, changes)?;
    Ok(Answer::Value(Value::Object(tag)))
}

fn name_of(world: &WorldData, id: &RecordId) -> Result<String, SandboxResponse> {
    let tag = world.get(Tags, id).ok_or_else(|| no_such(Tags))?;
    Ok(text(tag, "name").unwrap_or_default().to_owned())
}

fn names_of(world: &WorldData, ids: &[Value]) -> Result<Vec<String>, SandboxResponse> {
    let ids = records::existing(world, Tags, ids)?;
    ids.iter().map(|id| name_of(world, id)).collect()
}

fn delete(world: &mut WorldData, ids: &[RecordId]) -> Answer {
    for id in ids {
        if let Some(tag) = world.remove(Tags, id) {
            let name = text(&tag, "name").unwrap_or_default().to_owned();
            replace(world, &[name], None);
        }
    }
    Answer::Done
}

/// Devices with one of the old names have the new one instead, or nothing.
fn replace(world: &mut WorldData, old: &[String], new: Option<&str>) {
    let is_old = |name: &str| old.iter().any(|it| it == name);
    let changed: Vec<(RecordId, Vec<String>)> = world
        .all(Devices)
        .filter(|it| of(it).any(is_old))
        .filter_map(|it| {
            let kept = of(it).filter(|name| !is_old(name)).chain(new);
            Some((integer(it, "id")?.into(), kept.map(str::to_owned).collect()))
        })
        .collect();
    for (id, names) in changed {
        set_names(world, &id, names);
    }
}

fn set_names(world: &mut WorldData, device: &RecordId, mut names: Vec<String>) {
    names.sort();
    names.dedup();
    if let Some(device) = world.get_mut(Devices, device) {
        device.insert("tags".to_owned(), names.into());
    }
}

fn merge_tags(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let body = call.members();
    let ids = records::existing(world, Tags, list(&body, "tagIds"))?;
    let old = names_of(world, list(&body, "tagIds"))?;
    let target = if text(&body, "mergeMethod") == Some("MERGE_INTO_EXISTING_TAG") {
        let id = integer(&body, "mergeIntoTagId").map(RecordId::from);
        id.and_then(|id| world.get(Tags, &id))
            .cloned()
            .ok_or_else(|| unknown_in_body(Tags))?
    } else {
        let mut new = Record::new();
        for member in ["name", "description"] {
            let value = body.get(member).cloned().unwrap_or_default();
            merge(&mut new, record(json!({ member: value })));
        }
        create(new, world)?
    };
    replace(world, &old, text(&target, "name"));
    for id in ids {
        if target.get("id") != Some(&id.to_value()) {
            world.remove(Tags, &id);
        }
    }
    Ok(Answer::Value(Value::Object(target)))
}

fn list<'a>(body: &'a Record, member: &str) -> &'a [Value] {
    let listed = body.get(member).and_then(Value::as_array);
    listed.map_or(&[], Vec::as_slice)
}

/// Devices are the only assets with tags.
fn check_asset_type(call: &ApiCall<'_>) -> Result<(), SandboxResponse> {
    match call.text_at(0) {
        Some("device") => Ok(()),
        _ => Err(SandboxResponse::not_found("There is no such asset type")),
    }
}

fn batch(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    check_asset_type(call)?;
    let body = call.members();
    let devices = records::existing(world, Devices, list(&body, "assetIds"))?;
    let added = names_of(world, list(&body, "tagIdsToAdd"))?;
    let removed = names_of(world, list(&body, "tagIdsToRemove"))?;
    for id in devices {
        let own = world.get(Devices, &id).into_iter().flat_map(of);
        let names = own
            .map(str::to_owned)
            .filter(|it| !removed.contains(it))
            .chain(added.iter().cloned());
        let names = names.collect();
        set_names(world, &id, names);
    }
    Ok(Answer::Done)
}

fn set(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    check_asset_type(call)?;
    let id = call.id_of(1, world, Devices)?;
    let names = names_of(world, list(&call.members(), "tagIds"))?;
    set_names(world, &id, names);
    Ok(Answer::Done)
}
