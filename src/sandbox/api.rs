//! The API: authenticates a request, finds its operation, checks its scope and responds.

use std::sync::Arc;

use serde_json::Value;

use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{ALLOW, AUTHORIZATION, SERVER, SET_COOKIE},
};

use crate::{
    net::Method,
    ninjaone::{
        catalogue::PathParameters,
        operation::{Operation, RequiredIdentity},
        paths::REQUEST_ID_HEADER,
    },
};

use super::{
    SandboxState,
    answer::{Answer, bad_request},
    answer_cache::AnswerKey,
    call::ApiCall,
    cursors::{self, CursorNames},
    oauth::token_registry::Bearer,
    operations,
    received_request::SandboxRequest,
    response::{SandboxContent, SandboxResponse},
    schema::{AnswerShape, ApiDescription, check_body, complete, understood},
    seeded_rng::mix,
};

const REQUEST_ID: HeaderName = HeaderName::from_static(REQUEST_ID_HEADER);

const ALL_METHODS: [Method; 5] = [
    Method::Get,
    Method::Post,
    Method::Put,
    Method::Patch,
    Method::Delete,
];

/// Responds to a request to `/v2/…`.
pub(super) fn respond(state: &SandboxState, request: &SandboxRequest) -> SandboxResponse {
    respond_if_allowed(state, request).unwrap_or_else(|refusal| refusal)
}

fn respond_if_allowed(
    state: &SandboxState,
    request: &SandboxRequest,
) -> Result<SandboxResponse, SandboxResponse> {
    let bearer = bearer(state, request)?;
    let (operation, parameters) = operation(state, request)?;
    if !bearer.scopes.contains(&operation.scope) {
        return Err(SandboxResponse::insufficient_privileges());
    }
    if is_user_only(state, operation) && !bearer.user_context {
        return Err(user_context_required());
    }
    let shape = ApiDescription::get()
        .answer(&operation.id)
        .ok_or_else(|| SandboxResponse::not_found("There is nothing here"))?;
    let is_strict = state.faults.persistent().check_bodies;
    let body = match check_body(shape.body, &request.body) {
        Ok(body) => body,
        Err(error) if is_strict => return Err(bad_request(&error.to_string())),
        // What NinjaOne says to a body that does not fit is not known.
        Err(_) => understood(shape.body, &request.body),
    };
    if let Some(member) = missing_member(operation, &body) {
        return Err(bad_request(&format!("{member} is missing")));
    }
    let call = ApiCall {
        seed: state.seed,
        request,
        operation,
        parameters: &parameters,
        bearer: &bearer,
        body,
    };
    if operation.method == Method::Get {
        read(state, &call, shape)
    } else {
        write(state, &call, shape, is_strict)
    }
}

/// The answer to a read, from the cache if it was asked before.
fn read(
    state: &SandboxState,
    call: &ApiCall<'_>,
    shape: AnswerShape,
) -> Result<SandboxResponse, SandboxResponse> {
    let mut world = state.world.data();
    let (stamp, key) = (world.stamp(), AnswerKey::of(call));
    if let Some(answer) = state.answers.get(stamp, &key) {
        return Ok(SandboxResponse::json_bytes(shape.status, answer));
    }
    let answer = operations::respond(call, &mut world).unwrap_or(Ok(Answer::Value(Value::Null)))?;
    let is_kept = matches!(answer, Answer::Value(_)) && world.stamp() == stamp;
    let response = response(state, call, world.now(), (shape, answer))?;
    if is_kept && let SandboxContent::Bytes(bytes) = &response.content {
        state.answers.put(stamp, key, bytes);
    }
    Ok(response)
}

/// The answer to a write. A body that is not understood changes nothing, unless bodies are checked.
fn write(
    state: &SandboxState,
    call: &ApiCall<'_>,
    shape: AnswerShape,
    is_strict: bool,
) -> Result<SandboxResponse, SandboxResponse> {
    let mut world = state.world.data();
    let answer = operations::respond(call, &mut world).unwrap_or(Ok(Answer::Value(Value::Null)));
    let now = world.now();
    drop(world);
    let is_body_refused = |refusal: &SandboxResponse| {
        shape.body.is_some() && refusal.status == StatusCode::BAD_REQUEST
    };
    let answer = match answer {
        Err(refusal) if !is_strict && is_body_refused(&refusal) => Answer::Value(call.body.clone()),
        answer => answer?,
    };
    response(state, call, now, (shape, answer))
}

/// What nobody could take a body without, whether or not bodies are checked.
fn missing_member(operation: &Operation, body: &Value) -> Option<&'static str> {
    let member = match &*operation.id {
        "createOrganization" => "name",
        "create_1" => "subject",
        _ => return None,
    };
    let is_missing = body.get(member).and_then(Value::as_str).is_none();
    is_missing.then_some(member)
}

/// The answer in the form that the description declares.
fn response(
    state: &SandboxState,
    call: &ApiCall<'_>,
    now: u64,
    (shape, answer): (AnswerShape, Answer),
) -> Result<SandboxResponse, SandboxResponse> {
    match (answer, shape.answer) {
        (Answer::Value(value), Some(expression)) => {
            let value = complete(expression, value, call.seed);
            Ok(SandboxResponse::json(shape.status, &value))
        }
        (Answer::Value(_) | Answer::Done, None) | (Answer::Done, Some(_)) => {
            Ok(SandboxResponse::empty(shape.status))
        }
        (Answer::Report(report), _) => {
            let names = if state.faults.persistent().new_cursor_names {
                CursorNames::NewWithEach
            } else {
                CursorNames::OneForAll
            };
            cursors::page(&state.cursors, names, call, now, (shape.status, report))
        }
        (Answer::Response(response), _) => Ok(response),
    }
}

fn is_user_only(state: &SandboxState, operation: &Operation) -> bool {
    let needs_person = || {
        state
            .user_only_operations
            .iter()
            .any(|it| **it == *operation.id)
    };
    operation.required_identity == RequiredIdentity::User || needs_person()
}

fn bearer(state: &SandboxState, request: &SandboxRequest) -> Result<Arc<Bearer>, SandboxResponse> {
    let header = request.headers.get(AUTHORIZATION).ok_or_else(|| {
        let description = "Missing required header";
        SandboxResponse::gateway_error(
            StatusCode::BAD_REQUEST,
            "missing_header",
            description,
            Some(2),
        )
    })?;
    let token = header
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
        .map(|(_, token)| token)
        .ok_or_else(|| {
            let description = "Invalid 'Authorization' header";
            SandboxResponse::gateway_error(
                StatusCode::BAD_REQUEST,
                "invalid_header",
                description,
                Some(1),
            )
        })?;
    state.oauth.bearer(token).ok_or_else(|| {
        let description = "Invalid credentials";
        SandboxResponse::gateway_error(
            StatusCode::UNAUTHORIZED,
            "not_authenticated",
            description,
            Some(10),
        )
    })
}

fn operation<'a>(
    state: &'a SandboxState,
    request: &SandboxRequest,
) -> Result<(&'a Arc<Operation>, PathParameters), SandboxResponse> {
    let found = Method::parse(request.method.as_str())
        .and_then(|method| state.catalogue.find(method, &request.path));
    found.ok_or_else(|| {
        let others: Vec<&str> = ALL_METHODS
            .into_iter()
            .filter(|method| state.catalogue.find(*method, &request.path).is_some())
            .map(Method::as_str)
            .collect();
        wrong_method(&others).unwrap_or_else(|| SandboxResponse::not_found("There is nothing here"))
    })
}

/// 405, if the path is known with other methods.
fn wrong_method(others: &[&str]) -> Option<SandboxResponse> {
    let allow = HeaderValue::from_str(&others.join(", ")).ok()?;
    (!others.is_empty()).then(|| {
        let message = "The method is not allowed here";
        SandboxResponse::application_error(
            StatusCode::METHOD_NOT_ALLOWED,
            "METHOD_NOT_ALLOWED",
            message,
        )
        .with(ALLOW, allow)
    })
}

fn user_context_required() -> SandboxResponse {
    SandboxResponse::gateway_error(
        StatusCode::FORBIDDEN,
        "user_context_required",
        "Access key does not have user context which is required for this request",
        Some(5),
    )
}

/// Adds the headers of every API response: the server's name, an unsolicited cookie, and a request id.
pub(super) fn with_api_headers(
    state: &SandboxState,
    number: u64,
    response: SandboxResponse,
) -> SandboxResponse {
    let id = format!("{:016x}", mix(state.seed ^ mix(number)));
    let cookie = format!("sessionKey={id}; Path=/; Secure; HttpOnly");
    let mut response = response.with(SERVER, HeaderValue::from_static("Grizzly"));
    for (name, text) in [(SET_COOKIE, cookie), (REQUEST_ID, id)] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            response = response.with(name, value);
        }
    }
    response
}
