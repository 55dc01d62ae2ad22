//! Formats an explanation as text: one numbered step per line, then the verdict, then what would change it.

use std::{fmt::Write, sync::Arc};

use serde_json::{Value, json};

use crate::{
    admin::plain_text::escape_control,
    names::IdentityKind,
    ninjaone::operation::Operation,
    policy::{
        Tenant, TenantSelectionError,
        explain::{
            Conclusion, ExplainRequest, Explanation, ExplanationStep, RuleRole, SuggestedChange,
            TenantSelection,
        },
        identity::{IdentityChoice, IdentityPin, IdentityReason},
        rule::Rule,
    },
    typed_command::typed,
};

use super::{
    obstacle::Obstacle,
    recorded_request::RecordedRequest,
    rules::{ExplainRules, LoginState},
    verdict::Verdict,
};

/// Who names the tenant, if the base path does not.
#[derive(Clone, Copy)]
pub(super) enum TenantOrigin {
    Header,
    /// The audit line, which does not say by what the tenant was chosen then.
    AuditLine,
}

impl TenantOrigin {
    #[must_use]
    pub(super) fn of(request: &ExplainRequest<'_>, then: Option<&RecordedRequest>) -> Self {
        match then.and_then(|it| it.tenant.as_deref()) {
            Some(recorded) if request.tenant == Some(recorded) => Self::AuditLine,
            _ => Self::Header,
        }
    }
}

/// The whole text, with a trailing newline. A recorded request that was refused is never said to be allowed.
pub(super) fn explanation_text(
    request: &ExplainRequest<'_>,
    explanation: &Explanation,
    obstacle: Option<&Obstacle>,
    then: Option<&RecordedRequest>,
    rules: ExplainRules<'_>,
) -> String {
    let was_refused = then.is_some_and(RecordedRequest::was_refused);
    let origin = TenantOrigin::of(request, then);
    let mut text = format!(
        "{}: {} {}\n\n",
        escape_control(request.caller),
        request.method,
        escape_control(request.path)
    );
    for (number, step) in (1..).zip(&explanation.steps) {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{number:>3}. {:<10} {}",
            label(step),
            step_text(step, origin, rules)
        );
    }
    let conclusion = match (obstacle, &explanation.conclusion) {
        (Some(obstacle), _) => obstacle.conclusion(explanation, was_refused),
        // No rule is asked how long a request may be.
        (None, Conclusion::Allowed { rule, .. })
            if then.and_then(RecordedRequest::result) == Some("too-large") =>
        {
            format!("They let a smaller one pass: {rule} ({}).", rule.location)
        }
        (None, Conclusion::Allowed { rule, .. }) if was_refused => {
            format!("They would not refuse it: {rule} ({}).", rule.location)
        }
        (None, _) => conclusion_text(explanation),
    };
    let _ = writeln!(text, "\n{conclusion}");
    let changes = explanation.changes.iter().map(change_text);
    // The conclusion says how to log in.
    let shown = obstacle.filter(|it| it.has_change_to_show());
    let changes: Vec<String> = shown
        .map(Obstacle::change)
        .into_iter()
        .chain(changes)
        .collect();
    if !changes.is_empty() {
        text.push_str("\nTo allow it:\n");
        for change in changes {
            let _ = writeln!(text, "  - {change}");
        }
    }
    text
}

/// What a recorded request was, what happened to it, and what to do about that.
pub(super) fn record_text(record: &RecordedRequest, rules: ExplainRules<'_>) -> String {
    let or = |text: &Option<String>, other: &str| escape_control(text.as_deref().unwrap_or(other));
    let mut text = format!(
        "Recorded {}: {} {} by {}; decision {}",
        or(&record.at, "at an unknown time"),
        or(&record.method, "?"),
        or(&record.path, "?"),
        or(&record.caller, "an unknown caller"),
        or(&record.decision, "not reached"),
    );
    if let Some(policy) = &record.policy {
        let _ = write!(text, ", policy {}", escape_control(policy));
    }
    if let Some(identity) = &record.identity {
        let _ = write!(text, ", as {}", escape_control(identity));
    }
    if let Some(status) = record.status {
        let _ = write!(text, ", status {status}");
    }
    text.push('.');
    let verdict = Verdict::of(record, rules);
    let _ = write!(text, "\n{}", escape_control(&verdict.sentence));
    if let Some(remedy) = verdict.remedy {
        let _ = write!(text, "\n{}", escape_control(&remedy));
    }
    text
}

pub(super) fn step_json(
    step: &ExplanationStep,
    origin: TenantOrigin,
    rules: ExplainRules<'_>,
) -> Value {
    let text = step_text(step, origin, rules);
    let mut object = json!({ "step": label(step), "text": text });
    let mut add = |name: &str, value: Value| {
        if let Some(members) = object.as_object_mut() {
            members.insert(name.to_owned(), value);
        }
    };
    match step {
        ExplanationStep::Rule { rule, role: part } => {
            add("effect", json!(rule.effect.as_str()));
            add("selector", json!(rule.selector.to_string()));
            add("owner", json!(&*rule.owner));
            add("place", json!(&*rule.location));
            add("decides", json!(*part == RuleRole::Decides));
        }
        ExplanationStep::Identity { choice, tenant, .. } => {
            add("identity", json!(choice.identity.as_str()));
            add("because", json!(choice.reason.as_str()));
            add("configured", json!(tenant.identities.has(choice.identity)));
        }
        _ => {}
    }
    object
}

pub(super) fn change_text(change: &SuggestedChange) -> String {
    match change {
        SuggestedChange::Allow {
            operation,
            caller,
            location: place,
        } => {
            let place = place.as_ref().map(|place| format!(" ({place})"));
            format!(
                "add \"{operation}\" to allow of [caller.{caller}]{}: {}",
                place.unwrap_or_default(),
                change.command().unwrap_or_default()
            )
        }
        SuggestedChange::RemoveDeny(rule) => format!(
            "remove \"{}\" from deny of {} ({}){}",
            rule.selector,
            section(&rule.owner),
            rule.location,
            change
                .command()
                .map_or_else(String::new, |it| format!(": {it}"))
        ),
        SuggestedChange::GrantTenant { tenant, caller } => {
            format!("add \"{tenant}\" to tenants of [caller.{caller}]")
        }
        SuggestedChange::NameTenant(names) => format!(
            "send NJP-Tenant (here: --tenant) with one of: {}",
            names.join(", ")
        ),
        SuggestedChange::NameOneTenant => {
            "name one tenant only, by base path or by NJP-Tenant".to_owned()
        }
        SuggestedChange::AddOperation { method, path } => format!(
            "if NinjaOne has it, add [[operation]] with method = \"{method}\" and path = \"{}\", with {{name}} for each value, \
             and then allow it",
            escape_control(path)
        ),
    }
}

fn label(step: &ExplanationStep) -> &'static str {
    match step {
        ExplanationStep::Caller { .. } | ExplanationStep::NoSuchCaller { .. } => "caller",
        ExplanationStep::Tenant { .. } | ExplanationStep::NoTenant { .. } => "tenant",
        ExplanationStep::Operation { .. } | ExplanationStep::NoSuchOperation { .. } => "operation",
        ExplanationStep::ClassRaised { .. } => "class",
        ExplanationStep::Rule { .. } | ExplanationStep::NoRule { .. } => "rule",
        ExplanationStep::RequiredHeader(_) => "duty",
        ExplanationStep::Identity { .. } => "identity",
    }
}

fn step_text(step: &ExplanationStep, origin: TenantOrigin, rules: ExplainRules<'_>) -> String {
    match step {
        ExplanationStep::Caller { name } => {
            let expired = rules
                .expired_at(name)
                .map(|at| format!(", but its keys expired on {at}"));
            format!(
                "{} is known{}",
                escape_control(name),
                expired.unwrap_or_default()
            )
        }
        ExplanationStep::NoSuchCaller { name, nearest } => {
            format!(
                "no caller is named {}{}",
                escape_control(name),
                did_you_mean(nearest)
            )
        }
        ExplanationStep::Tenant {
            tenant,
            selected_by: because,
        } => {
            let because = match (because, origin) {
                (TenantSelection::BasePath, _) => "named by the base path",
                (TenantSelection::Header, TenantOrigin::Header) => "named by NJP-Tenant",
                (TenantSelection::Header, TenantOrigin::AuditLine) => "the one on record",
                (TenantSelection::OnlyOne, _) => "the only one that this caller may use",
            };
            format!("{}: {because}", tenant.name)
        }
        ExplanationStep::NoTenant {
            error: problem,
            may_use,
        } => tenant_problem_text(problem, may_use),
        ExplanationStep::Operation {
            operation,
            parameters,
        } => operation_text(operation, parameters),
        ExplanationStep::NoSuchOperation {
            outside,
            nearest,
            wrong_value,
        } => match wrong_value {
            _ if *outside => "nothing outside /v2/ is ever forwarded".to_owned(),
            Some((operation, name, value)) => format!(
                "looks like {}, but {name} takes a whole number such as 12, and \"{}\" is none",
                named(operation),
                escape_control(value)
            ),
            None => no_such_operation_text(nearest),
        },
        ExplanationStep::ClassRaised { parameter } => {
            format!("raised from read to secrets, because the query has {parameter}")
        }
        ExplanationStep::Rule { rule, role: part } => rule_text(rule, *part),
        ExplanationStep::NoRule { policies } => format!("no rule of {policies} allows it"),
        ExplanationStep::RequiredHeader(duty) => {
            format!("the request must carry {}; without it: 428", duty.name())
        }
        ExplanationStep::Identity {
            choice,
            pin,
            tenant,
        } => identity_text(*choice, pin.as_ref(), tenant, rules),
    }
}

fn no_such_operation_text(nearest: &[Arc<Operation>]) -> String {
    let nearest: Vec<String> = nearest
        .iter()
        .map(|it| format!("{} {} ({})", it.method, it.template, it.id))
        .collect();
    format!(
        "the catalogue has no such method and path{}",
        did_you_mean(&nearest)
    )
}

/// `getDevice (GET /v2/device/{id})`
fn named(operation: &Operation) -> String {
    let Operation {
        id,
        method,
        template,
        ..
    } = operation;
    format!("{id} ({method} {template})")
}

fn identity_text(
    choice: IdentityChoice,
    pin: Option<&IdentityPin>,
    tenant: &Tenant,
    rules: ExplainRules<'_>,
) -> String {
    let IdentityChoice {
        identity,
        reason: because,
    } = choice;
    let name = &tenant.name;
    let because = match (because, pin) {
        (IdentityReason::Pinned, Some(pin)) => {
            format!(
                "pinned by identity of {} ({})",
                section(&pin.owner),
                pin.location
            )
        }
        (IdentityReason::Pinned, None) => "pinned".to_owned(),
        (IdentityReason::RequiresUser, _) => "the operation needs a user".to_owned(),
        (IdentityReason::UserContextRequired, _) => "NinjaOne asked for a user before".to_owned(),
        (IdentityReason::OnlyUser, _) => format!("the only identity that {name} has"),
        (IdentityReason::ServiceDefault, _) => {
            "nothing asks for a user; should NinjaOne do so, as user from then on".to_owned()
        }
    };
    let mut text = format!("sent to NinjaOne as {identity}: {because}");
    if !tenant.identities.has(identity) {
        let _ = write!(
            text,
            "; but [tenant.{name}.{identity}] is not configured: 503 login-needed"
        );
        return text;
    }
    let state = rules.login_state(name.as_str(), identity);
    if let (IdentityKind::User, LoginState::Needed(why)) = (identity, state) {
        let login = typed(format!("ninjaone-proxy login {name}"));
        let _ = write!(text, "; but {why}: 503 login-needed. Run: {login}");
    }
    text
}

fn tenant_problem_text(problem: &TenantSelectionError, may_use: &[String]) -> String {
    let problem = match problem {
        TenantSelectionError::NoSuchTenant => "none of that name that this caller may use",
        TenantSelectionError::Ambiguous => "the request names none, and there are several",
        TenantSelectionError::Conflicting => "the base path and NJP-Tenant name different ones",
    };
    match may_use {
        [] => format!("{problem}; it may use none"),
        names => format!("{problem}; it may use: {}", names.join(", ")),
    }
}

fn operation_text(operation: &Operation, parameters: &[(String, String)]) -> String {
    let mut text = format!(
        "{}: class {}, scope {} ({}), tag {}",
        named(operation),
        operation.class,
        operation.scope,
        operation.scope_basis,
        operation.tag,
    );
    for (name, value) in parameters {
        let _ = write!(text, ", {name} = {}", escape_control(value));
    }
    text
}

fn rule_text(rule: &Rule, part: RuleRole) -> String {
    let part = match part {
        RuleRole::Decides => "decides",
        RuleRole::Agrees => "agrees",
        RuleRole::Overruled => "overruled: deny wins",
        RuleRole::OnlyWithoutSecrets => {
            "covers this operation only when it is not asked for secrets"
        }
    };
    format!("{rule} at {}: {part}", rule.location)
}

fn conclusion_text(explanation: &Explanation) -> String {
    let code = explanation.conclusion.code();
    match &explanation.conclusion {
        Conclusion::Allowed { rule, .. } => {
            let duties: Vec<&str> = explanation
                .steps
                .iter()
                .filter_map(|step| match step {
                    ExplanationStep::RequiredHeader(duty) => Some(duty.name()),
                    _ => None,
                })
                .collect();
            match duties.as_slice() {
                [] => format!("Allowed by {rule} ({}).", rule.location),
                duties => format!(
                    "Allowed by {rule} ({}), if the request carries {}.",
                    rule.location,
                    duties.join(" and ")
                ),
            }
        }
        Conclusion::Denied { rule, .. } => {
            format!("Refused ({code}): {rule} ({}) denies it.", rule.location)
        }
        Conclusion::NotAllowed { .. } => format!("Refused ({code}): no rule allows it."),
        Conclusion::UnknownOperation => {
            format!("Refused ({code}): only operations of the catalogue are forwarded.")
        }
        Conclusion::TenantUnknown => format!("Refused ({code}): it is not clear which tenant."),
        Conclusion::NoSuchCaller => "Not found: there is no such caller.".to_owned(),
    }
}

/// `[policy.reporting]`, `[caller.powerbi]`
fn section(owner: &str) -> String {
    if owner.starts_with("caller.") {
        format!("[{owner}]")
    } else {
        format!("[policy.{owner}]")
    }
}

fn did_you_mean(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        [only] => format!("; did you mean {only}?"),
        several => format!("; nearest: {}", several.join(", ")),
    }
}
