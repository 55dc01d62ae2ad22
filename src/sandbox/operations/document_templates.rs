//! Templates of documents: the fields that the documents of an organization have.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered},
    call::ApiCall,
    response::SandboxResponse,
    seeded_rng,
    world::{Collection, Record, RecordId, WorldData, integer, record},
};

use super::{
    people::{CALLER, person},
    query_filters::names,
    records,
};

use Collection::{DocumentTemplates, Documents};

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getDocumentTemplatesWithAttributes" => Ok(Answer::list(
            world
                .all(DocumentTemplates)
                .filter(|it| names(call, "templateName", it, "name"))
                .map(|it| shown(call, it.clone())),
        )),
        "getDocumentTemplate" => call
            .record_of(0, world, DocumentTemplates)
            .map(|it| Answer::Value(shown(call, it.clone()))),
        "createDocumentTemplate" => create(call, world),
        "updateDocumentTemplate" => update(call, world),
        "deleteDocumentTemplate" => delete(call, world),
        "archiveDocumentTemplate" => call
            .id_of(0, world, DocumentTemplates)
            .and_then(|id| set_archived(world, &[id.to_value()], true))
            .map(|_| Answer::Done),
        "archiveDocumentTemplates" => set_archived(world, call.items(), true).map(|_| Answer::Done),
        "restoreDocumentTemplate" => call
            .id_of(0, world, DocumentTemplates)
            .and_then(|id| set_archived(world, &[id.to_value()], false))
            .map(first),
        "restoreDocumentTemplates" => set_archived(world, call.items(), false).map(first),
        _ => return None,
    })
}

/// The roles are shown to those who ask.
fn shown(call: &ApiCall<'_>, mut template: Record) -> Value {
    if !call.request.query.is_true("includeTechnicianRoles") {
        template.insert("allowedTechnicianRoles".to_owned(), json!([]));
    }
    Value::Object(template)
}

/// The answer to a restore of several is declared as one template.
fn first(templates: Vec<Record>) -> Answer {
    Answer::Value(
        templates
            .into_iter()
            .next()
            .map_or(Value::Null, Value::Object),
    )
}

fn create(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let now = world.now();
    let mut body = call.members();
    let fields = body.remove("fields");
    let defaults = record(json!({
        "createTime": now,
        "updateTime": now,
        "archived": false,
        "availableToAllTechnicians": true,
    }));
    let mut created = records::create_from(world, DocumentTemplates, body, defaults)?;
    let id = integer(&created, "id").unwrap_or_default();
    created.insert("fields".to_owned(), with_ids(world, id, fields.as_ref()));
    world.put(DocumentTemplates, created.clone())?;
    Ok(Answer::Value(Value::Object(created)))
}

fn update(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = call.id_of(0, world, DocumentTemplates)?;
    let mut changes = call.members();
    if let Some(fields) = changes.remove("fields") {
        let number = call.text_at(0).and_then(|it| it.parse().ok());
        let fields = with_ids(world, number.unwrap_or_default(), Some(&fields));
        changes.insert("fields".to_owned(), fields);
    }
    changes.insert("updateTime".to_owned(), world.now().into());
    let template = records::update_from(world, DocumentTemplates, &id, changes)?;
    Ok(Answer::Value(Value::Object(template)))
}

/// Fields and elements of the page that are new get ids, which no other template has.
fn with_ids(world: &WorldData, template: u64, fields: Option<&Value>) -> Value {
    let fields = fields.and_then(Value::as_array).into_iter().flatten();
    let numbered = (template * 100 + 1..).zip(fields).map(|(id, field)| {
        let uid = seeded_rng::uuid(seeded_rng::hash(world.seed, &format!("element {id}")));
        let mut numbered = record(json!({
            "fieldId": id,
            "uiElementUid": uid,
            "createdTime": world.now(),
            "updatedTime": world.now(),
        }));
        numbered.extend(record(field.clone()));
        Value::Object(numbered)
    });
    numbered.collect()
}

/// Its documents go with it.
fn delete(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = call.id_of(0, world, DocumentTemplates)?;
    let own: Vec<RecordId> = world
        .all(Documents)
        .filter(|it| it.get("documentTemplateId") == Some(&id.to_value()))
        .filter_map(|it| integer(it, "documentId").map(RecordId::from))
        .collect();
    for document in own {
        world.remove(Documents, &document);
    }
    world.remove(DocumentTemplates, &id);
    Ok(Answer::Done)
}

fn set_archived(
    world: &mut WorldData,
    ids: &[Value],
    archived: bool,
) -> Result<Vec<Record>, SandboxResponse> {
    let changes = if archived {
        json!({"archived": true, "archivedTime": world.now(), "archivedBy": person(world, CALLER)})
    } else {
        json!({"archived": false, "archivedTime": null, "archivedBy": null})
    };
    records::existing(world, DocumentTemplates, ids)?
        .into_iter()
        .map(|id| records::update_from(world, DocumentTemplates, &id, record(changes.clone())))
        .collect()
}
