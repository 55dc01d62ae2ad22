//! An operation of the catalogue: method, path template, risk class, scope, required identity, payload.

use std::{fmt, sync::Arc};

use crate::{
    net::Method,
    ninjaone::{paging::Paging, secrets_query},
};

/// Longest template, in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 512;

/// Our risk class of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RiskClass {
    Read,
    /// Reads that hand out secrets: secure fields, installer links, signed URLs.
    Secrets,
    Write,
    /// Runs code, destroys, or re-routes what others rely on.
    Dangerous,
}

impl RiskClass {
    /// All classes, the least risky first.
    pub const ALL: [Self; 4] = [Self::Read, Self::Secrets, Self::Write, Self::Dangerous];

    /// The word of settings and audit lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Secrets => "secrets",
            Self::Write => "write",
            Self::Dangerous => "dangerous",
        }
    }

    /// Whether an operation of this class, called by `method`, is a read. Everything else is a write: what became of one whose
    /// answer is lost is not known.
    #[must_use]
    pub const fn is_read(self, method: Method) -> bool {
        match self {
            Self::Read => true,
            Self::Secrets => matches!(method, Method::Get | Method::Head),
            Self::Write | Self::Dangerous => false,
        }
    }

    /// The class of this word; none if there is no such class.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == text)
    }
}

impl fmt::Display for RiskClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// NinjaOne's own permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    Monitoring,
    Management,
    Control,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 3] = [Self::Monitoring, Self::Management, Self::Control];

    /// NinjaOne's own word, as settings and audit lines use it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Monitoring => "monitoring",
            Self::Management => "management",
            Self::Control => "control",
        }
    }

    /// The scope of this word; none if there is no such scope.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which identity an operation needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequiredIdentity {
    Service,
    User,
    /// Reported to need a user in 2023-24, not verified since.
    MaybeUser,
}

impl RequiredIdentity {
    /// All values.
    pub const ALL: [Self; 3] = [Self::Service, Self::User, Self::MaybeUser];

    /// As in `operations.tsv`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::User => "user",
            Self::MaybeUser => "user?",
        }
    }

    /// The value of this word; none if there is no such one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|needs| needs.as_str() == text)
    }
}

/// What an operation carries in its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Payload {
    Plain,
    /// Takes a file: a larger body is allowed.
    Upload,
    /// Answers with a file.
    Download,
}

impl Payload {
    /// All payloads.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Upload, Self::Download];

    /// As in `operations.tsv`, where plain is `-`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "-",
            Self::Upload => "upload",
            Self::Download => "download",
        }
    }

    /// The payload of this word; none if there is no such one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|payload| payload.as_str() == text)
    }
}

/// What a path parameter may hold, so that `/v2/device/01` is not taken for `/v2/device/1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParameterKind {
    /// Decimal digits without a leading zero, optionally negative.
    Integer,
    Text,
}

impl ParameterKind {
    /// As in `operations.tsv`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Integer => "int",
            Self::Text => "text",
        }
    }

    /// The kind of this word; none if there is no such kind.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Integer, Self::Text]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }

    /// Whether `value` is the one way to write a value of this kind.
    #[must_use]
    pub fn is_valid(self, value: &str) -> bool {
        match self {
            Self::Integer => is_canonical_integer(value),
            Self::Text => !value.is_empty(),
        }
    }
}

/// As NinjaOne itself would write it: no `+`, no leading zero, no `-0`, and within 64 bits.
fn is_canonical_integer(value: &str) -> bool {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let canonical = match digits.as_bytes() {
        [b'0'] => value == "0",
        [first, ..] => *first != b'0' && digits.bytes().all(|b| b.is_ascii_digit()),
        [] => false,
    };
    canonical && value.parse::<i64>().is_ok()
}

/// A path parameter: its name and what its values look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    pub name: Box<str>,
    pub kind: ParameterKind,
}

/// A method and path template of the NinjaOne API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Index in the catalogue: dense, from 0. Policies are tables over it.
    pub index: usize,
    /// `runScriptOnDevice`
    pub id: Arc<str>,
    pub method: Method,
    /// `/v2/device/{id}/script/run`
    pub template: Box<str>,
    pub tag: Box<str>,
    pub scope: Scope,
    /// `spec` or `inferred`: NinjaOne documents the scope of five operations only.
    pub scope_basis: Box<str>,
    pub class: RiskClass,
    pub required_identity: RequiredIdentity,
    pub payload: Payload,
    /// In the order of the template.
    pub parameters: Box<[Parameter]>,
    /// The query parameter that raises this read to class `secrets`, such as `showSecureValues`.
    pub secrets_parameter: Option<Box<str>>,
    pub paging: Paging,
    pub notes: Box<str>,
}

impl Operation {
    /// An operation that the operator adds. Its `index` is set by the catalogue; the kind of its parameters is unknown,
    /// so each is text; the identity is the machine's.
    ///
    /// # Errors
    /// The template is not one: see [`parse_template`].
    pub fn custom(
        method: Method,
        template: &str,
        id: &str,
        class: RiskClass,
        scope: Scope,
    ) -> Result<Self, TemplateError> {
        Ok(Self {
            index: 0,
            id: id.into(),
            method,
            template: template.into(),
            tag: "added".into(),
            scope,
            scope_basis: "configured".into(),
            class,
            required_identity: RequiredIdentity::Service,
            payload: Payload::Plain,
            parameters: parse_template(template)?,
            secrets_parameter: None,
            paging: Paging::Unknown,
            notes: "-".into(),
        })
    }

    /// Whether a request with this query string may ask for secrets: see [`secrets_query::may_request_secrets`].
    #[must_use]
    pub fn requests_secrets(&self, query: Option<&str>) -> bool {
        match (&self.secrets_parameter, query) {
            (Some(name), Some(_)) => secrets_query::may_request_secrets(name, query),
            _ => false,
        }
    }
}

/// Why a text is not the template of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("an operation's path starts with /v2/")]
    OutsideApi,
    #[error("an operation's path is at most 512 bytes")]
    TooLong,
    #[error("an operation's path has no empty segment and does not end with '/'")]
    EmptySegment,
    #[error("a segment is either a whole {{parameter}} or of A-Z, a-z, 0-9, '-', '_', '.' and '~'")]
    InvalidSegment,
    #[error("two parameters of one path have the same name")]
    DuplicateParameter,
}

/// The parameters of a template such as `/v2/device/{id}/disks`, each as text.
///
/// # Errors
/// The template does not start with `/v2/`, or has a segment that is neither a plain literal nor one whole parameter.
pub fn parse_template(template: &str) -> Result<Box<[Parameter]>, TemplateError> {
    if template.len() > TEMPLATE_BYTES_MAX {
        return Err(TemplateError::TooLong);
    }
    let path = template
        .strip_prefix("/v2/")
        .ok_or(TemplateError::OutsideApi)?;
    let mut found: Vec<Parameter> = Vec::new();
    for segment in path.split('/') {
        let Some(name) = parameter_name(segment)? else {
            continue;
        };
        if found.iter().any(|known| *known.name == *name) {
            return Err(TemplateError::DuplicateParameter);
        }
        found.push(Parameter {
            name: name.into(),
            kind: ParameterKind::Text,
        });
    }
    Ok(found.into())
}

/// The name of the parameter that a segment is, or `None` for a literal.
fn parameter_name(segment: &str) -> Result<Option<&str>, TemplateError> {
    if segment.is_empty() {
        return Err(TemplateError::EmptySegment);
    }
    let inner = segment
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    let plain = inner.unwrap_or(segment);
    let is_plain = !plain.is_empty()
        && plain != "."
        && plain != ".."
        && plain
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~'));
    if is_plain {
        Ok(inner)
    } else {
        Err(TemplateError::InvalidSegment)
    }
}
