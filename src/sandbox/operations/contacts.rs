//! Contacts: people at a customer who have no login.

use serde_json::json;

use crate::sandbox::{
    answer::{Answer, Answered, unknown_in_body},
    call::ApiCall,
    response::SandboxResponse,
    world::{Collection, Record, RecordId, WorldData, integer, record, text},
};

use super::{activities::record_change, records};

use Collection::{Contacts, Organizations};

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getContacts" => records::list(call, world, Contacts),
        "getContactById" => records::read(call, world, Contacts),
        "createContact" => create(call, world),
        "updateContact" => update(call, world),
        "deleteContact" => delete(call, world),
        _ => return None,
    })
}

fn check_organization(world: &WorldData, body: &Record) -> Result<(), SandboxResponse> {
    let wanted = integer(body, "organizationId").map(RecordId::from);
    if wanted.is_some_and(|id| world.get(Organizations, &id).is_none()) {
        return Err(unknown_in_body(Organizations));
    }
    Ok(())
}

fn note(call: &ApiCall<'_>, world: &mut WorldData, contact: Option<&Record>, code: &str) {
    let email = contact.and_then(|it| text(it, "email")).unwrap_or_default();
    record_change(call, world, code, email, None);
}

fn create(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let body = call.members();
    check_organization(world, &body)?;
    let defaults = record(json!({"createTime": world.now(), "updateTime": world.now()}));
    let contact = records::create_from(world, Contacts, body, defaults)?;
    note(call, world, Some(&contact), "CONTACT_CREATED_API");
    Ok(Answer::Value(contact.into()))
}

fn update(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = call.id_of(0, world, Contacts)?;
    let mut changes = call.members();
    check_organization(world, &changes)?;
    changes.remove("uid");
    changes.insert("updateTime".to_owned(), world.now().into());
    let contact = records::update_from(world, Contacts, &id, changes)?;
    note(call, world, Some(&contact), "CONTACT_UPDATED_API");
    Ok(Answer::Value(contact.into()))
}

fn delete(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = call.id_of(0, world, Contacts)?;
    let contact = world.remove(Contacts, &id);
    note(call, world, contact.as_ref(), "CONTACT_DELETED_API");
    Ok(Answer::Done)
}
