//! Reads settings from the environment: `NJP__LISTEN__DRAIN=5s`.

use toml::{
    Spanned,
    de::{DeArray, DeValue},
};

use ::config::{Map, Value, ValueKind};

use super::{
    diagnostics::{Diagnostics, SourceLocation},
    document_reader::{
        DocumentReader, DocumentSource, INLINE_SECRET, seal_ref_help, secret_ref_help,
    },
    key_path::KeyPath,
    provenance::{Provenance, ProvenanceMap},
    schema::{Schema, Sensitive},
    suggestion::closest_match,
    unsupported,
};

/// The prefix of our variables.
const PREFIX: &str = "NJP__";
/// The separator between the keys of a path.
const SEPARATOR: &str = "__";
/// Longest value of a variable, in bytes.
const VALUE_BYTES_MAX: usize = 64 * 1024;

/// Reads all our variables, one layer each. `provenance` already has what the files set.
pub(in crate::config) fn read(
    environment: &[(String, String)],
    schema: &Schema,
    provenance: &mut ProvenanceMap,
    diagnostics: &mut Diagnostics,
) -> Vec<Map<String, Value>> {
    let mut ours: Vec<_> = environment
        .iter()
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    ours.sort();
    let mut layers = Vec::new();
    for (name, text) in ours {
        if let Some(layer) = read_variable(name, text, schema, provenance, diagnostics) {
            layers.push(layer);
        }
    }
    layers
}

fn read_variable(
    name: &str,
    text: &str,
    schema: &Schema,
    provenance: &mut ProvenanceMap,
    diagnostics: &mut Diagnostics,
) -> Option<Map<String, Value>> {
    let (path, schema, secret) = resolve_path(name, schema, provenance, diagnostics)?;
    if text.len() > VALUE_BYTES_MAX {
        let message = format!("the value is longer than {VALUE_BYTES_MAX} bytes");
        diagnostics.error(SourceLocation::Named(name.to_owned()), message, None);
        return None;
    }
    let owned = match parse_value(text, schema) {
        Ok(value) => value,
        Err(message) => {
            let (message, hint) = match secret {
                Some(Sensitive::ClientSecret) => {
                    (INLINE_SECRET.to_owned(), Some(secret_ref_help()))
                }
                Some(Sensitive::Seal) => (INLINE_SECRET.to_owned(), Some(seal_ref_help())),
                _ => (message, None),
            };
            diagnostics.error(SourceLocation::Named(name.to_owned()), message, hint);
            return None;
        }
    };
    if !matches!(schema, Schema::Table(_) | Schema::Map { .. }) {
        provenance.remove_descendants(&path);
    }
    for depth in 1..=path.keys().len() {
        let keys: Vec<&str> = path.keys().iter().take(depth).map(String::as_str).collect();
        let ancestor = KeyPath::from_keys(&keys);
        if ancestor == path || !provenance.contains(&ancestor) {
            provenance.insert(ancestor, Provenance::Variable(name.to_owned()));
        }
    }
    let mut reader = DocumentReader {
        document: DocumentSource::Variable(name.to_owned()),
        provenance,
        diagnostics,
        redacted: Vec::new(),
    };
    let value = reader.value(&owned, schema, &path)?;
    nest(path.keys(), value)
}

/// `{ a = { b = value } }` for the path `a.b`.
fn nest(keys: &[String], value: Value) -> Option<Map<String, Value>> {
    let (first, rest) = keys.split_first()?;
    let inner = match rest {
        [] => value,
        _ => Value::new(None, ValueKind::Table(nest(rest, value)?)),
    };
    Some(Map::from_iter([(first.clone(), inner)]))
}

/// Resolves a variable's name to a setting.
fn resolve_path<'s>(
    name: &str,
    top: &'s Schema,
    provenance: &ProvenanceMap,
    diagnostics: &mut Diagnostics,
) -> Option<(KeyPath, &'s Schema, Option<Sensitive>)> {
    let at = || SourceLocation::Named(name.to_owned());
    let mut path = KeyPath::root();
    let mut schema = top;
    let mut secret = None;
    for part in name.trim_start_matches(PREFIX).split(SEPARATOR) {
        let key = part.to_lowercase();
        match schema {
            Schema::Table(keys) => {
                let Some(known) = schema.key(&key) else {
                    report_unknown(
                        name,
                        &path.child(&key),
                        keys.iter().map(|it| it.name.as_str()),
                        diagnostics,
                    );
                    return None;
                };
                path = path.child(&known.name);
                schema = &known.schema;
                secret = known.sensitive;
            }
            Schema::Map { each, what } => match provenance.resolve_name(&path, part) {
                Ok(found) => {
                    path = path.child(&found.unwrap_or(key));
                    schema = each;
                }
                Err(several) => {
                    let message = format!("this may mean {what} called {}", several.join(" or "));
                    diagnostics.error(at(), message, Some("set it in a file instead".into()));
                    return None;
                }
            },
            _ => {
                let message = format!("`{path}` has no settings below it");
                diagnostics.error(at(), message, None);
                return None;
            }
        }
    }
    Some((path, schema, secret))
}

fn report_unknown<'a>(
    name: &str,
    path: &KeyPath,
    known: impl Iterator<Item = &'a str>,
    diagnostics: &mut Diagnostics,
) {
    let at = SourceLocation::Named(name.to_owned());
    if let Some(message) = unsupported::unsupported_message(path.keys(), &path.to_string()) {
        diagnostics.error(at, message, None);
        return;
    }
    let last = path.keys().last().map_or("", String::as_str);
    let parent = path.parent().unwrap_or_default();
    let hint =
        closest_match(last, known).map(|meant| format!("did you mean `{}`?", parent.child(meant)));
    diagnostics.error(at, format!("there is no setting `{path}`"), hint);
}

/// Parses the text as a TOML value of the kind that the setting takes.
fn parse_value<'t>(text: &'t str, schema: &Schema) -> Result<Spanned<DeValue<'t>>, String> {
    let trimmed = text.trim();
    let is_toml = match schema {
        Schema::Text | Schema::Date | Schema::Enum(_) => false,
        Schema::Integer { .. } | Schema::Boolean | Schema::Table(_) | Schema::Map { .. } => true,
        Schema::List(_) | Schema::OneOf(_) => trimmed.starts_with(['[', '{']),
    };
    let span = 0..text.len();
    if is_toml {
        return DeValue::parse(trimmed).map_err(|_| format!("expected {}", schema.expected()));
    }
    let value = match schema {
        Schema::List(_) => DeValue::Array(comma_list(text)),
        _ => DeValue::String(text.into()),
    };
    Ok(Spanned::new(span, value))
}

fn comma_list(text: &str) -> DeArray<'_> {
    let mut list = DeArray::new();
    let parts = text.split(',').map(str::trim);
    for part in parts.filter(|part| !part.is_empty()) {
        list.push(Spanned::new(0..0, DeValue::String(part.into())));
    }
    list
}
