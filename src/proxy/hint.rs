//! What to do about a refusal. Callers are told what a caller can do; what takes an operator is for whoever reads the log.

use std::borrow::Cow;

use crate::{names::RequestId, typed_command::typed};

/// What to do about a refusal, by who can do it. Each text is one or more sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hint {
    /// The caller can help itself.
    Caller(Cow<'static, str>),
    /// Only an operator can help: the caller is told to ask one.
    Operator(Cow<'static, str>),
    /// The caller can try something, and an operator can make it unnecessary.
    Either {
        caller: Cow<'static, str>,
        operator: Cow<'static, str>,
    },
}

impl Hint {
    /// For the caller.
    pub(crate) fn caller(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Caller(text.into())
    }

    /// For the operator.
    pub(crate) fn operator(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Operator(typed(text))
    }

    /// For both.
    pub(crate) fn either(
        caller: impl Into<Cow<'static, str>>,
        operator: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::Either {
            caller: caller.into(),
            operator: typed(operator),
        }
    }

    /// The `hint` of the problem body. Names no command: callers have no shell on the proxy's machine.
    #[must_use]
    pub(crate) fn for_caller(&self, id: RequestId) -> String {
        match self {
            Self::Caller(text) => text.to_string(),
            Self::Operator(_) => ask_operator(id),
            Self::Either { caller, .. } => format!("{caller} If that does not help: {}", ask(id)),
        }
    }

    /// For the log of the program: what an operator can do, or what the caller was told.
    #[must_use]
    pub(crate) fn for_operator(&self) -> &str {
        match self {
            Self::Caller(text) | Self::Operator(text) | Self::Either { operator: text, .. } => text,
        }
    }
}

/// What a caller is told where only an operator can help. The id leads an operator to the reason.
#[must_use]
pub(crate) fn ask_operator(id: RequestId) -> String {
    let mut text = ask(id);
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

fn ask(id: RequestId) -> String {
    format!("ask the operator of this proxy, and give them this request's ID: {id}")
}
