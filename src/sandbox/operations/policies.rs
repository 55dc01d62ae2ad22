//! Policies and their conditions.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, bad_request, no_such},
    call::ApiCall,
    response::SandboxResponse,
    world::{Collection, Record, RecordId, WorldData, integer, record, text},
};

use super::{activities::record_change, records};

use Collection::{Policies, PolicyConditions};

/// A condition on the value of custom fields, with what all of them are called.
const FIELDS: (&str, &str) = ("custom-fields", "CONDITION_CUSTOM_FIELD");

/// A condition on Windows events.
const EVENTS: (&str, &str) = ("windows-event", "CONDITION_WINDOWS_EVENT_LOG_TRIGGERED");

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getPolicies" => records::list(call, world, Policies),
        "createPolicy" => create(call, world),
        "getCustomFieldsPolicyConditions" => conditions(call, world, FIELDS.0),
        "getWindowsEventPolicyConditions" => conditions(call, world, EVENTS.0),
        "createCustomFieldsPolicyCondition" => create_condition(call, world, FIELDS),
        "createWindowsEventPolicyCondition" => create_condition(call, world, EVENTS),
        "getCustomFieldsPolicyCondition" => read_condition(call, world, FIELDS.0),
        "getWindowsEventPolicyCondition" => read_condition(call, world, EVENTS.0),
        "deletePolicyCondition" => delete_condition(call, world),
        _ => return None,
    })
}

/// `NEW` has no template, `CHILD` is below it, `COPY` has its class, parent and conditions.
fn create(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let mode = call.query("mode").unwrap_or("NEW");
    if !["NEW", "CHILD", "COPY"].contains(&mode) {
        return Err(bad_request("The mode is NEW, CHILD or COPY"));
    }
    let mut body = call.members();
    let template = match call.request.query.number("templatePolicyId") {
        Some(id) => Some(policy(world, id)?.clone()),
        None => None,
    };
    if let Some(parent) = integer(&body, "parentPolicyId") {
        policy(world, parent)?;
    }
    let mut defaults = record(json!({
        "nodeClass": "WINDOWS_WORKSTATION",
        "nodeClassDefault": false,
        "updated": world.now(),
    }));
    if let Some(template) = &template {
        defaults.extend(
            template
                .get("nodeClass")
                .map(|it| ("nodeClass".to_owned(), it.clone())),
        );
        let parent = match mode {
            "CHILD" => template.get("id"),
            "COPY" => template.get("parentPolicyId"),
            _ => None,
        };
        defaults.extend(parent.map(|it| ("parentPolicyId".to_owned(), it.clone())));
    } else if mode != "NEW" && !body.contains_key("parentPolicyId") {
        return Err(bad_request("templatePolicyId is missing"));
    }
    body.remove("updated");
    let created = records::create_from(world, Policies, body, defaults)?;
    if let Some(template) = template.filter(|_| mode == "COPY") {
        copy_conditions(world, &template, &created)?;
    }
    let name = text(&created, "name").unwrap_or_default();
    record_change(call, world, "POLICY_CREATED", name, None);
    Ok(Answer::Value(Value::Object(created)))
}

fn policy(world: &WorldData, id: u64) -> Result<&Record, SandboxResponse> {
    world
        .get(Policies, &RecordId::from(id))
        .ok_or_else(|| bad_request("There is no such policy"))
}

fn copy_conditions(
    world: &mut WorldData,
    from: &Record,
    to: &Record,
) -> Result<(), SandboxResponse> {
    let copies: Vec<Record> = world
        .all(PolicyConditions)
        .filter(|it| it.get("policyId") == from.get("id"))
        .cloned()
        .collect();
    for mut copy in copies {
        copy.extend(to.get("id").map(|it| ("policyId".to_owned(), it.clone())));
        world.create(PolicyConditions, copy)?;
    }
    Ok(())
}

/// With where it comes from: each is the policy's own.
fn shown(condition: &Record) -> Value {
    let mut condition = condition.clone();
    let source = condition.get("policyId").cloned();
    condition.insert(
        "inheritance".to_owned(),
        json!({"inherited": false, "overridden": false, "sourcePolicyId": source}),
    );
    Value::Object(condition)
}

fn conditions(call: &ApiCall<'_>, world: &WorldData, kind: &str) -> Answered {
    let policy = integer(call.record_of(0, world, Policies)?, "id");
    let own = world
        .all(PolicyConditions)
        .filter(|it| integer(it, "policyId") == policy && text(it, "kind") == Some(kind));
    Ok(Answer::list(own.map(shown)))
}

fn create_condition(
    call: &ApiCall<'_>,
    world: &mut WorldData,
    (kind, name): (&str, &str),
) -> Answered {
    let policy = call.id_of(0, world, Policies)?.to_value();
    let mut body = call.members();
    body.insert("policyId".to_owned(), policy);
    body.insert("kind".to_owned(), kind.into());
    let defaults = record(json!({"conditionName": name, "displayName": name, "enabled": true}));
    let created = records::create_from(world, PolicyConditions, body, defaults)?;
    Ok(Answer::Value(shown(&created)))
}

/// A condition of the policy in the path, of a kind if one is given.
fn condition_of<'w>(
    call: &ApiCall<'_>,
    world: &'w WorldData,
    kind: Option<&str>,
) -> Result<&'w Record, SandboxResponse> {
    let policy = integer(call.record_of(0, world, Policies)?, "id");
    let condition = call.record_of(1, world, PolicyConditions)?;
    let fits = integer(condition, "policyId") == policy
        && kind.is_none_or(|kind| text(condition, "kind") == Some(kind));
    if fits {
        Ok(condition)
    } else {
        Err(no_such(PolicyConditions))
    }
}

fn read_condition(call: &ApiCall<'_>, world: &WorldData, kind: &str) -> Answered {
    condition_of(call, world, Some(kind)).map(|it| Answer::Value(shown(it)))
}

fn delete_condition(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    condition_of(call, world, None)?;
    let id = call.id_of(1, world, PolicyConditions)?;
    world.remove(PolicyConditions, &id);
    Ok(Answer::Done)
}
