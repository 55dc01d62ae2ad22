//! Formats an explanation as text: one numbered step per line, then the verdict, then what would change it.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::{
    ninjaone::operation::Operation,
    policy::{
        Tenant, TenantProblem,
        explain::{Change, Conclusion, Explanation, Part, Request, Step, TenantChoice},
        identity::{Because, Choice, Pin},
        rule::Rule,
    },
};

use super::recorded_request::Record;

/// The whole text, with a trailing newline.
pub(super) fn of(request: &Request<'_>, explanation: &Explanation) -> String {
    let mut text = format!(
        "{}: {} {}\n\n",
        visible(request.caller),
        request.method,
        visible(request.path)
    );
    for (number, step) in (1..).zip(&explanation.steps) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{number:>3}. {:<10} {}", label(step), of_step(step));
    }
    let _ = writeln!(text, "\n{}", of_conclusion(explanation));
    if !explanation.changes.is_empty() {
        text.push_str("\nTo allow it:\n");
        for change in &explanation.changes {
            let _ = writeln!(text, "  - {}", of_change(change));
        }
    }
    text
}

/// One line about a recorded request.
pub(super) fn of_record(record: &Record) -> String {
    let or = |text: &Option<String>, other: &str| visible(text.as_deref().unwrap_or(other));
    let mut text = format!(
        "Recorded {}: {} {} by {}; decision {}",
        or(&record.at, "at an unknown time"),
        or(&record.method, "?"),
        or(&record.path, "?"),
        or(&record.caller, "an unknown caller"),
        or(&record.decision, "not reached"),
    );
    if let Some(policy) = &record.policy {
        let _ = write!(text, ", policy {}", visible(policy));
    }
    if let Some(identity) = &record.identity {
        let _ = write!(text, ", as {}", visible(identity));
    }
    if let Some(status) = record.status {
        let _ = write!(text, ", status {status}");
    }
    text.push_str(". By the rules now in force:");
    text
}

pub(super) fn step_json(step: &Step) -> Value {
    let mut object = json!({ "step": label(step), "text": of_step(step) });
    let mut add = |name: &str, value: Value| {
        if let Some(members) = object.as_object_mut() {
            members.insert(name.to_owned(), value);
        }
    };
    match step {
        Step::Rule { rule, part } => {
            add("effect", json!(rule.effect.as_str()));
            add("selector", json!(rule.selector.to_string()));
            add("owner", json!(&*rule.owner));
            add("place", json!(&*rule.place));
            add("decides", json!(*part == Part::Decides));
        }
        Step::Identity { choice, tenant, .. } => {
            add("identity", json!(choice.identity.as_str()));
            add("because", json!(choice.because.as_str()));
            add("configured", json!(tenant.held.has(choice.identity)));
        }
        _ => {}
    }
    object
}

pub(super) fn of_change(change: &Change) -> String {
    match change {
        Change::Allow {
            operation,
            caller,
            place,
        } => {
            let place = place.as_ref().map(|place| format!(" ({place})"));
            format!(
                "add \"{operation}\" to allow of [caller.{caller}]{}",
                place.unwrap_or_default()
            )
        }
        Change::RemoveDeny(rule) => format!(
            "remove \"{}\" from deny of {} ({})",
            rule.selector,
            section(&rule.owner),
            rule.place
        ),
        Change::GiveTenant { tenant, caller } => {
            format!("add \"{tenant}\" to tenants of [caller.{caller}]")
        }
        Change::NameTenant(names) => format!(
            "send NJP-Tenant (here: --tenant) with one of: {}",
            names.join(", ")
        ),
        Change::NameOneTenant => "name one tenant only, by base path or by NJP-Tenant".to_owned(),
        Change::AddOperation { method, path } => format!(
            "if NinjaOne has it, add [[operation]] with method = \"{method}\" and path = \"{}\", with {{name}} for each value, \
             and then allow it",
            visible(path)
        ),
    }
}

fn label(step: &Step) -> &'static str {
    match step {
        Step::Caller { .. } | Step::NoSuchCaller { .. } => "caller",
        Step::Tenant { .. } | Step::NoTenant { .. } => "tenant",
        Step::Operation { .. } | Step::NoSuchOperation { .. } => "operation",
        Step::Raised { .. } => "class",
        Step::Rule { .. } | Step::NoRule { .. } => "rule",
        Step::Duty(_) => "duty",
        Step::Identity { .. } => "identity",
    }
}

fn of_step(step: &Step) -> String {
    match step {
        Step::Caller { name } => format!("{} is known", visible(name)),
        Step::NoSuchCaller { name, nearest } => {
            format!(
                "no caller is named {}{}",
                visible(name),
                did_you_mean(nearest)
            )
        }
        Step::Tenant { tenant, because } => {
            let because = match because {
                TenantChoice::BasePath => "named by the base path",
                TenantChoice::Header => "named by NJP-Tenant",
                TenantChoice::OnlyOne => "the only one that this caller may use",
            };
            format!("{}: {because}", tenant.name)
        }
        Step::NoTenant { problem, may_use } => of_tenant_problem(problem, may_use),
        Step::Operation {
            operation,
            parameters,
        } => of_operation(operation, parameters),
        Step::NoSuchOperation { outside: true, .. } => {
            "nothing outside /v2/ is ever forwarded".to_owned()
        }
        Step::NoSuchOperation { nearest, .. } => {
            let nearest: Vec<String> = nearest
                .iter()
                .map(|it| format!("{} {} ({})", it.method, it.template, it.id))
                .collect();
            format!(
                "the catalogue has no such method and path{}",
                did_you_mean(&nearest)
            )
        }
        Step::Raised { parameter } => {
            format!("raised from read to secrets, because the query has {parameter}")
        }
        Step::Rule { rule, part } => of_rule(rule, *part),
        Step::NoRule { policies } => format!("no rule of {policies} allows it"),
        Step::Duty(duty) => format!("the request must carry {}; without it: 428", duty.header()),
        Step::Identity {
            choice,
            pin,
            tenant,
        } => of_identity(*choice, pin.as_ref(), tenant),
    }
}

fn of_identity(choice: Choice, pin: Option<&Pin>, tenant: &Tenant) -> String {
    let Choice { identity, because } = choice;
    let name = &tenant.name;
    let because = match (because, pin) {
        (Because::Pinned, Some(pin)) => {
            format!(
                "pinned by identity of {} ({})",
                section(&pin.owner),
                pin.place
            )
        }
        (Because::Pinned, None) => "pinned".to_owned(),
        (Because::NeedsPerson, _) => "the operation needs a person".to_owned(),
        (Because::Learned, _) => "NinjaOne asked for a person before".to_owned(),
        (Because::OnlyUser, _) => format!("the only identity that {name} has"),
        (Because::Usual, _) => {
            "nothing asks for a person; should NinjaOne do so, as user from then on".to_owned()
        }
    };
    let mut text = format!("sent to NinjaOne as {identity}: {because}");
    if !tenant.held.has(identity) {
        let _ = write!(
            text,
            "; but [tenant.{name}.{identity}] is not configured: 503 login-needed"
        );
    }
    text
}

fn of_tenant_problem(problem: &TenantProblem, may_use: &[String]) -> String {
    let problem = match problem {
        TenantProblem::NoSuchTenant => "none of that name that this caller may use",
        TenantProblem::Ambiguous => "the request names none, and there are several",
        TenantProblem::Contradiction => "the base path and NJP-Tenant name different ones",
    };
    match may_use {
        [] => format!("{problem}; it may use none"),
        names => format!("{problem}; it may use: {}", names.join(", ")),
    }
}

fn of_operation(operation: &Operation, parameters: &[(String, String)]) -> String {
    let mut text = format!(
        "{} ({} {}): class {}, scope {} ({}), tag {}",
        operation.id,
        operation.method,
        operation.template,
        operation.class,
        operation.scope,
        operation.scope_basis,
        operation.tag,
    );
    for (name, value) in parameters {
        let _ = write!(text, ", {name} = {}", visible(value));
    }
    text
}

fn of_rule(rule: &Rule, part: Part) -> String {
    let part = match part {
        Part::Decides => "decides",
        Part::Agrees => "agrees",
        Part::Overruled => "overruled: deny wins",
        Part::PlainOnly => "covers this operation only when it is not asked for secrets",
    };
    format!("{rule} at {}: {part}", rule.place)
}

fn of_conclusion(explanation: &Explanation) -> String {
    let code = explanation.conclusion.code();
    match &explanation.conclusion {
        Conclusion::Allowed { rule, .. } => {
            let duties: Vec<&str> = explanation
                .steps
                .iter()
                .filter_map(|step| match step {
                    Step::Duty(duty) => Some(duty.header()),
                    _ => None,
                })
                .collect();
            match duties.as_slice() {
                [] => format!("Allowed by {rule} ({}).", rule.place),
                duties => format!(
                    "Allowed by {rule} ({}), if the request carries {}.",
                    rule.place,
                    duties.join(" and ")
                ),
            }
        }
        Conclusion::Denied { rule, .. } => {
            format!("Refused ({code}): {rule} ({}) denies it.", rule.place)
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

/// A caller chose this text, so control characters are removed: they must not reach the terminal.
fn visible(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}
