//! Checks the operations that `[[operation]]` adds to the catalogue.

use crate::{
    config::{
        read::key_path::KeyPath,
        settings::{keyword::Keyword, operation},
    },
    names::IdentityKind,
    ninjaone::{
        operation::{Operation, Parameter, ParameterKind, RequiredIdentity, RiskClass},
        paging::Paging,
    },
};

use super::Checker;

const OPERATIONS_MAX: usize = 1000;
const TEMPLATE_BYTES_MAX: usize = 512;
const ID_BYTES_MAX: usize = 128;
const PATH_PREFIX: &str = "/v2/";
/// The tag of an operation without one.
const DEFAULT_TAG: &str = "added";
/// What the catalogue writes for an empty value.
const NO_VALUE: &str = "-";

impl Checker<'_> {
    pub(super) fn operations(
        &mut self,
        settings: &[operation::OperationSettings],
        known: &[Operation],
    ) -> Vec<Operation> {
        let top = KeyPath::from_keys(&["operation"]);
        if settings.len() > OPERATIONS_MAX {
            self.error(
                &top,
                format!("there are at most {OPERATIONS_MAX} operations"),
            );
            return Vec::new();
        }
        let mut operations: Vec<Operation> = Vec::new();
        for (index, settings) in settings.iter().enumerate() {
            let path = top.element(index);
            let Some(operation) = self.operation(settings, &path) else {
                continue;
            };
            let all = || known.iter().chain(&operations);
            let same_id = all().find(|it| it.id == operation.id);
            let same_place = all().find(|it| is_same_endpoint(it, &operation));
            if let Some(other) = same_id {
                let message = format!("this id is taken: {} {}", other.method, other.template);
                self.error(&path.child("id"), message);
            } else if let Some(other) = same_place {
                let message = format!("this operation is known already: `{}`", other.id);
                self.error_with_hint(&path.child("path"), message, "remove the entry");
            } else {
                operations.push(operation);
            }
        }
        operations
    }

    fn operation(
        &mut self,
        settings: &operation::OperationSettings,
        path: &KeyPath,
    ) -> Option<Operation> {
        let operation::OperationSettings {
            method,
            path: template,
            id,
            class,
            scope,
            tag,
            body,
            identity,
        } = settings;
        let is_missing = [
            ("method", method.is_none()),
            ("path", template.is_none()),
            ("id", id.is_none()),
            ("class", class.is_none()),
            ("scope", scope.is_none()),
        ];
        for (key, _) in is_missing.iter().filter(|(_, is_missing)| *is_missing) {
            self.missing(
                path,
                key,
                "an operation has `method`, `path`, `id`, `class` and `scope`",
            );
        }
        let template = template.as_deref();
        let parameters = template.and_then(|it| self.template(it, &path.child("path")));
        let id = id.as_deref();
        if id.is_some_and(|id| !is_id(id)) {
            self.error(
                &path.child("id"),
                "an id is 1 to 128 letters, digits, '-', '_' and '.', and starts with a letter",
            );
        }
        let tag = if tag.is_empty() { DEFAULT_TAG } else { tag };
        Some(Operation {
            index: 0,
            id: id?.into(),
            method: (*method)?.0,
            template: template?.into(),
            tag: tag.into(),
            scope: (*scope)?.0,
            scope_basis: "configured".into(),
            class: (*class)?.0,
            required_identity: match identity {
                Some(Keyword(IdentityKind::User)) => RequiredIdentity::User,
                Some(Keyword(IdentityKind::Service)) | None => RequiredIdentity::Service,
            },
            payload: body.0,
            parameters: parameters?,
            secrets_parameter: None,
            paging: Paging::Unknown,
            notes: NO_VALUE.into(),
        })
    }

    fn template(&mut self, text: &str, path: &KeyPath) -> Option<Box<[Parameter]>> {
        let segments = text
            .strip_prefix(PATH_PREFIX)
            .filter(|_| text.len() <= TEMPLATE_BYTES_MAX);
        let Some(segments) = segments else {
            let message = format!(
                "a path begins with {PATH_PREFIX} and has at most {TEMPLATE_BYTES_MAX} bytes"
            );
            self.error(path, message);
            return None;
        };
        let mut parameters: Vec<Parameter> = Vec::new();
        for segment in segments.split('/') {
            let inner = segment
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            let is_taken = inner.is_some_and(|name| parameters.iter().any(|it| &*it.name == name));
            if !is_segment(inner.unwrap_or(segment)) || is_taken {
                let message = format!(
                    "`{segment}` is not part of a path: parts are texts such as devices and parameters such as {{id}}"
                );
                self.error(path, message);
                return None;
            }
            parameters.extend(inner.map(|name| Parameter {
                name: name.into(),
                kind: ParameterKind::Text,
            }));
        }
        Some(parameters.into())
    }
}

fn is_segment(text: &str) -> bool {
    let holds =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    !matches!(text, "" | "." | "..") && text.bytes().all(holds)
}

fn is_id(text: &str) -> bool {
    let holds = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let starts = text.starts_with(|letter: char| letter.is_ascii_alphabetic());
    // Otherwise a policy could not tell it from a class.
    let is_class = text == "all" || RiskClass::parse(text).is_some();
    starts && text.len() <= ID_BYTES_MAX && text.bytes().all(holds) && !is_class
}

/// Whether the same requests match both operations.
fn is_same_endpoint(one: &Operation, other: &Operation) -> bool {
    let plain = |template: &str| -> Vec<String> {
        let segments = template.split('/');
        let name = |it: &str| {
            if it.starts_with('{') {
                "{}".to_owned()
            } else {
                it.to_owned()
            }
        };
        segments.map(name).collect()
    };
    one.method == other.method && plain(&one.template) == plain(&other.template)
}
