//! One sample response for each operation without a better one: the members of its schema, filled with sample values.

use std::{collections::HashMap, sync::LazyLock};

use http::StatusCode;
use serde_json::Value;

use crate::ninjaone::{
    catalogue::PathParameters,
    operation::{Operation, ParameterKind},
};

use super::response::SandboxResponse;

/// Operation id, tab, JSON. An operation without a row gets 204.
const TABLE: &str = include_str!("samples.tsv");

static BY_ID: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
    TABLE
        .lines()
        .filter_map(|row| row.split_once('\t'))
        .collect()
});

/// The sample of an operation.
pub(super) fn sample(id: &str) -> Option<Value> {
    serde_json::from_str(BY_ID.get(id)?).ok()
}

/// The sample as a response. An object with an `id` gets the one at the end of the path.
pub(super) fn respond(operation: &Operation, parameters: &PathParameters) -> SandboxResponse {
    let Some(mut value) = sample(&operation.id) else {
        return SandboxResponse::no_content();
    };
    if let Some(id) = asked_id(operation, parameters)
        && let Some(member) = value.get_mut("id")
    {
        *member = id.into();
    }
    SandboxResponse::json(StatusCode::OK, &value)
}

fn asked_id(operation: &Operation, parameters: &PathParameters) -> Option<i64> {
    let last = operation.parameters.last()?;
    if last.kind != ParameterKind::Integer || !operation.template.ends_with('}') {
        return None;
    }
    parameters.values().last()?.parse().ok()
}
