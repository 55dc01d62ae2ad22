//! The keys and kinds of values that a configuration may have, derived from the JSON Schema of the settings.

use serde_json::Value;

/// What a value may be.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A table with these keys and no others.
    Table(Vec<Key>),
    /// A table of things that the operator names: `a caller`.
    Named {
        what: String,
        each: Box<Shape>,
    },
    List(Box<Shape>),
    Text,
    /// A TOML date or date-time, or a text that holds one.
    Date,
    Whole {
        least: i64,
        most: i64,
    },
    Truth,
    /// One of these texts.
    Choice(Vec<String>),
    Either(Vec<Shape>),
}

/// A key of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    pub name: String,
    pub shape: Shape,
    /// Whether its value must never be inline, nor shown.
    pub secret: Option<Sensitive>,
}

/// The kind of secret that is easily written where a reference or a digest belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sensitive {
    ClientSecret,
    /// A key of the store.
    Seal,
    /// The key of a caller or of an operator.
    CallerKey,
}

impl Shape {
    /// Reads a JSON Schema as `schemars` generates it for the types of `settings`.
    #[must_use]
    pub fn of(schema: &Value) -> Self {
        shape(schema, schema)
    }

    /// "a table", "a list": what this expects, for people.
    #[must_use]
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Table(_) | Self::Named { .. } => "a table".into(),
            Self::List(_) => "a list".into(),
            Self::Text => "a text in quotes".into(),
            Self::Date => {
                "a date such as 2027-03-31 or a moment such as 2027-03-31T18:00:00Z".into()
            }
            Self::Whole { least, most } => format!("a whole number from {least} to {most}"),
            Self::Truth => "true or false".into(),
            Self::Choice(choices) => choice_list(choices),
            Self::Either(shapes) => {
                let all: Vec<String> = shapes.iter().map(Self::expected).collect();
                all.join(" or ")
            }
        }
    }

    /// The key `name` of a table.
    #[must_use]
    pub(crate) fn key(&self, name: &str) -> Option<&Key> {
        match self {
            Self::Table(keys) => keys.iter().find(|key| key.name == name),
            _ => None,
        }
    }
}

/// `"a", "b" or "c"`
#[must_use]
pub(crate) fn choice_list(choices: &[String]) -> String {
    let quoted: Vec<String> = choices.iter().map(|it| format!("\"{it}\"")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

fn shape(schema: &Value, root: &Value) -> Shape {
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let pointer = target.trim_start_matches('#');
        return root
            .pointer(pointer)
            .map_or(Shape::Text, |it| shape(it, root));
    }
    if schema.get("x-date").is_some() {
        return Shape::Date;
    }
    if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
        return Shape::Choice(texts(choices));
    }
    for word in ["anyOf", "oneOf"] {
        if let Some(choices) = schema.get(word).and_then(Value::as_array) {
            return alternatives(choices, root);
        }
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => table(schema, root),
        Some("array") => {
            let each = schema
                .get("items")
                .map_or(Shape::Text, |it| shape(it, root));
            Shape::List(Box::new(each))
        }
        Some("integer") => Shape::Whole {
            least: number(schema, "minimum").unwrap_or(0),
            most: number(schema, "maximum").unwrap_or(i64::from(u32::MAX)),
        },
        Some("boolean") => Shape::Truth,
        _ => Shape::Text,
    }
}

fn number(schema: &Value, word: &str) -> Option<i64> {
    schema.get(word).and_then(Value::as_i64)
}

fn texts(values: &[Value]) -> Vec<String> {
    let texts = values.iter().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

fn alternatives(choices: &[Value], root: &Value) -> Shape {
    let constants: Vec<String> = choices
        .iter()
        .filter_map(|choice| choice.get("const").and_then(Value::as_str))
        .map(str::to_owned)
        .collect();
    if constants.len() == choices.len() {
        return Shape::Choice(constants);
    }
    match choices {
        [only] => shape(only, root),
        _ => Shape::Either(choices.iter().map(|it| shape(it, root)).collect()),
    }
}

fn table(schema: &Value, root: &Value) -> Shape {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        let each = schema.get("additionalProperties").unwrap_or(&Value::Null);
        let what = schema.get("x-named").and_then(Value::as_str);
        return Shape::Named {
            what: what.unwrap_or("an entry").to_owned(),
            each: Box::new(shape(each, root)),
        };
    };
    let keys = properties.iter().map(|(name, value)| Key {
        name: name.clone(),
        shape: shape(value, root),
        secret: match value.get("x-secret").and_then(Value::as_str) {
            Some("client-secret") => Some(Sensitive::ClientSecret),
            Some("seal") => Some(Sensitive::Seal),
            Some(_) => Some(Sensitive::CallerKey),
            None => None,
        },
    });
    Shape::Table(keys.collect())
}
