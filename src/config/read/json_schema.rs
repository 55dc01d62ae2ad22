//! Generates the JSON Schema of the configuration file from the types of `settings`.

use schemars::{Schema, generate::SchemaSettings, transform::transform_subschemas};
use serde_json::Value;

use crate::config::settings::Settings;

/// The JSON Schema, for editors and for the reader.
#[must_use]
pub fn json_schema() -> Value {
    let generator = SchemaSettings::draft2020_12()
        .with_transform(without_null)
        .with_transform(with_required)
        .into_generator();
    let schema = generator.into_root_schema_for::<Settings>();
    let mut value = schema.to_value();
    if let Some(top) = value.as_object_mut() {
        top.insert("title".into(), "ninjaone-proxy configuration".into());
    }
    value
}

/// Removes `null`, which TOML does not have: an optional setting is just not required.
fn without_null(schema: &mut Schema) {
    if let Some(top) = schema.as_object_mut() {
        match top.get_mut("default") {
            Some(Value::Null) => {
                top.remove("default");
            }
            Some(default) => drop_nulls(default),
            None => {}
        }
        if let Some(Value::Array(kinds)) = top.get_mut("type") {
            kinds.retain(|kind| kind != "null");
            if let [only] = kinds.as_slice() {
                let only = only.clone();
                top.insert("type".into(), only);
            }
        }
        if let Some(Value::Array(choices)) = top.get_mut("anyOf") {
            choices.retain(|choice| choice.get("type") != Some(&Value::from("null")));
            if let [Value::Object(only)] = choices.as_slice() {
                let only = only.clone();
                top.remove("anyOf");
                top.extend(only);
            }
        }
        // `uint32` is not a format of JSON Schema.
        if top.get("type") == Some(&Value::from("integer")) {
            top.remove("format");
        }
    }
    transform_subschemas(&mut without_null, schema);
}

fn drop_nulls(value: &mut Value) {
    if let Some(table) = value.as_object_mut() {
        table.retain(|_, value| !value.is_null());
        table.values_mut().for_each(drop_nulls);
    }
}

/// In the Rust types every setting is optional, so that all that are missing are reported at once. The schema says which
/// are required.
fn with_required(schema: &mut Schema) {
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        let mut required = Vec::new();
        for (name, property) in properties {
            let mark = property
                .as_object_mut()
                .and_then(|it| it.remove("x-required"));
            if mark.is_some() {
                required.push(Value::from(name.as_str()));
            }
        }
        if !required.is_empty() {
            schema.insert("required".into(), required.into());
        }
    }
    transform_subschemas(&mut with_required, schema);
}
