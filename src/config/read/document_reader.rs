//! One pass over a parsed document: checks every key and kind of value against the schema, records the location of every
//! key, and passes on what is valid.

use std::ops::Range;

use ::config::{Map, Value, ValueKind};
use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue},
};

use super::{
    diagnostics::{Diagnostics, SourceLocation},
    key_path::KeyPath,
    provenance::{Provenance, ProvenanceMap},
    schema::{Schema, SchemaKey, Sensitive, choice_list},
    source_file::SECRET_WORDS,
    suggestion::{closest_match, synonym},
    unsupported,
};

/// The message about an inline secret.
pub(in crate::config) const INLINE_SECRET: &str =
    "a secret must not stand in the configuration itself";

/// What a document comes from.
#[derive(Debug, Clone)]
pub(in crate::config) enum DocumentSource {
    /// Index in the list of files.
    File(usize),
    /// An environment variable, by its name.
    Variable(String),
}

/// Reads one document.
pub(in crate::config) struct DocumentReader<'a> {
    pub(in crate::config) document: DocumentSource,
    pub(in crate::config) provenance: &'a mut ProvenanceMap,
    pub(in crate::config) diagnostics: &'a mut Diagnostics,
    /// Bytes of the document that must not be shown.
    pub(in crate::config) redacted: Vec<Range<usize>>,
}

impl DocumentReader<'_> {
    /// Reads a table. What is wrong is reported and left out.
    pub(in crate::config) fn table(
        &mut self,
        table: &DeTable<'_>,
        schema: &Schema,
        path: &KeyPath,
    ) -> Map<String, Value> {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut map = Map::new();
        for (key, value) in entries {
            let name: &str = key.get_ref();
            let below = path.child(name);
            self.record_provenance(below.clone(), key.span(), value.span());
            if let Some(value) = self.entry(name, &key.span(), value, schema, &below) {
                map.insert(name.to_owned(), value);
            }
        }
        map
    }

    fn entry(
        &mut self,
        name: &str,
        span: &Range<usize>,
        value: &Spanned<DeValue<'_>>,
        schema: &Schema,
        path: &KeyPath,
    ) -> Option<Value> {
        match schema {
            Schema::Map { each, .. } => self.value(value, each, path),
            Schema::Table(keys) => {
                if let Some(key) = schema.key(name) {
                    return self.known_key(key, value, path);
                }
                self.unknown_key(name, span.clone(), keys, path);
                self.redact_unknown(name, value, keys);
                None
            }
            _ => None,
        }
    }

    fn known_key(
        &mut self,
        key: &SchemaKey,
        value: &Spanned<DeValue<'_>>,
        path: &KeyPath,
    ) -> Option<Value> {
        match key.sensitive {
            Some(Sensitive::ClientSecret) if !value.get_ref().is_table() => {
                return self.inline_secret(value, secret_ref_help());
            }
            Some(Sensitive::Seal) if !is_seal(value.get_ref()) => {
                return self.inline_secret(value, seal_ref_help());
            }
            Some(Sensitive::OutgoingProxy) if !is_outgoing_proxy(value.get_ref()) => {
                self.redact_texts(value);
            }
            Some(Sensitive::CallerKey) => self.redact_plaintext_keys(value),
            _ => {}
        }
        self.value(value, &key.schema, path)
    }

    /// Reports an inline secret and redacts it.
    fn inline_secret(&mut self, value: &Spanned<DeValue<'_>>, forms: String) -> Option<Value> {
        self.redact_texts(value);
        self.diagnostics
            .error(self.at(value.span()), INLINE_SECRET, Some(forms));
        None
    }

    fn unknown_key(&mut self, name: &str, span: Range<usize>, keys: &[SchemaKey], path: &KeyPath) {
        let provenance = self.provenance_of(span.clone(), span.clone());
        let at = self.at(span);
        if let Some(message) = unsupported::unsupported_message(path.keys(), name) {
            self.diagnostics.error(at, message, None);
            return;
        }
        let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
        let meant = closest_match(name, names.iter().copied());
        let meant = meant.or_else(|| synonym(name, &names));
        let hint = meant.map_or_else(
            || format!("settings here: {}", names.join(", ")),
            |meant| format!("did you mean `{meant}`?"),
        );
        if let Some(table) = path.parent() {
            self.provenance.insert_unknown(table, meant, provenance);
        }
        let message = match path.parent() {
            Some(parent) if parent != KeyPath::root() => {
                format!("there is no setting `{name}` in `{parent}`")
            }
            _ => format!("there is no setting `{name}`"),
        };
        self.diagnostics.error(at, message, Some(hint));
    }

    /// Reads a value. If it is wrong, reports that and gives `None`.
    pub(in crate::config) fn value(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        schema: &Schema,
        path: &KeyPath,
    ) -> Option<Value> {
        let kind = match (schema, value.get_ref()) {
            (Schema::Table(_) | Schema::Map { .. }, DeValue::Table(table)) => {
                ValueKind::Table(self.table(table, schema, path))
            }
            (Schema::List(each), DeValue::Array(_)) => self.list(value, each, path)?,
            (Schema::Text | Schema::Date, DeValue::String(text)) => {
                ValueKind::String(text.clone().into_owned())
            }
            (Schema::Date, DeValue::Datetime(moment)) => ValueKind::String(moment.to_string()),
            (Schema::Boolean, DeValue::Boolean(truth)) => ValueKind::Boolean(*truth),
            (Schema::Integer { least, most }, DeValue::Integer(digits)) => {
                let whole = i64::from_str_radix(digits.as_str(), digits.radix()).ok();
                let Some(whole) = whole.filter(|whole| (*least..=*most).contains(whole)) else {
                    let message =
                        format!("expected {}, found {}", schema.expected(), digits.as_str());
                    self.diagnostics.error(self.at(value.span()), message, None);
                    return None;
                };
                ValueKind::I64(whole)
            }
            (Schema::Enum(choices), DeValue::String(text)) => {
                self.choice(text, choices, value.span())?
            }
            (Schema::OneOf(schemas), found) => {
                if let Some(fitting) = schemas.iter().find(|schema| accepts(schema, found)) {
                    return self.value(value, fitting, path);
                }
                self.wrong_kind(value, schema);
                return None;
            }
            _ => {
                self.wrong_kind(value, schema);
                return None;
            }
        };
        Some(Value::new(None, kind))
    }

    fn list(
        &mut self,
        list: &Spanned<DeValue<'_>>,
        each: &Schema,
        path: &KeyPath,
    ) -> Option<ValueKind> {
        let elements = list.get_ref().as_array()?;
        let mut values = Vec::new();
        for (index, element) in elements.iter().enumerate() {
            let below = path.element(index);
            self.record_provenance(below.clone(), element.span(), element.span());
            match self.value(element, each, &below) {
                Some(value) => values.push(value),
                // So that the others keep their indexes.
                None => values.push(placeholder(each)),
            }
        }
        Some(ValueKind::Array(values))
    }

    fn choice(&mut self, text: &str, choices: &[String], span: Range<usize>) -> Option<ValueKind> {
        if choices.iter().any(|choice| choice == text) {
            return Some(ValueKind::String(text.to_owned()));
        }
        let meant = closest_match(text, choices.iter().map(String::as_str));
        let hint = meant.map(|meant| format!("did you mean \"{meant}\"?"));
        let message = format!("expected {}, found \"{text}\"", choice_list(choices));
        self.diagnostics.error(self.at(span), message, hint);
        None
    }

    fn wrong_kind(&mut self, value: &Spanned<DeValue<'_>>, schema: &Schema) {
        let found = value.get_ref();
        let message = format!(
            "expected {}, found {}",
            schema.expected(),
            describe_kind(found)
        );
        let hint = match (schema, found) {
            (Schema::List(_), DeValue::String(_)) => Some("put it in brackets: [\"…\"]"),
            (Schema::Text, DeValue::Integer(_) | DeValue::Float(_)) => {
                Some("put it in quotes: \"…\"")
            }
            (Schema::Boolean, DeValue::String(_)) => Some("write true or false, without quotes"),
            _ => None,
        };
        self.diagnostics
            .error(self.at(value.span()), message, hint.map(str::to_owned));
    }

    fn record_provenance(&mut self, path: KeyPath, key: Range<usize>, value: Range<usize>) {
        let provenance = self.provenance_of(key, value);
        self.provenance.insert(path, provenance);
    }

    fn provenance_of(&self, key: Range<usize>, value: Range<usize>) -> Provenance {
        match &self.document {
            DocumentSource::File(file) => Provenance::File {
                file: *file,
                key,
                value,
            },
            DocumentSource::Variable(name) => Provenance::Variable(name.clone()),
        }
    }

    fn at(&self, bytes: Range<usize>) -> SourceLocation {
        match &self.document {
            DocumentSource::File(file) => SourceLocation::span(*file, bytes),
            DocumentSource::Variable(name) => SourceLocation::Named(name.clone()),
        }
    }

    /// Redacts the value of an unknown key if its name suggests a secret.
    fn redact_unknown(&mut self, name: &str, value: &Spanned<DeValue<'_>>, keys: &[SchemaKey]) {
        let meant = closest_match(name, keys.iter().map(|key| key.name.as_str()));
        let secret = keys.iter().find(|key| Some(key.name.as_str()) == meant);
        if is_secret_name(name) || secret.is_some_and(|key| key.sensitive.is_some()) {
            self.redact_texts(value);
            return;
        }
        if let DeValue::Table(table) = value.get_ref() {
            for (key, value) in table {
                self.redact_unknown(key.get_ref(), value, &[]);
            }
        } else if let DeValue::Array(list) = value.get_ref() {
            for value in list {
                self.redact_unknown(name, value, keys);
            }
        }
    }

    /// Redacts every text in `value`: any of them may be a secret.
    fn redact_texts(&mut self, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Table(table) => table.values().for_each(|value| self.redact_texts(value)),
            DeValue::Array(list) => list.iter().for_each(|value| self.redact_texts(value)),
            DeValue::Boolean(_) => {}
            _ => self.redacted.push(value.span()),
        }
    }

    fn redact_plaintext_keys(&mut self, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Array(list) => list
                .iter()
                .for_each(|value| self.redact_plaintext_keys(value)),
            DeValue::String(text) if is_digest_like(text) => {}
            _ => self.redact_texts(value),
        }
    }
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

fn is_digest_like(text: &str) -> bool {
    let digits = text.strip_prefix("sha256:");
    digits.is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

/// The hint that lists the four forms of a secret reference.
#[must_use]
pub(in crate::config) fn secret_ref_help() -> String {
    "write where it is kept: { file = \"PATH\" }, { env = \"VARIABLE\" }, { credential = \"NAME\" } or \
     { exec = [\"PROGRAM\", \"ARGUMENT\"] }"
        .to_owned()
}

/// The hint that lists the five forms of a reference to a key of the store.
#[must_use]
pub(in crate::config) fn seal_ref_help() -> String {
    "write where it is kept: { file = \"PATH\" }, { env = \"VARIABLE\" }, { credential = \"NAME\" }, \
     { exec = [\"PROGRAM\", \"ARGUMENT\"] } or { passphrase_file = \"PATH\" }"
        .to_owned()
}

fn is_seal(value: &DeValue<'_>) -> bool {
    let is_list = |list: &DeArray<'_>| list.iter().all(|it| it.get_ref().is_table());
    value.is_table() || value.as_array().is_some_and(is_list)
}

fn is_outgoing_proxy(value: &DeValue<'_>) -> bool {
    value.is_table() || value.as_str() == Some("none")
}

fn accepts(schema: &Schema, value: &DeValue<'_>) -> bool {
    match schema {
        Schema::Table(_) | Schema::Map { .. } => value.is_table(),
        Schema::List(_) => value.is_array(),
        Schema::Text | Schema::Enum(_) => value.is_str(),
        Schema::Date => value.is_str() || value.is_datetime(),
        Schema::Integer { .. } => value.is_integer(),
        Schema::Boolean => value.is_bool(),
        Schema::OneOf(schemas) => schemas.iter().any(|schema| accepts(schema, value)),
    }
}

/// A placeholder of the right kind.
fn placeholder(schema: &Schema) -> Value {
    let kind = match schema {
        Schema::Table(_) | Schema::Map { .. } => ValueKind::Table(Map::new()),
        Schema::List(_) => ValueKind::Array(Vec::new()),
        Schema::Integer { least, .. } => ValueKind::I64(*least),
        Schema::Boolean => ValueKind::Boolean(false),
        Schema::Enum(choices) => ValueKind::String(choices.first().cloned().unwrap_or_default()),
        Schema::Text | Schema::Date => ValueKind::String(String::new()),
        Schema::OneOf(schemas) => {
            return schemas
                .first()
                .map_or_else(|| Value::new(None, ""), placeholder);
        }
    };
    Value::new(None, kind)
}

fn describe_kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
