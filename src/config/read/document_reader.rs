//! One pass over a parsed document: checks every key and kind of value against the schema, records the location of every
//! key, and passes on what is valid.

use std::ops::Range;

use ::config::{Map, Value, ValueKind};
use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue},
};

use super::{
    diagnostics::{At, Findings},
    key_path::KeyPath,
    provenance::{Origin, Origins},
    schema::{Key, Sensitive, Shape, choice_list},
    source_file::SECRET_WORDS,
    suggestion::nearest,
    unsupported,
};

/// The message about an inline secret.
pub(in crate::config) const INLINE_SECRET: &str =
    "a secret is never written into the configuration itself";

/// What a document comes from.
#[derive(Debug, Clone)]
pub(in crate::config) enum Document {
    /// Index in the list of files.
    File(usize),
    /// An environment variable, by its name.
    Variable(String),
}

/// Reads one document.
pub(in crate::config) struct Reader<'a> {
    pub(in crate::config) document: Document,
    pub(in crate::config) origins: &'a mut Origins,
    pub(in crate::config) findings: &'a mut Findings,
    /// Bytes of the document that must not be shown.
    pub(in crate::config) hidden: Vec<Range<usize>>,
}

impl Reader<'_> {
    /// Reads a table. What is wrong is reported and left out.
    pub(in crate::config) fn table(
        &mut self,
        table: &DeTable<'_>,
        shape: &Shape,
        path: &KeyPath,
    ) -> Map<String, Value> {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut map = Map::new();
        for (key, value) in entries {
            let name: &str = key.get_ref();
            let below = path.child(name);
            self.note(below.clone(), key.span(), value.span());
            if let Some(value) = self.entry(name, &key.span(), value, shape, &below) {
                map.insert(name.to_owned(), value);
            }
        }
        map
    }

    fn entry(
        &mut self,
        name: &str,
        place: &Range<usize>,
        value: &Spanned<DeValue<'_>>,
        shape: &Shape,
        path: &KeyPath,
    ) -> Option<Value> {
        match shape {
            Shape::Named { each, .. } => self.value(value, each, path),
            Shape::Table(keys) => {
                if let Some(key) = shape.key(name) {
                    return self.known(key, value, path);
                }
                self.unknown(name, place.clone(), keys, path);
                self.hide_unknown(name, value, keys);
                None
            }
            _ => None,
        }
    }

    fn known(&mut self, key: &Key, value: &Spanned<DeValue<'_>>, path: &KeyPath) -> Option<Value> {
        match key.secret {
            Some(Sensitive::ClientSecret) if !value.get_ref().is_table() => {
                return self.inline_secret(value, secret_forms());
            }
            Some(Sensitive::Seal) if !is_seal(value.get_ref()) => {
                return self.inline_secret(value, seal_forms());
            }
            Some(Sensitive::CallerKey) => self.hide_plain_keys(value),
            _ => {}
        }
        self.value(value, &key.shape, path)
    }

    /// Reports an inline secret and redacts it.
    fn inline_secret(&mut self, value: &Spanned<DeValue<'_>>, forms: String) -> Option<Value> {
        self.hide_texts(value);
        self.findings
            .error(self.at(value.span()), INLINE_SECRET, Some(forms));
        None
    }

    fn unknown(&mut self, name: &str, place: Range<usize>, keys: &[Key], path: &KeyPath) {
        let at = self.at(place);
        if let Some(message) = unsupported::refusal(path.keys(), name) {
            self.findings.error(at, message, None);
            return;
        }
        let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
        let hint = nearest(name, names.iter().copied()).map_or_else(
            || format!("known here: {}", names.join(", ")),
            |meant| format!("did you mean `{meant}`?"),
        );
        let message = match path.parent() {
            Some(parent) if parent != KeyPath::top() => {
                format!("there is no setting `{name}` in `{parent}`")
            }
            _ => format!("there is no setting `{name}`"),
        };
        self.findings.error(at, message, Some(hint));
    }

    /// Reads a value. If it is wrong, reports that and gives `None`.
    pub(in crate::config) fn value(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        shape: &Shape,
        path: &KeyPath,
    ) -> Option<Value> {
        let kind = match (shape, value.get_ref()) {
            (Shape::Table(_) | Shape::Named { .. }, DeValue::Table(table)) => {
                ValueKind::Table(self.table(table, shape, path))
            }
            (Shape::List(each), DeValue::Array(_)) => self.list(value, each, path)?,
            (Shape::Text | Shape::Date, DeValue::String(text)) => {
                ValueKind::String(text.clone().into_owned())
            }
            (Shape::Date, DeValue::Datetime(moment)) => ValueKind::String(moment.to_string()),
            (Shape::Truth, DeValue::Boolean(truth)) => ValueKind::Boolean(*truth),
            (Shape::Whole { least, most }, DeValue::Integer(digits)) => {
                let whole = i64::from_str_radix(digits.as_str(), digits.radix()).ok();
                let Some(whole) = whole.filter(|whole| (*least..=*most).contains(whole)) else {
                    let message =
                        format!("expected {}, found {}", shape.expected(), digits.as_str());
                    self.findings.error(self.at(value.span()), message, None);
                    return None;
                };
                ValueKind::I64(whole)
            }
            (Shape::Choice(choices), DeValue::String(text)) => {
                self.choice(text, choices, value.span())?
            }
            (Shape::Either(shapes), found) => {
                if let Some(fitting) = shapes.iter().find(|shape| may_be(shape, found)) {
                    return self.value(value, fitting, path);
                }
                self.wrong_kind(value, shape);
                return None;
            }
            _ => {
                self.wrong_kind(value, shape);
                return None;
            }
        };
        Some(Value::new(None, kind))
    }

    fn list(
        &mut self,
        list: &Spanned<DeValue<'_>>,
        each: &Shape,
        path: &KeyPath,
    ) -> Option<ValueKind> {
        let elements = list.get_ref().as_array()?;
        let mut values = Vec::new();
        for (place, element) in elements.iter().enumerate() {
            let below = path.element(place);
            self.note(below.clone(), element.span(), element.span());
            match self.value(element, each, &below) {
                Some(value) => values.push(value),
                // So that the others keep their indexes.
                None => values.push(stand_in(each)),
            }
        }
        Some(ValueKind::Array(values))
    }

    fn choice(&mut self, text: &str, choices: &[String], span: Range<usize>) -> Option<ValueKind> {
        if choices.iter().any(|choice| choice == text) {
            return Some(ValueKind::String(text.to_owned()));
        }
        let meant = nearest(text, choices.iter().map(String::as_str));
        let hint = meant.map(|meant| format!("did you mean \"{meant}\"?"));
        let message = format!("expected {}, found \"{text}\"", choice_list(choices));
        self.findings.error(self.at(span), message, hint);
        None
    }

    fn wrong_kind(&mut self, value: &Spanned<DeValue<'_>>, shape: &Shape) {
        let message = format!(
            "expected {}, found {}",
            shape.expected(),
            found(value.get_ref())
        );
        self.findings.error(self.at(value.span()), message, None);
    }

    fn note(&mut self, path: KeyPath, key: Range<usize>, value: Range<usize>) {
        let origin = match &self.document {
            Document::File(file) => Origin::File {
                file: *file,
                key,
                value,
            },
            Document::Variable(name) => Origin::Variable(name.clone()),
        };
        self.origins.insert(path, origin);
    }

    fn at(&self, bytes: Range<usize>) -> At {
        match &self.document {
            Document::File(file) => At::bytes(*file, bytes),
            Document::Variable(name) => At::Named(name.clone()),
        }
    }

    /// Redacts the value of an unknown key if its name suggests a secret.
    fn hide_unknown(&mut self, name: &str, value: &Spanned<DeValue<'_>>, keys: &[Key]) {
        let meant = nearest(name, keys.iter().map(|key| key.name.as_str()));
        let secret = keys.iter().find(|key| Some(key.name.as_str()) == meant);
        if is_secret_name(name) || secret.is_some_and(|key| key.secret.is_some()) {
            self.hide_texts(value);
            return;
        }
        if let DeValue::Table(table) = value.get_ref() {
            for (key, value) in table {
                self.hide_unknown(key.get_ref(), value, &[]);
            }
        } else if let DeValue::Array(list) = value.get_ref() {
            for value in list {
                self.hide_unknown(name, value, keys);
            }
        }
    }

    /// Redacts every text in `value`: any of them may be a secret.
    fn hide_texts(&mut self, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Table(table) => table.values().for_each(|value| self.hide_texts(value)),
            DeValue::Array(list) => list.iter().for_each(|value| self.hide_texts(value)),
            DeValue::Boolean(_) => {}
            _ => self.hidden.push(value.span()),
        }
    }

    fn hide_plain_keys(&mut self, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Array(list) => list.iter().for_each(|value| self.hide_plain_keys(value)),
            DeValue::String(text) if is_digest_like(text) => {}
            _ => self.hide_texts(value),
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
pub(in crate::config) fn secret_forms() -> String {
    "write where it is kept: { file = \"PATH\" }, { env = \"VARIABLE\" }, { credential = \"NAME\" } or \
     { exec = [\"PROGRAM\", \"ARGUMENT\"] }"
        .to_owned()
}

/// The hint that lists the five forms of a reference to a key of the store.
#[must_use]
pub(in crate::config) fn seal_forms() -> String {
    "write where it is kept: { file = \"PATH\" }, { env = \"VARIABLE\" }, { credential = \"NAME\" }, \
     { exec = [\"PROGRAM\", \"ARGUMENT\"] } or { passphrase_file = \"PATH\" }"
        .to_owned()
}

fn is_seal(value: &DeValue<'_>) -> bool {
    let is_list = |list: &DeArray<'_>| list.iter().all(|it| it.get_ref().is_table());
    value.is_table() || value.as_array().is_some_and(is_list)
}

fn may_be(shape: &Shape, value: &DeValue<'_>) -> bool {
    match shape {
        Shape::Table(_) | Shape::Named { .. } => value.is_table(),
        Shape::List(_) => value.is_array(),
        Shape::Text | Shape::Choice(_) => value.is_str(),
        Shape::Date => value.is_str() || value.is_datetime(),
        Shape::Whole { .. } => value.is_integer(),
        Shape::Truth => value.is_bool(),
        Shape::Either(shapes) => shapes.iter().any(|shape| may_be(shape, value)),
    }
}

/// A placeholder of the right kind.
fn stand_in(shape: &Shape) -> Value {
    let kind = match shape {
        Shape::Table(_) | Shape::Named { .. } => ValueKind::Table(Map::new()),
        Shape::List(_) => ValueKind::Array(Vec::new()),
        Shape::Whole { least, .. } => ValueKind::I64(*least),
        Shape::Truth => ValueKind::Boolean(false),
        Shape::Choice(choices) => ValueKind::String(choices.first().cloned().unwrap_or_default()),
        Shape::Text | Shape::Date => ValueKind::String(String::new()),
        Shape::Either(shapes) => {
            return shapes
                .first()
                .map_or_else(|| Value::new(None, ""), stand_in);
        }
    };
    Value::new(None, kind)
}

fn found(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
