//! What a rule applies to: a class, a scope, a tag, an operation, or a method and path.

use std::fmt;

use crate::{
    net::Method,
    ninjaone::operation::{Operation, RiskClass, Scope},
};

/// Longest selector, in bytes.
pub const SELECTOR_BYTES_MAX: usize = 512;

/// The alias under which NinjaOne serves the same API; selectors and requests are folded onto `/v2`.
const API_ALIAS_PREFIX: &str = "/api/v2";
const API_PREFIX: &str = "/v2";

/// What a rule selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    All,
    Class(RiskClass),
    /// `scope:monitoring`
    Scope(Scope),
    /// `tag:devices`; compared without regard to case.
    Tag(String),
    /// `getDevices`
    Operation(String),
    /// `POST /v2/ticketing/ticket`, `GET /v2/device/{id}/**`: `{id}` is any one parameter whatever its name, `*` any one
    /// segment, and `/**` at the end what stands before it and everything below.
    Path {
        method: Method,
        pattern: String,
    },
}

/// Why a text is not a selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0}; a selector is a class (read, secrets, write, dangerous, all), \"scope:monitoring\", \"tag:devices\", \
     an operation id such as \"getDevices\", or a method and path such as \"GET /v2/device/{{id}}/**\""
)]
pub struct SelectorParseError(pub SelectorErrorKind);

/// The part of the text that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorErrorKind {
    #[error("it is empty")]
    Empty,
    #[error("it is longer than {SELECTOR_BYTES_MAX} bytes")]
    TooLong,
    #[error("there is no scope \"{0}\": scopes are monitoring, management and control")]
    UnknownScope(String),
    #[error("a tag is missing after \"tag:\"")]
    MissingTag,
    #[error("\"{0}\" is not an operation id")]
    InvalidOperationId(String),
    #[error("\"{0}\" is not a method: methods are GET, POST, PUT, PATCH and DELETE in capitals")]
    UnknownMethod(String),
    #[error("HEAD goes wherever GET goes: select GET")]
    HeadMethod,
    #[error("a path starts with /v2/ (or /api/v2/)")]
    OutsideApi,
    #[error("a path has no query and no fragment")]
    QueryOrFragment,
    #[error("\"{0}\" is not a path segment: it is a text, {{name}}, * or, at the end, **")]
    InvalidSegment(String),
}

impl Selector {
    /// Reads a selector as written in a policy.
    ///
    /// # Errors
    /// The text has none of the forms; the error names them.
    pub fn parse(text: &str) -> Result<Self, SelectorParseError> {
        parse(text.trim()).map_err(SelectorParseError)
    }

    /// Whether this selects `operation` as a request of `class`: the operation's own, or `secrets` for a read that asks
    /// for them.
    #[must_use]
    pub fn matches(&self, operation: &Operation, class: RiskClass) -> bool {
        match self {
            Self::All => true,
            Self::Class(wanted) => *wanted == class,
            Self::Scope(scope) => *scope == operation.scope,
            Self::Tag(tag) => tag.eq_ignore_ascii_case(&operation.tag),
            Self::Operation(id) => **id == *operation.id,
            Self::Path { method, pattern } => {
                *method == operation.method && path_matches(pattern, &operation.template)
            }
        }
    }

    /// Whether this can select one operation alone, so that its author had that operation in mind.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        match self {
            Self::Operation(_) => true,
            Self::Path { pattern, .. } => !pattern.split('/').any(is_wildcard),
            Self::All | Self::Class(_) | Self::Scope(_) | Self::Tag(_) => false,
        }
    }

    /// The operations of `all` that this selects, including those it selects only when they are asked for secrets.
    /// None of them means that the selector does nothing.
    pub fn selected<'a, I>(&'a self, all: I) -> impl Iterator<Item = &'a Operation>
    where
        I: IntoIterator<Item = &'a Operation>,
        I::IntoIter: 'a,
    {
        all.into_iter().filter(|operation| {
            let raised = operation.secrets_parameter.is_some()
                && self.matches(operation, RiskClass::Secrets);
            raised || self.matches(operation, operation.class)
        })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Class(class) => class.fmt(f),
            Self::Scope(scope) => write!(f, "scope:{scope}"),
            Self::Tag(tag) => write!(f, "tag:{tag}"),
            Self::Operation(id) => f.write_str(id),
            Self::Path { method, pattern } => write!(f, "{method} {pattern}"),
        }
    }
}

fn parse(text: &str) -> Result<Selector, SelectorErrorKind> {
    if text.is_empty() {
        return Err(SelectorErrorKind::Empty);
    }
    if text.len() > SELECTOR_BYTES_MAX {
        return Err(SelectorErrorKind::TooLong);
    }
    if let Some(scope) = text.strip_prefix("scope:") {
        return Scope::parse(scope)
            .map(Selector::Scope)
            .ok_or_else(|| SelectorErrorKind::UnknownScope(scope.to_owned()));
    }
    if let Some(tag) = text.strip_prefix("tag:") {
        return match tag.trim() {
            "" => Err(SelectorErrorKind::MissingTag),
            tag => Ok(Selector::Tag(tag.to_owned())),
        };
    }
    if let Some((method, path)) = text.split_once(' ') {
        return parse_path(method, path.trim_start());
    }
    if text == "all" {
        return Ok(Selector::All);
    }
    if let Some(class) = RiskClass::parse(text) {
        return Ok(Selector::Class(class));
    }
    parse_operation_id(text)
}

fn parse_operation_id(text: &str) -> Result<Selector, SelectorErrorKind> {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let holds = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if starts && holds {
        Ok(Selector::Operation(text.to_owned()))
    } else {
        Err(SelectorErrorKind::InvalidOperationId(text.to_owned()))
    }
}

fn parse_path(method: &str, path: &str) -> Result<Selector, SelectorErrorKind> {
    let method = match Method::parse(method) {
        Some(Method::Head) => return Err(SelectorErrorKind::HeadMethod),
        Some(method) => method,
        None => return Err(SelectorErrorKind::UnknownMethod(method.to_owned())),
    };
    if path.contains(['?', '#']) {
        return Err(SelectorErrorKind::QueryOrFragment);
    }
    let below = path
        .strip_prefix(API_ALIAS_PREFIX)
        .or(path.strip_prefix(API_PREFIX));
    let Some(segments) = below.and_then(|rest| rest.strip_prefix('/')) else {
        return Err(SelectorErrorKind::OutsideApi);
    };
    let last = segments.split('/').count();
    for (index, segment) in segments.split('/').enumerate() {
        let is_rest = segment == "**" && index + 1 == last;
        if !is_rest && !is_segment(segment) {
            return Err(SelectorErrorKind::InvalidSegment(segment.to_owned()));
        }
    }
    Ok(Selector::Path {
        method,
        pattern: format!("{API_PREFIX}/{segments}"),
    })
}

fn is_segment(segment: &str) -> bool {
    let inner = match segment.strip_prefix('{') {
        Some(rest) => rest.strip_suffix('}'),
        None if segment == "*" => return true,
        None => Some(segment),
    };
    inner.is_some_and(|text| {
        !matches!(text, "" | "." | "..")
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~'))
    })
}

fn is_wildcard(segment: &str) -> bool {
    matches!(segment, "*" | "**")
}

fn is_parameter(segment: &str) -> bool {
    segment.starts_with('{')
}

/// Walks pattern and template side by side. A literal of the pattern never stands for a parameter of the template: a
/// rule about one value would look like a rule about the operation.
fn path_matches(pattern: &str, template: &str) -> bool {
    let mut segments = template.split('/');
    for wanted in pattern.split('/') {
        if wanted == "**" {
            return true;
        }
        let Some(segment) = segments.next() else {
            return false;
        };
        let same = match wanted {
            "*" => true,
            wanted if is_parameter(wanted) => is_parameter(segment),
            wanted => wanted == segment,
        };
        if !same {
            return false;
        }
    }
    segments.next().is_none()
}
