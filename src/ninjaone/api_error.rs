//! NinjaOne's error bodies, in their three shapes, and what they mean.

use serde_json::Value;

/// Longer bodies are not read for a fault, in bytes.
pub const ERROR_BODY_BYTES_MAX: usize = 64 * 1024;

/// The members of an error body, whichever of NinjaOne's three shapes it has: the gateway's
/// `{error, error_description, error_code}`, the application's `{resultCode, errorMessage, incidentId}`, and billing's
/// `{errorCode, message}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApiErrorBody {
    /// `user_context_required`
    pub error: Option<Box<str>>,
    /// A sentence, if there was one.
    pub description: Option<Box<str>>,
    /// `error_code`: 5
    pub error_code: Option<i64>,
    /// `resultCode` or `errorCode`, as text.
    pub result_code: Option<Box<str>>,
    /// `incidentId`: what NinjaOne's support asks for.
    pub incident_id: Option<Box<str>>,
}

impl ApiErrorBody {
    /// Reads a JSON object of at most [`ERROR_BODY_BYTES_MAX`]. `None` if it is not one, or says nothing of an error.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        if body.len() > ERROR_BODY_BYTES_MAX {
            return None;
        }
        let value: Value = serde_json::from_slice(body).ok()?;
        let text = |name: &str| value.get(name).and_then(as_text);
        let fault = Self {
            error: text("error"),
            description: text("error_description")
                .or_else(|| text("errorMessage"))
                .or_else(|| text("message")),
            error_code: value.get("error_code").and_then(Value::as_i64),
            result_code: text("resultCode").or_else(|| text("errorCode")),
            incident_id: text("incidentId"),
        };
        let says_something =
            fault.error.is_some() || fault.error_code.is_some() || fault.result_code.is_some();
        says_something.then_some(fault)
    }

    /// What it means. The word decides; the number only where the word is missing.
    #[must_use]
    pub fn kind(&self) -> ApiErrorKind {
        if let Some(error) = self.error.as_deref() {
            return ApiErrorKind::from_error(error);
        }
        match self.error_code {
            Some(1) => ApiErrorKind::InvalidHeader,
            Some(2) => ApiErrorKind::MissingHeader,
            Some(5) => ApiErrorKind::UserContextRequired,
            Some(10) => ApiErrorKind::NotAuthenticated,
            Some(_) => ApiErrorKind::Other,
            None => ApiErrorKind::Application,
        }
    }
}

fn as_text(value: &Value) -> Option<Box<str>> {
    match value {
        Value::String(text) => Some(text.as_str().into()),
        Value::Number(number) => Some(number.to_string().into()),
        _ => None,
    }
}

/// What an error body of the API means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApiErrorKind {
    /// The operation needs a user's token. Nothing was done.
    UserContextRequired,
    /// The token is good, but its scopes or its owner's role do not allow this. Comes as 401, and renewal does not help.
    InsufficientPrivileges,
    /// The token is wrong, revoked or expired.
    NotAuthenticated,
    /// There was no `Authorization`.
    MissingHeader,
    /// `Authorization` could not be read.
    InvalidHeader,
    /// The application refused: see `result_code`.
    Application,
    Other,
}

impl ApiErrorKind {
    fn from_error(error: &str) -> Self {
        match error {
            "user_context_required" => Self::UserContextRequired,
            "insufficient_privileges" => Self::InsufficientPrivileges,
            "not_authenticated" => Self::NotAuthenticated,
            "missing_header" => Self::MissingHeader,
            "invalid_header" => Self::InvalidHeader,
            _ => Self::Other,
        }
    }
}

/// Whether a `Content-Type` names an HTML page.
#[must_use]
pub fn is_html(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("text/html")
        || essence.eq_ignore_ascii_case("application/xhtml+xml")
}
