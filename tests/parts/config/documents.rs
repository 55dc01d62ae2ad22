//! The commented configuration and the schema agree with the types.

use std::fs;

use ninjaone_proxy::config::{
    read::{json_schema::json_schema, load, schema::Schema},
    settings::Settings,
};
use serde_json::{Value, json};

use super::{House, is_blessing};

const TEMPLATE: &str = "config/ninjaone-proxy.toml";
const SCHEMA: &str = "config/schema.json";

fn template() -> String {
    fs::read_to_string(TEMPLATE).unwrap()
}

/// A line that begins with `#` and no space is a setting that is switched off.
fn with_examples() -> String {
    let lines = template();
    let switched_on = lines.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => rest,
        _ => line,
    });
    switched_on.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_commented_configuration_loads_as_it_is() {
    let house = House::new(&template());
    assert_eq!(
        house.warnings(),
        ["there is no tenant, so nothing can be reached"]
    );
}

#[test]
fn the_commented_configuration_loads_with_its_examples() {
    let house = House::new(&with_examples());
    house.write_mode("acme-user.secret", "a secret for tests\n", 0o600);
    house.write_mode("store.key", (0..32).collect::<Vec<u8>>(), 0o600);
    let config = house.accepted();
    assert_eq!(
        (
            config.tenants.len(),
            config.callers.len(),
            config.operations.len()
        ),
        (1, 1, 1)
    );
    assert_eq!(house.warnings(), [""; 0]);
}

#[test]
fn the_commented_configuration_holds_the_defaults() {
    let house = House::new(&template());
    let mut written = serde_json::to_value(load::read(&house.sources()).settings).unwrap();
    // Given as numbers, so that people see them; without them the rate decides.
    written["limits"]["upstream"]["burst"] = Value::Null;
    written["limits"]["caller"]["burst"] = Value::Null;
    assert_eq!(written, serde_json::to_value(Settings::default()).unwrap());

    let bare = House::new("").accepted();
    let full = house.accepted();
    assert_eq!(bare.budget, full.budget);
    assert_eq!(full.budget.burst, 20);
}

#[test]
fn every_setting_stands_in_the_commented_configuration() {
    let text = template();
    let mut missing = Vec::new();
    look_for(
        &Schema::from_json_schema(&json_schema()),
        &text,
        &mut missing,
    );
    assert!(missing.is_empty(), "{missing:?}");
}

fn look_for(shape: &Schema, text: &str, missing: &mut Vec<String>) {
    match shape {
        Schema::Table(keys) => {
            for key in keys {
                let name = &key.name;
                let forms = [
                    format!("{name} ="),
                    format!("[{name}]"),
                    format!("[{name}."),
                    format!(".{name}]"),
                ];
                if !forms.iter().any(|form| text.contains(form)) {
                    missing.push(name.clone());
                }
                look_for(&key.schema, text, missing);
            }
        }
        Schema::Map { each, .. } | Schema::List(each) => look_for(each, text, missing),
        Schema::OneOf(shapes) => shapes
            .iter()
            .for_each(|shape| look_for(shape, text, missing)),
        _ => {}
    }
}

/// `BLESS=1` writes it.
#[test]
fn the_schema_file_is_what_the_types_say() {
    let schema = serde_json::to_string_pretty(&json_schema()).unwrap() + "\n";
    if is_blessing() {
        fs::write(SCHEMA, &schema).unwrap();
    }
    assert_eq!(fs::read_to_string(SCHEMA).unwrap_or_default(), schema);
}

#[test]
fn the_schema_knows_no_null_and_no_other_keys() {
    let text = json_schema().to_string();
    assert!(!text.contains("null"), "{text}");
    assert!(!text.contains("uint"), "{text}");
    assert_eq!(json_schema()["additionalProperties"], json!(false));
}
