//! The answer as a document for programs.

use serde_json::{Value, json};

use crate::{
    ninjaone::operation::RiskClass,
    policy::explain::{Conclusion, ExplainRequest, Explanation, ExplanationStep},
};

use super::{
    answer::SCHEMA,
    obstacle::Obstacle,
    recorded_request::RecordedRequest,
    rules::ExplainRules,
    text::{self, TenantOrigin},
    verdict::Verdict,
};

/// `explain/1` of a request by the rules in force.
pub(super) fn explanation_document(
    request: &ExplainRequest<'_>,
    explanation: &Explanation,
    obstacle: Option<&Obstacle>,
    then: Option<&RecordedRequest>,
    rules: ExplainRules<'_>,
) -> Value {
    let conclusion = &explanation.conclusion;
    let rule = match conclusion {
        Conclusion::Allowed { rule, .. } | Conclusion::Denied { rule, .. } => {
            json!({ "effect": rule.effect.as_str(), "selector": rule.selector.to_string(),
                    "owner": &*rule.owner, "place": &*rule.location })
        }
        _ => Value::Null,
    };
    let find =
        |pick: fn(&ExplanationStep) -> Option<String>| explanation.steps.iter().find_map(pick);
    let origin = TenantOrigin::of(request, then);
    let steps = explanation.steps.iter();
    let steps: Vec<Value> = steps.map(|it| text::step_json(it, origin, rules)).collect();
    let changes = explanation.changes.iter().map(text::change_text);
    let changes: Vec<String> = obstacle
        .map(Obstacle::change)
        .into_iter()
        .chain(changes)
        .collect();
    let now = obstacle.map_or_else(|| conclusion.code(), Obstacle::code);
    let verdict = then.map(|it| Verdict::of(it, rules));
    let refused = then.filter(|it| it.was_refused());
    let decision = refused.and_then(RecordedRequest::result);
    json!({
        "schema": SCHEMA,
        "caller": request.caller,
        "method": request.method.as_str(),
        "path": request.path,
        "tenant": find(|step| match step {
            ExplanationStep::Tenant { tenant, .. } => Some(tenant.name.to_string()),
            _ => None,
        }),
        "operation": find(|step| match step {
            ExplanationStep::Operation { operation, .. } => Some(operation.id.to_string()),
            _ => None,
        }),
        "class": conclusion.class().map(RiskClass::as_str),
        // What happened to it, where it was refused; otherwise what would happen now.
        "decision": decision.unwrap_or(now),
        "now": now,
        "verdict": verdict.as_ref().map(|it| &it.sentence),
        "do": verdict.as_ref().and_then(|it| it.remedy.as_ref()),
        "rule": rule,
        "identity": find(|step| match step {
            ExplanationStep::Identity { choice, .. } => Some(choice.identity.to_string()),
            _ => None,
        }),
        "steps": steps,
        "changes": changes,
        "then": then.map(RecordedRequest::to_json),
    })
}

/// `explain/1` of a recorded request that no policy was asked of.
pub(super) fn record_document(record: &RecordedRequest, rules: ExplainRules<'_>) -> Value {
    let verdict = Verdict::of(record, rules);
    json!({
        "schema": SCHEMA,
        "decision": record.decision,
        "verdict": verdict.sentence,
        "do": verdict.remedy,
        "then": record.to_json(),
        "steps": [],
    })
}
