//! What NinjaOne's description says of answers and bodies: types with their members, and each operation's status.
//!
//! `types.tsv` and `answers.tsv` are made by `tests/vectors/digest_openapi.py`, which documents their columns. `observed.tsv` is
//! written by hand: what the description leaves out, with where it is known from, or that it is invented.

mod body_check;
mod completion;
mod placeholder;

use std::{collections::HashMap, sync::LazyLock};

use http::StatusCode;

pub(super) use self::{
    body_check::{check_body, understood},
    completion::complete,
};

const TYPES: &str = include_str!("types.tsv");

const ANSWERS: &str = include_str!("answers.tsv");

/// Rows of both: `type NAME MEMBER EXPRESSION` and `answer OPERATION STATUS EXPRESSION BODY`. They take precedence.
const OBSERVED: &str = include_str!("observed.tsv");

static SCHEMA: LazyLock<ApiDescription> = LazyLock::new(ApiDescription::parse);

/// The types and answers of the whole API.
pub(super) struct ApiDescription {
    types: HashMap<&'static str, Type>,
    answers: HashMap<&'static str, AnswerShape>,
}

/// A type that has a name.
pub(super) enum Type {
    Structure(Vec<Member>),
    Enumeration(Vec<&'static str>),
}

pub(super) struct Member {
    pub(super) name: &'static str,
    /// Only bodies of requests have required members.
    pub(super) is_required: bool,
    pub(super) expression: Expression,
}

/// The type of a value.
#[derive(Clone, Copy)]
pub(super) enum Expression {
    Integer,
    Number,
    Text,
    Uuid,
    DateTime,
    Boolean,
    /// An object that nobody describes.
    Object,
    /// Any JSON at all.
    Any,
    /// A file, which is not JSON.
    File,
    List(&'static str),
    Map(&'static str),
    Named(&'static str),
}

/// What an operation answers when it succeeds, and what it takes.
#[derive(Clone, Copy)]
pub(super) struct AnswerShape {
    pub(super) status: StatusCode,
    /// `None`: no body, or one of which nothing is known.
    pub(super) answer: Option<Expression>,
    pub(super) body: Option<Expression>,
}

impl Expression {
    pub(super) fn parse(text: &'static str) -> Self {
        let inner = |open, close| text.strip_prefix(open)?.strip_suffix(close);
        if let Some(item) = inner('[', ']') {
            return Self::List(item);
        }
        if let Some(value) = inner('{', '}') {
            return Self::Map(value);
        }
        match text {
            "int" => Self::Integer,
            "number" => Self::Number,
            "text" => Self::Text,
            "uuid" => Self::Uuid,
            "date-time" => Self::DateTime,
            "bool" => Self::Boolean,
            "object" => Self::Object,
            "any" => Self::Any,
            "file" => Self::File,
            name => Self::Named(name),
        }
    }

    fn parse_optional(text: &'static str) -> Option<Self> {
        (text != "-").then(|| Self::parse(text))
    }
}

impl ApiDescription {
    /// The one schema there is.
    pub(super) fn get() -> &'static Self {
        &SCHEMA
    }

    pub(super) fn named(&self, name: &str) -> Option<&Type> {
        self.types.get(name)
    }

    /// The name of a type as the table has it.
    pub(super) fn type_name(&self, name: &str) -> Option<&'static str> {
        self.types.get_key_value(name).map(|(known, _)| *known)
    }

    /// The members of a type, if it has any.
    pub(super) fn members(&self, name: &str) -> &[Member] {
        match self.named(name) {
            Some(Type::Structure(members)) => members,
            _ => &[],
        }
    }

    pub(super) fn answer(&self, operation: &str) -> Option<AnswerShape> {
        self.answers.get(operation).copied()
    }

    fn parse() -> Self {
        let mut schema = Self {
            types: HashMap::new(),
            answers: HashMap::new(),
        };
        for row in rows(TYPES) {
            schema.add_type_row(&row);
        }
        for row in rows(ANSWERS) {
            schema.add_answer_row(&row);
        }
        for row in rows(OBSERVED) {
            match row.split_first() {
                Some((&"type", row)) => schema.add_type_row(row),
                Some((&"answer", row)) => schema.add_answer_row(row),
                _ => {}
            }
        }
        schema
    }

    fn add_type_row(&mut self, row: &[&'static str]) {
        let &[name, member, expression, ..] = row else {
            return;
        };
        if member == "=" {
            let values = expression.split('|').collect();
            self.types.insert(name, Type::Enumeration(values));
            return;
        }
        let known = self
            .types
            .entry(name)
            .or_insert_with(|| Type::Structure(Vec::new()));
        let Type::Structure(members) = known else {
            return;
        };
        let member_name = member.trim_end_matches('!');
        members.retain(|it| it.name != member_name);
        members.push(Member {
            name: member_name,
            is_required: member.ends_with('!'),
            expression: Expression::parse(expression),
        });
    }

    fn add_answer_row(&mut self, row: &[&'static str]) {
        let &[operation, status, answer, body, ..] = row else {
            return;
        };
        let Ok(status) = status.parse() else {
            return;
        };
        let shape = AnswerShape {
            status,
            answer: Expression::parse_optional(answer),
            body: Expression::parse_optional(body),
        };
        self.answers.insert(operation, shape);
    }
}

fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').collect())
}
