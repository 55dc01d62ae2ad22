//! Documents of organizations, made after templates.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, bad_request, no_such, unknown_in_body},
    call::ApiCall,
    response::SandboxResponse,
    world::{Collection, Record, RecordId, WorldData, integer, merge, record, text},
};

use super::{
    files,
    query_filters::{is_true, lists, names},
    records,
};

use Collection::{DocumentTemplates, Documents, Organizations};

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getClientDocumentsWithAttributeValues" => Ok(list(call, world)),
        "getOrganizationDocuments" => of_organization(call, world),
        "createOrganizationDocument" => create(call, world),
        "createOrganizationDocuments" => create_each(call, world),
        "updateOrganizationDocument" => update(call, world),
        "updateOrganizationDocuments" => update_each(call, world),
        "archiveClientDocument" => set_archived(call, world, true),
        "restoreClientDocument" => set_archived(call, world, false),
        "archiveMultiPageClientDocuments" => set_each_archived(call, world, true),
        "restoreMultiPageClientDocuments" => set_each_archived(call, world, false),
        "deleteClientDocument" => records::delete(call, world, Documents),
        "getClientDocumentSignedUrls" => call
            .record_of(0, world, Documents)
            .map(|it| files::signed_urls(world, files::numbers(it, "files"))),
        _ => return None,
    })
}

/// What is archived is in no list.
fn list(call: &ApiCall<'_>, world: &WorldData) -> Answer {
    let mut found: Vec<&Record> = world
        .all(Documents)
        .filter(|it| {
            !is_true(it, "archived")
                && lists(call, "organizationIds", it, "organizationId")
                && lists(call, "templateIds", it, "documentTemplateId")
                && names(call, "templateName", it, "documentTemplateName")
                && names(call, "documentName", it, "documentName")
        })
        .collect();
    match call.query("groupBy") {
        Some("TEMPLATE") => found.sort_by_key(|it| integer(it, "documentTemplateId")),
        Some("ORGANIZATION") => found.sort_by_key(|it| integer(it, "organizationId")),
        _ => {}
    }
    Answer::list(found.into_iter().cloned())
}

fn of_organization(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let id = call.id_of(0, world, Organizations)?.to_value();
    records::list_if(call, world, Documents, |it| {
        it.get("organizationId") == Some(&id) && !is_true(it, "archived")
    })
}

fn create(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let organization = call.id_of(0, world, Organizations)?;
    let template = call.id_of(1, world, DocumentTemplates)?;
    create_one(world, &organization, &template, call.members())
        .map(|it| Answer::Value(Value::Object(it)))
}

fn create_each(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = |body: &Record, member, of: Collection| {
        integer(body, member)
            .map(RecordId::from)
            .ok_or_else(|| unknown_in_body(of))
    };
    let mut created = Vec::new();
    for item in call.items() {
        let body = record(item.clone());
        let organization = id(&body, "organizationId", Organizations)?;
        let template = id(&body, "documentTemplateId", DocumentTemplates)?;
        created.push(create_one(world, &organization, &template, body)?);
    }
    Ok(Answer::list(created))
}

fn create_one(
    world: &mut WorldData,
    organization: &RecordId,
    template: &RecordId,
    mut body: Record,
) -> Result<Record, SandboxResponse> {
    if world.get(Organizations, organization).is_none() {
        return Err(unknown_in_body(Organizations));
    }
    let known = world
        .get(DocumentTemplates, template)
        .ok_or_else(|| unknown_in_body(DocumentTemplates))?;
    let is_taken = !is_true(known, "allowMultiple")
        && world.all(Documents).any(|it| {
            it.get("documentTemplateId") == Some(&template.to_value())
                && it.get("organizationId") == Some(&organization.to_value())
        });
    if is_taken {
        return Err(bad_request(
            "The template allows one document of an organization, and there is one",
        ));
    }
    let name = text(known, "name").unwrap_or_default().to_owned();
    let fields = fields(world, body.remove("fields").as_ref());
    let mut document = record(json!({
        "documentName": name,
        "documentUpdateTime": world.now(),
        "documentTemplateName": name,
    }));
    merge(&mut document, body);
    document.insert("fields".to_owned(), fields.into());
    document.insert("documentTemplateId".to_owned(), template.to_value());
    document.insert("organizationId".to_owned(), organization.to_value());
    document.remove("documentId");
    Ok(world.create(Documents, document)?)
}

/// `{NAME: VALUE}` as the list that documents show.
fn fields(world: &WorldData, given: Option<&Value>) -> Vec<Value> {
    let given = given.and_then(Value::as_object).into_iter().flatten();
    given
        .map(|(name, value)| json!({"name": name, "value": value, "valueUpdateTime": world.now()}))
        .collect()
}

fn update(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let organization = call.id_of(0, world, Organizations)?.to_value();
    let document = call.record_of(1, world, Documents)?;
    if document.get("organizationId") != Some(&organization) {
        return Err(no_such(Documents));
    }
    let id = call.id_of(1, world, Documents)?;
    update_one(world, &id, call.members()).map(|it| Answer::Value(Value::Object(it)))
}

fn update_each(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let mut changed = Vec::new();
    for item in call.items() {
        let body = record(item.clone());
        let id = integer(&body, "documentId").map(RecordId::from);
        let id = id.ok_or_else(|| bad_request("documentId is missing"))?;
        changed.push(update_one(world, &id, body)?);
    }
    Ok(Answer::list(changed))
}

/// The changed document, with the fields that changed. Those that the body does not name stay as they are.
fn update_one(
    world: &mut WorldData,
    id: &RecordId,
    mut body: Record,
) -> Result<Record, SandboxResponse> {
    let updated = fields(world, body.remove("fields").as_ref());
    let names: Vec<&str> = updated
        .iter()
        .filter_map(|it| it["name"].as_str())
        .collect();
    let known = world.get(Documents, id).ok_or_else(|| no_such(Documents))?;
    let all = known.get("fields").and_then(Value::as_array).into_iter();
    let mut all: Vec<Value> = all
        .flatten()
        .filter(|it| {
            it["name"]
                .as_str()
                .is_none_or(|name| !names.contains(&name))
        })
        .cloned()
        .collect();
    all.extend(updated.iter().filter(|it| !it["value"].is_null()).cloned());
    body.insert("fields".to_owned(), all.into());
    body.insert("documentUpdateTime".to_owned(), world.now().into());
    let mut changed = records::update_from(world, Documents, id, body)?;
    changed.insert("updatedFields".to_owned(), updated.into());
    Ok(changed)
}

fn set_archived(call: &ApiCall<'_>, world: &mut WorldData, archived: bool) -> Answered {
    let id = call.id_of(0, world, Documents)?;
    let changes = record(json!({"archived": archived}));
    records::update_from(world, Documents, &id, changes).map(|it| Answer::Value(Value::Object(it)))
}

fn set_each_archived(call: &ApiCall<'_>, world: &mut WorldData, archived: bool) -> Answered {
    let changes = record(json!({"archived": archived}));
    records::set_each(world, Documents, call.items(), &changes)
}
