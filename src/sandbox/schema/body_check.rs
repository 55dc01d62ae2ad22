//! Compares the body of a request with what the description says of it, as a strict JSON reader would.
//!
//! Refused: what is no JSON, an object for a list and the like, a missing required member, and a value that an enumeration
//! does not have. Accepted: members that nobody declares, a number as text, and a number for
//! a text.

use serde_json::Value;

use super::{ApiDescription, Expression, Type};

/// How deep a body is looked at.
const DEPTH_MAX: usize = 12;

/// What is wrong with a body, and where.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::sandbox) enum BodyError {
    #[error("The body is no JSON")]
    NoJson,
    #[error("{place} must be {wanted}")]
    Kind { place: String, wanted: &'static str },
    #[error("{place} is missing")]
    Missing { place: String },
    #[error("{place} cannot be {found}")]
    Value { place: String, found: String },
}

/// The body as JSON: `null` if there is none and none is declared.
///
/// # Errors
/// It is not what the operation takes.
pub(in crate::sandbox) fn check_body(
    expression: Option<Expression>,
    body: &[u8],
) -> Result<Value, BodyError> {
    match expression {
        None | Some(Expression::File) => Ok(Value::Null),
        Some(Expression::Any | Expression::Object | Expression::Map(_)) if body.is_empty() => {
            Ok(Value::Null)
        }
        Some(expression) => {
            let value = serde_json::from_slice(body).map_err(|_| BodyError::NoJson)?;
            check(expression, &value, "The body", 0)?;
            Ok(value)
        }
    }
}

fn check(
    expression: Expression,
    value: &Value,
    place: &str,
    depth: usize,
) -> Result<(), BodyError> {
    if depth == DEPTH_MAX || (value.is_null() && depth > 0) {
        return Ok(());
    }
    match (expression, value) {
        (Expression::List(item), Value::Array(values)) => {
            let item = Expression::parse(item);
            let mut places = (0..).map(|index| format!("{place}[{index}]"));
            values
                .iter()
                .zip(&mut places)
                .try_for_each(|(value, place)| check(item, value, &place, depth + 1))
        }
        (Expression::List(_), _) => Err(kind(place, "a list")),
        (Expression::Map(_) | Expression::Object, Value::Object(_)) => Ok(()),
        (Expression::Map(_) | Expression::Object, _) if depth == 0 => Err(kind(place, "an object")),
        (Expression::Named(name), value) => named(name, value, place, depth),
        (expression, value) => match scalar(expression) {
            Some((wanted, is_one)) if !is_one(value) => Err(kind(place, wanted)),
            _ => Ok(()),
        },
    }
}

/// What a single value must be, in words and as a test.
type ScalarKind = (&'static str, fn(&Value) -> bool);

/// `None` for what is no single value.
fn scalar(expression: Expression) -> Option<ScalarKind> {
    Some(match expression {
        Expression::Integer => ("a whole number", is_integer),
        Expression::Number => ("a number", |it| it.is_number() || it.is_string()),
        Expression::Text => ("a text", |it| !it.is_array() && !it.is_object()),
        Expression::Uuid | Expression::DateTime => ("a text", Value::is_string),
        Expression::Boolean => ("true or false", Value::is_boolean),
        _ => return None,
    })
}

/// NinjaOne's server reads a number that is written as text, as its JSON library does.
fn is_integer(value: &Value) -> bool {
    let text = || value.as_str()?.parse::<i64>().ok();
    value.as_i64().or_else(text).is_some()
}

/// What is left of a body that does not fit: without the members that do not. `null` if nothing is.
pub(in crate::sandbox) fn understood(expression: Option<Expression>, body: &[u8]) -> Value {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    match expression {
        Some(expression) => fitting(expression, value, 0).unwrap_or_default(),
        None => value,
    }
}

fn fitting(expression: Expression, value: Value, depth: usize) -> Option<Value> {
    if depth == DEPTH_MAX {
        return None;
    }
    match (expression, value) {
        (Expression::List(item), Value::Array(values)) => {
            let item = Expression::parse(item);
            let values = values.into_iter();
            Some(
                values
                    .filter_map(|it| fitting(item, it, depth + 1))
                    .collect(),
            )
        }
        (Expression::Named(name), Value::Object(mut given)) => {
            for member in ApiDescription::get().members(name) {
                if let Some(value) = given.remove(member.name)
                    && let Some(value) = fitting(member.expression, value, depth + 1)
                {
                    given.insert(member.name.to_owned(), value);
                }
            }
            Some(Value::Object(given))
        }
        (expression, value) => check(expression, &value, "", depth)
            .is_ok()
            .then_some(value),
    }
}

fn named(name: &str, value: &Value, place: &str, depth: usize) -> Result<(), BodyError> {
    match (ApiDescription::get().named(name), value) {
        (Some(Type::Enumeration(values)), value) => {
            match value.as_str().filter(|it| values.contains(it)) {
                Some(_) => Ok(()),
                None => Err(BodyError::Value {
                    place: place.to_owned(),
                    found: value.to_string(),
                }),
            }
        }
        (Some(Type::Structure(members)), Value::Object(given)) => {
            for member in members {
                let place = format!("{place}.{}", member.name);
                match given.get(member.name) {
                    Some(value) => check(member.expression, value, &place, depth + 1)?,
                    None if member.is_required => return Err(BodyError::Missing { place }),
                    None => {}
                }
            }
            Ok(())
        }
        (Some(Type::Structure(_)), _) => Err(kind(place, "an object")),
        (None, _) => Ok(()),
    }
}

fn kind(place: &str, wanted: &'static str) -> BodyError {
    BodyError::Kind {
        place: place.to_owned(),
        wanted,
    }
}
