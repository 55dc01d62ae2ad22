//! Every setting in force, and where it comes from.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::names::TenantName;

use super::{
    read::{
        key_path::KeyPath,
        load::LoadedSettings,
        provenance::{Provenance, ProvenanceMap},
        source_file::SourceFile,
    },
    way_out::WayOut,
};

/// Version of the shape of [`to_json`].
const SCHEMA: &str = "config-show/1";

/// Replaces a secret.
const MASK: &str = "•••";
/// Shown part of a digest: enough to tell keys apart.
const SHOWN_DIGEST_BYTES: usize = "sha256:".len() + 8;

/// A setting, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectiveSetting {
    /// `limits.upstream.rate`
    pub setting: String,
    pub value: Value,
    /// `config.toml:12`, `NJP__LISTEN__DRAIN` or `default`.
    pub origin: String,
}

/// What `config show --json` prints and `GET /config` answers.
#[must_use]
pub(crate) fn to_json(settings: &[EffectiveSetting]) -> Value {
    json!({"schema": SCHEMA, "settings": settings})
}

/// `None` if it is not what [`to_json`] makes.
#[must_use]
pub(crate) fn from_json(mut shown: Value) -> Option<Vec<EffectiveSetting>> {
    serde_json::from_value(shown.get_mut("settings")?.take()).ok()
}

/// All settings in the order of the schema, secrets masked and digests of keys shortened.
#[must_use]
pub(crate) fn effective_settings(written: &LoadedSettings) -> Vec<EffectiveSetting> {
    let all = serde_json::to_value(&written.settings).unwrap_or_default();
    let mut settings = Vec::new();
    collect(
        &all,
        &KeyPath::root(),
        &written.provenance,
        &written.files,
        &mut settings,
    );
    settings
}

/// Adds how each tenant is reached, unless `proxy` says so and is in force.
pub(crate) fn add_ways_out<'a>(
    settings: &mut Vec<EffectiveSetting>,
    tenants: impl Iterator<Item = (&'a TenantName, &'a WayOut)>,
) {
    for (tenant, way_out) in tenants {
        let path = KeyPath::from_keys(&["tenant", tenant.as_str()]);
        if way_out.is_as_written() {
            continue;
        }
        let value = match way_out.proxy() {
            Some(proxy) => json!(proxy.to_string()),
            None => json!("none"),
        };
        let added = EffectiveSetting {
            setting: path.child("proxy").to_string(),
            value,
            origin: way_out.source().to_owned(),
        };
        let own = format!("{path}.");
        let last = settings.iter().rposition(|it| it.setting.starts_with(&own));
        settings.insert(last.map_or(settings.len(), |at| at + 1), added);
    }
}

fn collect(
    value: &Value,
    path: &KeyPath,
    provenance: &ProvenanceMap,
    files: &[SourceFile],
    settings: &mut Vec<EffectiveSetting>,
) {
    let last = path.keys().last().map_or("", String::as_str);
    let masked = match last {
        "client_secret" | "password" => mask_reference(value),
        "seal" => mask_references(value),
        "key" if holds_digests(path) => Some(shorten_digests(value)),
        _ => None,
    };
    match (masked, value) {
        (_, Value::Null) => {}
        (Some(value), _) => settings.push(effective_setting(path, value, provenance, files)),
        (None, Value::Object(table)) => {
            for (key, value) in table {
                collect(value, &path.child(key), provenance, files, settings);
            }
        }
        (None, Value::Array(elements)) if elements.iter().any(Value::is_object) => {
            for (index, value) in elements.iter().enumerate() {
                collect(value, &path.element(index), provenance, files, settings);
            }
        }
        (None, value) => settings.push(effective_setting(path, value.clone(), provenance, files)),
    }
}

fn effective_setting(
    path: &KeyPath,
    value: Value,
    provenance: &ProvenanceMap,
    files: &[SourceFile],
) -> EffectiveSetting {
    let origin = provenance
        .get(path)
        .map(|origin| provenance_text(origin, files));
    EffectiveSetting {
        setting: path.to_string(),
        value,
        origin: origin.unwrap_or_else(|| "default".to_owned()),
    }
}

/// `config.toml:12`, or the name of the variable.
#[must_use]
pub(crate) fn provenance_text(origin: &Provenance, files: &[SourceFile]) -> String {
    match origin {
        Provenance::Variable(name) => name.clone(),
        Provenance::File { file, key, .. } => files.get(*file).map_or_else(String::new, |text| {
            format!("{}:{}", text.name, text.position(key.start).line)
        }),
    }
}

/// A listener's `key` is the name of a file.
fn holds_digests(path: &KeyPath) -> bool {
    let section = path.keys().first().map(String::as_str);
    matches!(section, Some("caller" | "admin"))
}

fn mask_references(value: &Value) -> Option<Value> {
    match value.as_array() {
        Some(list) => Some(list.iter().filter_map(mask_reference).collect()),
        None => mask_reference(value),
    }
}

/// Where a secret is kept is not secret, but the arguments of a command may be.
fn mask_reference(value: &Value) -> Option<Value> {
    let table = value.as_object()?;
    let (form, target) = table.iter().find(|(_, target)| !target.is_null())?;
    let target = match target.as_array() {
        Some(command) => command.first().cloned().unwrap_or_default(),
        None => target.clone(),
    };
    Some(json!(format!(
        "{MASK} ({form} {})",
        target.as_str().unwrap_or_default()
    )))
}

fn shorten_digests(value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(shorten_digests).collect(),
        Value::String(text) => match text.get(..SHOWN_DIGEST_BYTES) {
            Some(start) if text.starts_with("sha256:") => json!(format!("{start}…")),
            _ => json!(MASK),
        },
        _ => json!(MASK),
    }
}
