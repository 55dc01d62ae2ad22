//! A record of the simulated world: a JSON object, and its id.

use std::fmt;

use serde_json::{Map, Value};

pub(in crate::sandbox) type Record = Map<String, Value>;

/// What tells a record from the others of its collection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::sandbox) enum RecordId {
    Number(u64),
    Text(Box<str>),
}

impl RecordId {
    /// The id in a record's member.
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => number.as_u64().map(Self::Number),
            Value::String(text) => Some(Self::Text(text.as_str().into())),
            _ => None,
        }
    }

    pub(in crate::sandbox) fn to_value(&self) -> Value {
        match self {
            Self::Number(number) => (*number).into(),
            Self::Text(text) => (**text).into(),
        }
    }
}

impl From<u64> for RecordId {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for RecordId {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// The members of an object; of anything else, none. For `json!`.
pub(in crate::sandbox) fn record(value: Value) -> Record {
    match value {
        Value::Object(members) => members,
        _ => Record::new(),
    }
}

/// A whole number from 0 in a record.
pub(in crate::sandbox) fn integer(record: &Record, member: &str) -> Option<u64> {
    record.get(member)?.as_u64()
}

pub(in crate::sandbox) fn text<'a>(record: &'a Record, member: &str) -> Option<&'a str> {
    record.get(member)?.as_str()
}

/// Takes over every member of `changes`; `null` takes one away.
pub(in crate::sandbox) fn merge(record: &mut Record, changes: Record) {
    for (name, value) in changes {
        if value.is_null() {
            record.remove(&name);
        } else {
            record.insert(name, value);
        }
    }
}
