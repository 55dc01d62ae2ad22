//! What most operations do: list, read, create, change and delete the records of a collection.

use serde_json::Value;

use crate::{
    ninjaone::paging::Paging,
    sandbox::{
        answer::{Answer, Answered, bad_request, no_such, unknown_in_body},
        call::ApiCall,
        response::SandboxResponse,
        world::{Collection, Record, RecordId, WorldData, integer, merge, record},
    },
};

/// All records of a collection; a page of them if the operation pages by `after`.
pub(super) fn list(call: &ApiCall<'_>, world: &WorldData, of: Collection) -> Answered {
    list_if(call, world, of, |_| true)
}

/// Those that fit.
#[expect(clippy::unnecessary_wraps, reason = "what a family answers")]
pub(super) fn list_if(
    call: &ApiCall<'_>,
    world: &WorldData,
    of: Collection,
    fits: impl Fn(&Record) -> bool,
) -> Answered {
    let chosen = world.all(of).filter(|it| fits(it));
    Ok(Answer::list(page(call, chosen).cloned()))
}

/// Records by ascending id after `after`, at most `pageSize`; all of them if the operation does not page so.
pub(super) fn page<'w>(
    call: &ApiCall<'_>,
    records: impl Iterator<Item = &'w Record>,
) -> impl Iterator<Item = &'w Record> {
    let is_paged = call.operation.paging == Paging::After;
    let number = |name| call.request.query.number(name).filter(|_| is_paged);
    let after = number("after").unwrap_or_default();
    let size = number("pageSize").and_then(|size| usize::try_from(size).ok());
    records
        .filter(move |it| after == 0 || integer(it, "id").is_some_and(|id| id > after))
        .take(size.unwrap_or(usize::MAX))
}

/// The record that the first path parameter names.
pub(super) fn read(call: &ApiCall<'_>, world: &WorldData, of: Collection) -> Answered {
    let record = call.record_of(0, world, of)?;
    Ok(Answer::Value(Value::Object(record.clone())))
}

/// A new record with the members of the body, and with `defaults` where the body is silent.
pub(super) fn create(
    call: &ApiCall<'_>,
    world: &mut WorldData,
    of: Collection,
    defaults: Record,
) -> Answered {
    create_from(world, of, call.members(), defaults)
        .map(|record| Answer::Value(Value::Object(record)))
}

/// A new record for each item of a body that is a list.
pub(super) fn create_each(
    call: &ApiCall<'_>,
    world: &mut WorldData,
    of: Collection,
    defaults: &Record,
) -> Answered {
    let created: Result<Vec<Record>, _> = call
        .items()
        .iter()
        .map(|item| create_from(world, of, record(item.clone()), defaults.clone()))
        .collect();
    Ok(Answer::list(created?))
}

pub(super) fn create_from(
    world: &mut WorldData,
    of: Collection,
    body: Record,
    mut defaults: Record,
) -> Result<Record, SandboxResponse> {
    merge(&mut defaults, body);
    Ok(world.create(of, defaults)?)
}

/// Changes the record that the first path parameter names, and answers with it.
pub(super) fn update(call: &ApiCall<'_>, world: &mut WorldData, of: Collection) -> Answered {
    let id = call.id_of(0, world, of)?;
    update_from(world, of, &id, call.members()).map(|it| Answer::Value(Value::Object(it)))
}

/// Changes a record for each item of a body that is a list; `member` of an item says which.
pub(super) fn update_each(
    call: &ApiCall<'_>,
    world: &mut WorldData,
    of: Collection,
    member: &str,
) -> Answered {
    let mut changed = Vec::new();
    for item in call.items() {
        let mut item = record(item.clone());
        let id = item.remove(member).and_then(|it| it.as_u64());
        let id = RecordId::from(id.ok_or_else(|| bad_request(&format!("{member} is missing")))?);
        changed.push(update_from(world, of, &id, item)?);
    }
    Ok(Answer::list(changed))
}

pub(super) fn update_from(
    world: &mut WorldData,
    of: Collection,
    id: &RecordId,
    mut changes: Record,
) -> Result<Record, SandboxResponse> {
    changes.remove(of.id_member());
    let known = world.get_mut(of, id).ok_or_else(|| no_such(of))?;
    merge(known, changes);
    Ok(known.clone())
}

/// Deletes the record that the first path parameter names.
pub(super) fn delete(call: &ApiCall<'_>, world: &mut WorldData, of: Collection) -> Answered {
    let id = call.id_of(0, world, of)?;
    world.remove(of, &id);
    Ok(Answer::Done)
}

/// Deletes the records whose ids are the body, or nothing if one of them does not exist.
pub(super) fn delete_each(call: &ApiCall<'_>, world: &mut WorldData, of: Collection) -> Answered {
    for id in existing(world, of, call.items())? {
        world.remove(of, &id);
    }
    Ok(Answer::Done)
}

/// Sets members of the records whose ids are given, and answers with the records.
pub(super) fn set_each(
    world: &mut WorldData,
    of: Collection,
    ids: &[Value],
    changes: &Record,
) -> Answered {
    let mut updated = Vec::new();
    for id in existing(world, of, ids)? {
        updated.push(update_from(world, of, &id, changes.clone())?);
    }
    Ok(Answer::list(updated))
}

/// The ids, if each is of something that exists.
///
/// # Errors
/// 400: one of them is not.
pub(super) fn existing(
    world: &WorldData,
    of: Collection,
    ids: &[Value],
) -> Result<Vec<RecordId>, SandboxResponse> {
    ids.iter()
        .map(|id| {
            id.as_u64()
                .map(RecordId::from)
                .filter(|id| world.get(of, id).is_some())
                .ok_or_else(|| unknown_in_body(of))
        })
        .collect()
}
