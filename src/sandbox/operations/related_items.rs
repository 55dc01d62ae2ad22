//! Related items: what belongs to an organization, a device or the like; and attachments.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, no_such},
    call::ApiCall,
    response::SandboxResponse,
    world::{Collection, Record, RecordId, WorldData, integer, record, text},
};

use super::{files, people::CALLER, records};

use Collection::{
    Articles, Checklists, Contacts, Credentials, Devices, Documents, Files, Locations,
    Organizations, RelatedItems, SoftwareLicenses, Users,
};

/// What can have related items.
const HOSTS: [(&str, Collection); 8] = [
    ("ORGANIZATION", Organizations),
    ("DOCUMENT", Documents),
    ("LOCATION", Locations),
    ("NODE", Devices),
    ("CHECKLIST", Checklists),
    ("KB_DOCUMENT", Articles),
    ("END_USER", Users),
    ("SOFTWARE_LICENSE", SoftwareLicenses),
];

/// What can be related, in addition. `SECURE` is a credential under another name.
const RELATED: [(&str, Collection); 5] = [
    ("ATTACHMENT", Files),
    ("TECHNICIAN", Users),
    ("CREDENTIAL", Credentials),
    ("CONTACT", Contacts),
    ("SECURE", Credentials),
];

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getAllRelatedItems" => Ok(list(world, |_| true)),
        "getRelatedItemsForHostEntity" => of_host(call, world),
        "getRelatedItemsWithEntity" => of_related(call, world),
        "getRelatedItemsWithHostEntityType" => {
            host_type(call, 0).map(|_| list(world, |it| text(it, "entityType") == call.text_at(0)))
        }
        "getRelatedItemsWithEntityType" => related_type(call, 0)
            .map(|_| list(world, |it| text(it, "relEntityType") == call.text_at(0))),
        "createRelatedItemForEntity" => {
            relate(call, world, &call.members()).map(|it| Answer::Value(shown(world, &it)))
        }
        "createRelatedItemForEntity_1" => relate_each(call, world),
        "createRelatedItem" => attach(call, world),
        "createSecureRelatedItemForEntity" => secure(call, world),
        "deleteRelatedItem" => records::delete(call, world, RelatedItems),
        "deleteRelatedItems" => delete_all(call, world),
        "downloadRelatedItemAttachment" => call
            .record_of(0, world, RelatedItems)
            .and_then(|it| file_of(it).ok_or_else(|| no_such(Files)))
            .and_then(|id| files::download(world, id)),
        "getRelatedItemAttachmentsSignedUrls" => signed_urls(call, world),
        "uploadTempAttachments" => files::keep_all(call, world).map(Answer::list),
        _ => return None,
    })
}

fn collection(entity_type: Option<&str>) -> Option<Collection> {
    let known = HOSTS.iter().chain(&RELATED);
    known
        .into_iter()
        .find(|(name, _)| Some(*name) == entity_type)
        .map(|(_, of)| *of)
}

fn no_such_type() -> SandboxResponse {
    SandboxResponse::not_found("There is no such entity type")
}

fn host_type(call: &ApiCall<'_>, index: usize) -> Result<Collection, SandboxResponse> {
    let wanted = call.text_at(index);
    HOSTS
        .iter()
        .find(|(name, _)| Some(*name) == wanted)
        .map(|(_, of)| *of)
        .ok_or_else(no_such_type)
}

fn related_type(call: &ApiCall<'_>, index: usize) -> Result<Collection, SandboxResponse> {
    collection(call.text_at(index)).ok_or_else(no_such_type)
}

/// The entity that this member and its type name, if it is still there.
fn entity<'w>(world: &'w WorldData, item: &Record, of: &str, id: &str) -> Option<&'w Record> {
    let id = integer(item, id).map(RecordId::from)?;
    world.get(collection(text(item, of))?, &id)
}

/// Items of what has been deleted are gone with it.
fn list(world: &WorldData, fits: impl Fn(&Record) -> bool) -> Answer {
    let found = world.all(RelatedItems).filter(|it| {
        fits(it)
            && entity(world, it, "entityType", "entityId").is_some()
            && entity(world, it, "relEntityType", "relEntityId").is_some()
    });
    Answer::list(found.map(|it| shown(world, it)))
}

/// With an excerpt of both entities.
fn shown(world: &WorldData, item: &Record) -> Value {
    let mut shown = item.clone();
    for (member, of, id) in [
        ("entity", "entityType", "entityId"),
        ("relEntity", "relEntityType", "relEntityId"),
    ] {
        let excerpt = entity(world, item, of, id).map(|it| excerpt(item.get(id), it));
        shown.insert(member.to_owned(), excerpt.unwrap_or_else(|| json!({})));
    }
    if shown.get("value").is_none()
        && let Some(file) = file_of(item).and_then(|id| files::metadata(world, id))
    {
        let file = excerpt(item.get("relEntityId"), &file);
        shown.insert("value".to_owned(), file);
    }
    Value::Object(shown)
}

/// Its id and its name; of a file what is known of it.
fn excerpt(id: Option<&Value>, entity: &Record) -> Value {
    let name = ["name", "displayName", "documentName", "email"]
        .into_iter()
        .find_map(|member| entity.get(member));
    let mut excerpt = record(json!({"id": id, "name": name}));
    for member in ["mimeType", "size", "extension", "contentId"] {
        if let Some(value) = entity.get(member) {
            excerpt.insert(member.to_owned(), value.clone());
        }
    }
    excerpt.retain(|_, value| !value.is_null());
    Value::Object(excerpt)
}

fn file_of(item: &Record) -> Option<u64> {
    let is_file = text(item, "relEntityType") == Some("ATTACHMENT");
    integer(item, "relEntityId").filter(|_| is_file)
}

fn is_at(item: &Record, of: &str, id: &str, call: &ApiCall<'_>) -> bool {
    let wanted = call.text_at(1).and_then(|it| it.parse().ok());
    text(item, of) == call.text_at(0) && integer(item, id) == wanted
}

/// `HOSTING` are the items that it has, `HOSTED_BY` those that it is.
fn of_host(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    call.record_of(1, world, host_type(call, 0)?)?;
    let scope = call.query("scope").unwrap_or("ALL");
    Ok(list(world, |it| {
        (scope != "HOSTED_BY" && is_at(it, "entityType", "entityId", call))
            || (scope != "HOSTING" && is_at(it, "relEntityType", "relEntityId", call))
    }))
}

fn of_related(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    call.record_of(1, world, related_type(call, 0)?)?;
    Ok(list(world, |it| {
        is_at(it, "relEntityType", "relEntityId", call)
    }))
}

/// A new item of the entity in the path.
fn add(call: &ApiCall<'_>, world: &mut WorldData, more: Value) -> Result<Record, SandboxResponse> {
    let mut item = record(json!({
        "type": "ENTITY",
        "entityType": call.text_at(0),
        "entityId": call.id_of(1, world, host_type(call, 0)?)?.to_value(),
        "createTime": world.now(),
        "updateTime": world.now(),
        "createdByAppUserId": CALLER,
        "updatedByAppUserId": CALLER,
    }));
    item.extend(record(more));
    Ok(world.create(RelatedItems, item)?)
}

fn relate(
    call: &ApiCall<'_>,
    world: &mut WorldData,
    body: &Record,
) -> Result<Record, SandboxResponse> {
    if entity(world, body, "relEntityType", "relEntityId").is_none() {
        return Err(collection(text(body, "relEntityType")).map_or_else(no_such_type, no_such));
    }
    let more = json!({
        "relEntityType": body.get("relEntityType"),
        "relEntityId": body.get("relEntityId"),
    });
    add(call, world, more)
}

fn relate_each(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let mut created = Vec::new();
    for item in call.items() {
        created.push(relate(call, world, &record(item.clone()))?);
    }
    Ok(Answer::list(created.iter().map(|it| shown(world, it))))
}

fn attach(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    call.record_of(1, world, host_type(call, 0)?)?;
    let file = files::keep_all(call, world)?.into_iter().next();
    let id = file.and_then(|it| integer(&it, "id"));
    let more = json!({"type": "VALUE", "relEntityType": "ATTACHMENT", "relEntityId": id});
    let item = add(call, world, more)?;
    Ok(Answer::Value(shown(world, &item)))
}

/// The password and the secret of one-time passwords are kept, and never shown.
fn secure(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    call.record_of(1, world, host_type(call, 0)?)?;
    let mut body = call.members();
    let credential = world.create(Credentials, body.clone())?;
    for secret in ["password", "totpSecret"] {
        body.remove(secret);
    }
    let more = json!({
        "type": "VALUE",
        "relEntityType": "CREDENTIAL",
        "relEntityId": credential.get("id"),
        "value": body,
    });
    let item = add(call, world, more)?;
    Ok(Answer::Value(shown(world, &item)))
}

/// All that it has, and all that it is.
fn delete_all(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    call.record_of(1, world, related_type(call, 0)?)?;
    let doomed: Vec<RecordId> = world
        .all(RelatedItems)
        .filter(|it| {
            is_at(it, "entityType", "entityId", call)
                || is_at(it, "relEntityType", "relEntityId", call)
        })
        .filter_map(|it| integer(it, "id").map(RecordId::from))
        .collect();
    for id in doomed {
        world.remove(RelatedItems, &id);
    }
    Ok(Answer::Done)
}

fn signed_urls(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    call.record_of(1, world, host_type(call, 0)?)?;
    let own = world
        .all(RelatedItems)
        .filter(|it| is_at(it, "entityType", "entityId", call));
    Ok(files::signed_urls(world, own.filter_map(file_of)))
}
