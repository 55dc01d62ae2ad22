//! Gives a value the form that its type has: exactly the declared members, with the missing ones filled in.

use serde_json::{Map, Value};

use super::{ApiDescription, Expression, Member, Type, placeholder::Placeholder};

/// Types of which a member says which one a value really is.
const DISCRIMINATORS: [(&str, &str); 2] = [
    ("Device", "deviceType"),
    ("AssigmentAutomationSettings", "type"),
];

/// Members that are left out where there is nothing to say, of any type or of one: the top of a tree has no parent, what is
/// open was never completed.
const MAY_BE_ABSENT: &[(&str, &str)] = &[
    ("", "archiveTime"),
    ("", "archivedBy"),
    ("", "archivedTime"),
    ("", "assignedOwnerUid"),
    ("", "completedBy"),
    ("", "completedOn"),
    ("", "maintenance"),
    ("", "nodeRoleParentId"),
    ("", "parentDeviceId"),
    ("", "parentFolderId"),
    ("", "parentId"),
    ("", "parentPolicyId"),
    ("", "parentTabId"),
    ("Activity", "deviceId"),
    ("NodeReferences", "assignedOwner"),
    ("TicketDTO", "assignedAppUserId"),
    ("TicketDTO", "locationId"),
    ("TicketDTO", "nodeId"),
    ("TicketDTO", "requesterUid"),
    ("KnowledgeBaseArticlePublicApiDTO", "organizationId"),
    ("KnowledgeBaseFolderPublicApiDTO", "organizationId"),
    ("KnowledgeBaseFolderItemPublicApiDTO", "organizationId"),
    ("User", "organizationId"),
    ("getGlobalKnowledgeBaseArticleById.answer", "organizationId"),
];

/// The value in the form of its type. `null` counts as missing. What the type does not declare is left out.
pub(in crate::sandbox) fn complete(expression: Expression, value: Value, seed: u64) -> Value {
    let schema = ApiDescription::get();
    Completion { schema, seed }.value(expression, Some(value), &Placeholder::of_answer(seed))
}

struct Completion {
    schema: &'static ApiDescription,
    seed: u64,
}

impl Completion {
    fn value(&self, expression: Expression, value: Option<Value>, missing: &Placeholder) -> Value {
        let value = value.filter(|it| !it.is_null());
        match (expression, value) {
            (Expression::Named(name), value) => self.named(name, value, missing),
            (Expression::List(item), Some(Value::Array(values))) => {
                self.list(item, values, missing)
            }
            (Expression::Map(item), Some(Value::Object(values))) => self.map(item, values, missing),
            (Expression::Integer, Some(Value::Number(number))) => whole(&number),
            (Expression::Number, Some(Value::Number(number))) => shortest(&number),
            (Expression::Integer | Expression::Number, Some(Value::String(text))) => {
                let number = text.parse::<i64>().map(Value::from);
                number.unwrap_or_else(|_| missing.value(expression))
            }
            (Expression::Text, Some(value @ (Value::Number(_) | Value::Bool(_)))) => {
                value.to_string().into()
            }
            (expression, Some(value)) if !is_of_kind(expression, &value) => {
                missing.value(expression)
            }
            (_, Some(value)) => value,
            (expression, None) => missing.value(expression),
        }
    }

    fn named(&self, name: &'static str, value: Option<Value>, missing: &Placeholder) -> Value {
        match self.schema.named(name) {
            None => value.unwrap_or_default(),
            Some(Type::Enumeration(values)) => {
                value.unwrap_or_else(|| values.first().copied().unwrap_or_default().into())
            }
            Some(Type::Structure(_)) => {
                let given = match value {
                    Some(Value::Object(given)) => given,
                    _ => Map::new(),
                };
                let name = self.concrete(name, &given);
                self.structure(name, given, missing)
            }
        }
    }

    /// The type that the discriminator of a polymorphic type names, if there is one.
    fn concrete(&self, name: &'static str, given: &Map<String, Value>) -> &'static str {
        let wanted = DISCRIMINATORS
            .iter()
            .find(|(of, _)| *of == name)
            .and_then(|(_, member)| given.get(*member)?.as_str());
        wanted
            .and_then(|wanted| self.schema.type_name(wanted))
            .unwrap_or(name)
    }

    fn structure(
        &self,
        name: &'static str,
        mut given: Map<String, Value>,
        missing: &Placeholder,
    ) -> Value {
        let key = Placeholder::of_object(self.seed, name, &given, missing);
        let members = self.schema.members(name).iter();
        let complete = members.filter_map(|member: &Member| {
            let value = given.remove(member.name).filter(|it| !it.is_null());
            if value.is_none() && may_be_absent(name, member.name) {
                return None;
            }
            let of_member = key.member(member.name);
            let value = self.value(member.expression, value, &of_member);
            Some((member.name.to_owned(), value))
        });
        Value::Object(complete.collect())
    }

    fn list(&self, item: &'static str, values: Vec<Value>, missing: &Placeholder) -> Value {
        let item = Expression::parse(item);
        let complete = values
            .into_iter()
            .map(|value| self.value(item, Some(value), missing));
        Value::Array(complete.collect())
    }

    fn map(&self, item: &'static str, values: Map<String, Value>, missing: &Placeholder) -> Value {
        let item = Expression::parse(item);
        let complete = values
            .into_iter()
            .map(|(name, value)| (name, self.value(item, Some(value), missing)));
        Value::Object(complete.collect())
    }
}

/// A whole number is written without a fraction: typed clients refuse `2.0` for an integer.
fn whole(number: &serde_json::Number) -> Value {
    match number.as_f64() {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a fraction is what is to go"
        )]
        Some(float) if number.is_f64() => Value::from(float as i64),
        _ => Value::Number(number.clone()),
    }
}

/// The same for a number that may have a fraction, if it has none.
fn shortest(number: &serde_json::Number) -> Value {
    match number.as_f64() {
        Some(float) if float.fract() == 0.0 => whole(number),
        _ => Value::Number(number.clone()),
    }
}

/// Whether a value can be shown as what it is declared to be; what a client wrote may be anything.
fn is_of_kind(expression: Expression, value: &Value) -> bool {
    match expression {
        Expression::Integer | Expression::Number => value.is_number(),
        Expression::Text | Expression::Uuid | Expression::DateTime => value.is_string(),
        Expression::Boolean => value.is_boolean(),
        Expression::List(_) => value.is_array(),
        Expression::Map(_) => value.is_object(),
        Expression::Object | Expression::Any | Expression::File | Expression::Named(_) => true,
    }
}

fn may_be_absent(of: &str, member: &str) -> bool {
    MAY_BE_ABSENT
        .iter()
        .any(|(kind, name)| *name == member && (kind.is_empty() || *kind == of))
}
