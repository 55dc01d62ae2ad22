//! Custom tabs of devices by role, of organizations, of end users, and of everything.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, no_such, unknown_in_body},
    call::ApiCall,
    response::SandboxResponse,
    world::{Collection, Record, RecordId, WorldData, integer, record, text},
};

use super::{files::numbers, query_filters::is_true, records};

use Collection::{CustomFields, CustomTabs, NodeRoles};

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getCustomTabPublicApi" => call
            .record_of(0, world, CustomTabs)
            .map(|it| Answer::Value(shown(world, it))),
        "createCustomTabPublicApi" => create(call, world),
        "updateCustomTabPublicApi" => update(call, world),
        "renameCustomTabPublicApi" => rename(call, world),
        "deleteCustomTabPublicApi" => delete(call, world),
        "getTabHierarchyForEndUser" | "getTabHierarchyForOrganization" => {
            hierarchy(call, world, None)
        }
        "getTabHierarchyForRole" => call
            .id_of(1, world, NodeRoles)
            .and_then(|role| hierarchy(call, world, Some(&role))),
        "getTabSummaryForEndUser" => Ok(summary(world, "END_USER", None)),
        "getTabSummaryForOrganization" => Ok(summary(world, "ORGANIZATION", None)),
        "getTabSummaryForGlobal" => Ok(summary(world, "SYSTEM", None)),
        "getTabSummaryForRole" => call
            .id_of(0, world, NodeRoles)
            .map(|role| summary(world, "NODE_ROLE", Some(&role))),
        "updateCustomTabsDisplay" => show_or_hide(call, world),
        "updateEndUserCustomTabsOrder"
        | "updateGlobalCustomTabsOrder"
        | "updateOrganizationCustomTabsOrder" => order(call, world),
        "updateRoleCustomTabsOrder" => call
            .id_of(0, world, NodeRoles)
            .and_then(|_| order(call, world)),
        _ => return None,
    })
}

/// An item that is a custom field shows what is known of the field.
fn shown(world: &WorldData, tab: &Record) -> Value {
    let items = tab.get("items").and_then(Value::as_array);
    let items: Vec<Value> = items
        .into_iter()
        .flatten()
        .map(|item| {
            let name = item["name"].as_str().unwrap_or_default();
            let field = world.get(CustomFields, &RecordId::from(name));
            let mut whole = field.cloned().unwrap_or_default();
            for (member, of) in [
                ("fieldName", "name"),
                ("attributeType", "type"),
                ("attributeScope", "scope"),
            ] {
                if let Some(value) = whole.get(of).cloned() {
                    whole.insert(member.to_owned(), value);
                }
            }
            whole.extend(record(item.clone()));
            Value::Object(whole)
        })
        .collect();
    let is_default = is_true(tab, "default");
    let mut shown = tab.clone();
    shown.extend(record(json!({"items": items, "isDefault": is_default})));
    Value::Object(shown)
}

/// A tab of a device role if the body does not say whose it is.
fn create(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let body = call.members();
    let of_role = text(&body, "entityType").is_none_or(|it| it == "NODE_ROLE");
    if of_role {
        check_role(world, integer(&body, "entityId"))?;
    }
    let defaults = record(json!({
        "entityType": "NODE_ROLE",
        "default": false,
        "position": world.count(CustomTabs) + 1,
        "items": [],
    }));
    let tab = records::create_from(world, CustomTabs, body, defaults)?;
    Ok(Answer::Value(shown(world, &tab)))
}

fn check_role(world: &WorldData, role: Option<u64>) -> Result<(), SandboxResponse> {
    match role.map(RecordId::from) {
        Some(role) if world.get(NodeRoles, &role).is_some() => Ok(()),
        _ => Err(no_such(NodeRoles)),
    }
}

/// With a role other than its own: an extension of the tab for that role, which is a tab below it.
fn update(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = call.id_of(0, world, CustomTabs)?;
    let tab = call.record_of(0, world, CustomTabs)?.clone();
    let mut body = call.members();
    let role = body.remove("roleId").and_then(|it| it.as_u64());
    let is_own = text(&tab, "entityType") == Some("NODE_ROLE") && integer(&tab, "entityId") == role;
    let Some(role) = role.filter(|_| !is_own) else {
        records::update_from(world, CustomTabs, &id, body)?;
        return Ok(Answer::Done);
    };
    check_role(world, Some(role))?;
    let known = extensions(world, &id).find(|it| integer(it, "entityId") == Some(role));
    if let Some(known) = known.and_then(|it| integer(it, "id")) {
        records::update_from(world, CustomTabs, &RecordId::from(known), body)?;
        return Ok(Answer::Done);
    }
    let mut extension = tab;
    extension.extend(record(json!({
        "parentTabId": id.to_value(),
        "entityType": "NODE_ROLE",
        "entityId": role,
        "default": false,
        "items": [],
    })));
    records::create_from(world, CustomTabs, body, extension)?;
    Ok(Answer::Done)
}

fn extensions<'w>(world: &'w WorldData, tab: &RecordId) -> impl Iterator<Item = &'w Record> {
    let tab = tab.to_value();
    world
        .all(CustomTabs)
        .filter(move |it| it.get("parentTabId") == Some(&tab))
}

fn rename(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let mut body = call.members();
    let id = body.remove("tabId").and_then(|it| it.as_u64());
    let id = id
        .map(RecordId::from)
        .ok_or_else(|| unknown_in_body(CustomTabs))?;
    records::update_from(world, CustomTabs, &id, body).map(|_| Answer::Done)
}

/// Its extensions go with it.
fn delete(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = call.id_of(0, world, CustomTabs)?;
    let below: Vec<RecordId> = extensions(world, &id)
        .filter_map(|it| integer(it, "id").map(RecordId::from))
        .collect();
    for id in below.iter().chain([&id]) {
        world.remove(CustomTabs, id);
    }
    Ok(Answer::Done)
}

/// The tab, and what extends it for the role or for one that the role is made from.
fn hierarchy(call: &ApiCall<'_>, world: &WorldData, role: Option<&RecordId>) -> Answered {
    let id = call.id_of(0, world, CustomTabs)?;
    let tab = call.record_of(0, world, CustomTabs)?;
    let roles = role.map(|role| ancestry(world, role));
    let extending = extensions(world, &id).filter(|it| {
        roles
            .as_ref()
            .is_none_or(|roles| integer(it, "entityId").is_some_and(|it| roles.contains(&it)))
    });
    let tabs: Vec<Value> = [tab]
        .into_iter()
        .chain(extending)
        .map(|it| shown(world, it))
        .collect();
    Ok(Answer::Value(json!({ "tabs": tabs })))
}

/// The role, and those that it is made from, nearest first.
fn ancestry(world: &WorldData, role: &RecordId) -> Vec<u64> {
    const GENERATIONS_MAX: usize = 16;
    let mut roles = Vec::new();
    let mut next = world.get(NodeRoles, role);
    while let Some(role) = next
        && roles.len() < GENERATIONS_MAX
    {
        roles.extend(integer(role, "id"));
        next = integer(role, "nodeRoleParentId")
            .and_then(|id| world.get(NodeRoles, &RecordId::from(id)));
    }
    roles
}

/// The tabs that a view has, in their order: a device's also has those of everything.
fn summary(world: &WorldData, entity_type: &str, role: Option<&RecordId>) -> Answer {
    let roles = role.map(|role| ancestry(world, role));
    let is_of_role = |tab: &Record| {
        let roles = roles.as_deref().unwrap_or_default();
        integer(tab, "entityId").is_some_and(|it| roles.contains(&it))
    };
    let mut tabs: Vec<&Record> = world
        .all(CustomTabs)
        .filter(|it| !it.contains_key("parentTabId"))
        .filter(|it| match text(it, "entityType") {
            Some("NODE_ROLE") => entity_type == "NODE_ROLE" && is_of_role(it),
            Some("SYSTEM") => roles.is_some() || entity_type == "SYSTEM",
            other => other == Some(entity_type),
        })
        .collect();
    tabs.sort_by_key(|it| integer(it, "position"));
    let labels: Vec<Value> = tabs.into_iter().map(label).collect();
    Answer::Value(json!({"labels": labels, "roleHierarchy": roles.unwrap_or_default()}))
}

fn label(tab: &Record) -> Value {
    let mut label = tab.clone();
    if text(tab, "entityType") == Some("NODE_ROLE") {
        let role = tab.get("entityId").cloned().unwrap_or_default();
        label.insert("nodeRoleId".to_owned(), role);
    }
    Value::Object(label)
}

fn tab_ids(call: &ApiCall<'_>, world: &WorldData) -> Result<Vec<RecordId>, SandboxResponse> {
    let ids: Vec<Value> = call.items().iter().map(|it| it["tabId"].clone()).collect();
    records::existing(world, CustomTabs, &ids)
}

fn show_or_hide(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    call.record_of(0, world, NodeRoles)?;
    let role: u64 = call
        .text_at(0)
        .and_then(|it| it.parse().ok())
        .unwrap_or_default();
    for (id, item) in tab_ids(call, world)?.iter().zip(call.items()) {
        if let Some(tab) = world.get_mut(CustomTabs, id) {
            let mut roles = numbers(tab, "hiddenForRoles");
            roles.retain(|it| *it != role);
            if item["hidden"] == true {
                roles.push(role);
            }
            tab.insert("hiddenForRoles".to_owned(), roles.into());
        }
    }
    Ok(Answer::Done)
}

fn order(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    for (id, item) in tab_ids(call, world)?.iter().zip(call.items()) {
        let changes = record(json!({"position": item["position"]}));
        records::update_from(world, CustomTabs, id, changes)?;
    }
    Ok(Answer::Done)
}
