//! Relationships between assets. Nobody has published their members: see `schema/observed.tsv`.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, bad_request, unknown_in_body},
    call::ApiCall,
    response::SandboxResponse,
    world::{Collection, Record, RecordId, WorldData, integer, record, text},
};

use super::records;

use Collection::{
    AssetRelationshipTypes, AssetRelationships, Devices, Locations, Organizations,
    SoftwareLicenses, Users,
};

/// What can be related. Clients were seen to say `DEVICE`; elsewhere the API calls one a node.
const ENTITIES: [(&str, Collection); 7] = [
    ("DEVICE", Devices),
    ("NODE", Devices),
    ("END_USER", Users),
    ("TECHNICIAN", Users),
    ("ORGANIZATION", Organizations),
    ("LOCATION", Locations),
    ("SOFTWARE_LICENSE", SoftwareLicenses),
];

const PAGE_SIZE_DEFAULT: usize = 100;

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getAssetRelationships" => Ok(page(call, existing(world), "relationId")),
        "getAssetRelationshipsByEntity" => of_entity(call, world),
        "getAssetRelationshipTypes" => Ok(page(call, world.all(AssetRelationshipTypes), "id")),
        "createAssetRelationshipType" => create_type(call, world),
        "createAssetRelationship" => create_each(call, world),
        "deleteAssetRelationship" => delete(call, world),
        _ => return None,
    })
}

/// Those of which both ends are still there.
fn existing(world: &WorldData) -> impl Iterator<Item = &Record> {
    let is_there = |it: &Record, kind: &str, id: &str| {
        let id = integer(it, id).map(RecordId::from);
        collection(text(it, kind))
            .zip(id)
            .is_some_and(|(of, id)| world.get(of, &id).is_some())
    };
    world.all(AssetRelationships).filter(move |it| {
        is_there(it, "sourceEntityType", "sourceEntityId")
            && is_there(it, "targetEntityType", "targetEntityId")
    })
}

/// `results`, and `pageInfo` with the cursor for `after` if there are more.
fn page<'w>(call: &ApiCall<'_>, all: impl Iterator<Item = &'w Record>, id_member: &str) -> Answer {
    let query = &call.request.query;
    let after = query.number("after").unwrap_or_default();
    let size = query
        .number("pageSize")
        .and_then(|it| usize::try_from(it).ok());
    let size = size.filter(|it| *it > 0).unwrap_or(PAGE_SIZE_DEFAULT);
    let mut rest = all
        .filter(|it| integer(it, id_member).is_some_and(|id| id > after))
        .peekable();
    let results: Vec<&Record> = rest.by_ref().take(size).collect();
    let last = results.last().and_then(|it| integer(it, id_member));
    let next = rest.peek().and(last).map(|it| it.to_string());
    Answer::Value(json!({
        "results": results,
        "pageInfo": {"hasMore": next.is_some(), "nextCursor": next.unwrap_or_default()},
    }))
}

fn collection(entity_type: Option<&str>) -> Option<Collection> {
    let mut known = ENTITIES.iter();
    known
        .find(|(name, _)| Some(*name) == entity_type)
        .map(|(_, of)| *of)
}

fn no_such_type() -> SandboxResponse {
    SandboxResponse::not_found("There is no such entity type")
}

fn of_entity(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let of = collection(call.text_at(0)).ok_or_else(no_such_type)?;
    let id = call.id_of(1, world, of)?.to_value();
    let is_at = |it: &Record, kind: &str, member: &str| {
        collection(text(it, kind)) == Some(of) && it.get(member) == Some(&id)
    };
    let own = existing(world).filter(|it| {
        is_at(it, "sourceEntityType", "sourceEntityId")
            || is_at(it, "targetEntityType", "targetEntityId")
    });
    Ok(page(call, own, "relationId"))
}

fn create_type(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let defaults = record(json!({"name": "Related to", "inverseName": "Related to"}));
    records::create(call, world, AssetRelationshipTypes, defaults)
}

/// One or a list of them: clients were seen to send either.
fn create_each(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let bodies = match &call.body {
        Value::Array(bodies) => bodies.clone(),
        body => vec![body.clone()],
    };
    let mut created = Vec::new();
    for body in bodies {
        let relationship = understood(world, &record(body))?;
        created.push(world.create(AssetRelationships, relationship)?);
    }
    Ok(Answer::list(created))
}

/// The members under their names here, with both ends found.
fn understood(world: &WorldData, body: &Record) -> Result<Record, SandboxResponse> {
    let number = |names: [&str; 2]| names.into_iter().find_map(|name| integer(body, name));
    let kind = |names: [&str; 2]| {
        let known = names.into_iter().find_map(|name| text(body, name));
        known.unwrap_or("DEVICE").to_owned()
    };
    let relationship_type = number(["relationshipTypeId", "typeId"]).unwrap_or(1);
    let known = world.get(AssetRelationshipTypes, &RecordId::from(relationship_type));
    let known = known.ok_or_else(|| unknown_in_body(AssetRelationshipTypes))?;
    let relationship = record(json!({
        "relationshipTypeId": relationship_type,
        "relationshipTypeName": known.get("name"),
        "sourceEntityType": kind(["sourceEntityType", "entityType"]),
        "sourceEntityId": number(["sourceEntityId", "entityId"]),
        "targetEntityType": kind(["targetEntityType", "relEntityType"]),
        "targetEntityId": number(["targetEntityId", "relEntityId"]),
        "createTime": world.now(),
    }));
    for (kind, id) in [
        ("sourceEntityType", "sourceEntityId"),
        ("targetEntityType", "targetEntityId"),
    ] {
        let of = collection(text(&relationship, kind));
        let of = of.ok_or_else(|| bad_request("There is no such entity type"))?;
        let id = integer(&relationship, id).map(RecordId::from);
        if id.is_none_or(|id| world.get(of, &id).is_none()) {
            return Err(unknown_in_body(of));
        }
    }
    Ok(relationship)
}

/// By `relationId`, or by any number of `id`: clients were seen to send either. Without one there is nothing to delete.
fn delete(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let query = &call.request.query;
    let named = query.all("relationId").chain(query.all("id"));
    let ids: Vec<Value> = named
        .flat_map(|it| it.split(','))
        .map(|it| it.trim().parse::<u64>().map_or(Value::Null, Value::from))
        .collect();
    for id in records::existing(world, AssetRelationships, &ids)? {
        world.remove(AssetRelationships, &id);
    }
    Ok(Answer::Done)
}
