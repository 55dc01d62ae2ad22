//! The keys and kinds of values that a configuration may have, derived from the JSON Schema of the settings.

use serde_json::Value;

/// What a value may be.
#[derive(Debug, Clone, PartialEq)]
pub enum Schema {
    /// A table with these keys and no others.
    Table(Vec<SchemaKey>),
    /// A table of things that the operator names: `a caller`.
    Map {
        what: String,
        each: Box<Schema>,
    },
    List(Box<Schema>),
    Text,
    /// A TOML date or date-time, or a text that holds one.
    Date,
    Integer {
        least: i64,
        most: i64,
    },
    Boolean,
    /// One of these texts.
    Enum(Vec<String>),
    OneOf(Vec<Schema>),
}

/// A key of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemaKey {
    pub name: String,
    pub schema: Schema,
    /// Whether its value must never be inline, nor shown.
    pub sensitive: Option<Sensitive>,
}

/// The kind of secret that is easily written where a reference or a digest belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sensitive {
    ClientSecret,
    /// A key of the store.
    Seal,
    /// An outgoing proxy, whose URL is easily written with a password.
    OutgoingProxy,
    /// The key of a caller or of an operator.
    CallerKey,
}

impl Schema {
    /// Reads a JSON Schema as `schemars` generates it for the types of `settings`.
    #[must_use]
    pub fn from_json_schema(schema: &Value) -> Self {
        parse_schema(schema, schema)
    }

    /// "a table", "a list": what this expects, for error messages.
    #[must_use]
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Table(_) | Self::Map { .. } => "a table".into(),
            Self::List(_) => "a list".into(),
            Self::Text => "text in quotes".into(),
            Self::Date => {
                "a date such as 2027-03-31 or a moment such as 2027-03-31T18:00:00Z".into()
            }
            Self::Integer { least, most } => format!("a whole number from {least} to {most}"),
            Self::Boolean => "true or false".into(),
            Self::Enum(choices) => choice_list(choices),
            Self::OneOf(shapes) => {
                let all: Vec<String> = shapes.iter().map(Self::expected).collect();
                all.join(" or ")
            }
        }
    }

    /// The key `name` of a table.
    #[must_use]
    pub(crate) fn key(&self, name: &str) -> Option<&SchemaKey> {
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

fn parse_schema(schema: &Value, root: &Value) -> Schema {
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let pointer = target.trim_start_matches('#');
        return root
            .pointer(pointer)
            .map_or(Schema::Text, |it| parse_schema(it, root));
    }
    if schema.get("x-date").is_some() {
        return Schema::Date;
    }
    if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
        return Schema::Enum(texts(choices));
    }
    for word in ["anyOf", "oneOf"] {
        if let Some(choices) = schema.get(word).and_then(Value::as_array) {
            return parse_alternatives(choices, root);
        }
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => parse_table(schema, root),
        Some("array") => {
            let each = schema
                .get("items")
                .map_or(Schema::Text, |it| parse_schema(it, root));
            Schema::List(Box::new(each))
        }
        Some("integer") => Schema::Integer {
            least: number(schema, "minimum").unwrap_or(0),
            most: number(schema, "maximum").unwrap_or(i64::from(u32::MAX)),
        },
        Some("boolean") => Schema::Boolean,
        _ => Schema::Text,
    }
}

fn number(schema: &Value, word: &str) -> Option<i64> {
    schema.get(word).and_then(Value::as_i64)
}

fn texts(values: &[Value]) -> Vec<String> {
    let texts = values.iter().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

fn parse_alternatives(choices: &[Value], root: &Value) -> Schema {
    let constants: Vec<String> = choices
        .iter()
        .filter_map(|choice| choice.get("const").and_then(Value::as_str))
        .map(str::to_owned)
        .collect();
    if constants.len() == choices.len() {
        return Schema::Enum(constants);
    }
    match choices {
        [only] => parse_schema(only, root),
        _ => Schema::OneOf(choices.iter().map(|it| parse_schema(it, root)).collect()),
    }
}

fn parse_table(schema: &Value, root: &Value) -> Schema {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        let each = schema.get("additionalProperties").unwrap_or(&Value::Null);
        let what = schema.get("x-named").and_then(Value::as_str);
        return Schema::Map {
            what: what.unwrap_or("an entry").to_owned(),
            each: Box::new(parse_schema(each, root)),
        };
    };
    let keys = properties.iter().map(|(name, value)| SchemaKey {
        name: name.clone(),
        schema: parse_schema(value, root),
        sensitive: match value.get("x-secret").and_then(Value::as_str) {
            Some("client-secret") => Some(Sensitive::ClientSecret),
            Some("seal") => Some(Sensitive::Seal),
            Some("proxy") => Some(Sensitive::OutgoingProxy),
            Some(_) => Some(Sensitive::CallerKey),
            None => None,
        },
    });
    Schema::Table(keys.collect())
}
