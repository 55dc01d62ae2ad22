//! What `explain` prints, and that it agrees with the decision.

use std::{fs, path::Path, sync::Arc};

use clap::Parser;
use ninjaone_proxy::{
    caller::Caller,
    cli::explain::ExplainArgs,
    names::IdentityKind,
    ninjaone::catalogue::Catalogue,
    policy::{
        DenialReason,
        explain::{Conclusion, ExplainRequest, SuggestedChange},
        identity::{ConfiguredIdentities, IdentityPin},
        policy_set::{AuthorizationQuery, CallerSource, PolicySet, PolicySource, TenantSource},
        rule::{Effect, Rule},
        selector::Selector,
    },
};
use proptest::prelude::*;
use serde_json::Value;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    explain: ExplainArgs,
}

fn rule(effect: Effect, selector: &str, owner: &str, line: usize) -> Rule {
    Rule {
        effect,
        selector: Selector::parse(selector).unwrap(),
        owner: Arc::from(owner),
        location: Arc::from(format!("config.toml:{line}")),
        identity_pin: None,
    }
}

/// With a service identity alone.
fn tenant(name: &str) -> TenantSource {
    TenantSource {
        name: name.parse().unwrap(),
        identities: ConfiguredIdentities {
            service: true,
            user: false,
        },
    }
}

fn caller(name: &str, rules: Vec<Rule>, tenants: Vec<usize>) -> CallerSource {
    CallerSource {
        name: name.parse().unwrap(),
        rules,
        tenants,
        reason_required: name == "helpdesk",
        on_behalf_of_required: name == "helpdesk",
        policies: Vec::new(),
    }
}

fn policy_set_of(callers: Vec<CallerSource>) -> PolicySet {
    PolicySet::new(PolicySource {
        catalogue: Arc::new(Catalogue::builtin()),
        tenants: vec![tenant("acme"), tenant("globex")],
        callers,
    })
}

fn policy_set() -> PolicySet {
    let own = |effect, selector, line| rule(effect, selector, "caller.powerbi", line);
    let agents = |effect, selector, line| rule(effect, selector, "agents", line);
    policy_set_of(vec![
        caller(
            "powerbi",
            vec![
                own(Effect::Allow, "read", 12),
                own(Effect::Deny, "tag:queries", 13),
            ],
            vec![0],
        ),
        caller(
            "agents",
            vec![
                agents(Effect::Allow, "scope:monitoring", 41),
                agents(Effect::Deny, "dangerous", 42),
                agents(Effect::Deny, "runScriptOnDevice", 43),
            ],
            vec![0, 1],
        ),
        caller(
            "helpdesk",
            vec![rule(Effect::Allow, "all", "helpdesk", 50)],
            vec![0],
        ),
        caller(
            "tickets",
            vec![Rule {
                identity_pin: Some(IdentityPin {
                    identity: IdentityKind::User,
                    owner: Arc::from("people"),
                    location: Arc::from("config.toml:62"),
                }),
                ..rule(Effect::Allow, "read", "people", 60)
            }],
            vec![0],
        ),
    ])
}

pub(crate) struct Told {
    pub(crate) code: u8,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn explain_from(directory: &Path, arguments: &[&str], json: bool) -> Told {
    let line = Line::try_parse_from([&["explain"], arguments].concat()).expect("arguments");
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = line
        .explain
        .run(&policy_set(), directory, json, &mut out, &mut err)
        .unwrap();
    Told {
        code: code.into(),
        out: String::from_utf8(out).unwrap(),
        err: String::from_utf8(err).unwrap(),
    }
}

fn explain(arguments: &[&str]) -> Told {
    explain_from(Path::new("/nonexistent"), arguments, false)
}

#[test]
fn an_allowed_request_is_told_step_by_step() {
    let told = explain(&["powerbi", "GET", "/v2/device/17"]);
    assert_eq!(told.code, 0);
    for chunk in [
        "powerbi is known",
        "acme: the only one",
        "getDevice (GET /v2/device/{id}): class read, scope monitoring (inferred), tag devices, id = 17",
        "caller.powerbi: allow = [\"read\"] at config.toml:12: decides",
        "sent to NinjaOne as service: nothing asks for a user",
        "Allowed by caller.powerbi: allow = [\"read\"] (config.toml:12).",
    ] {
        assert!(told.out.contains(chunk), "{chunk} in:\n{}", told.out);
    }
    assert!(!told.out.contains("To allow it"));
}

#[test]
fn method_and_target_may_be_one_argument_and_the_alias_is_the_same() {
    let one = explain(&["powerbi", "GET /api/v2/device/17"]);
    let two = explain(&["powerbi", "GET", "/v2/device/17"]);
    assert_eq!((one.code, one.out), (two.code, two.out));
}

#[test]
fn the_smallest_change_is_the_operation_in_the_callers_own_allow() {
    let told = explain(&["powerbi", "POST", "/v2/device/17/script/run"]);
    assert_eq!(told.code, 5);
    assert!(told.out.contains("no rule of caller.powerbi allows it"));
    assert!(
        told.out
            .contains("- add \"runScriptOnDevice\" to allow of [caller.powerbi] (config.toml:12)")
    );
}

#[test]
fn every_deny_must_go_and_an_allow_be_added_where_both_are_missing() {
    let told = explain(&["agents", "POST /tenant/acme/v2/device/17/script/run"]);
    assert_eq!(told.code, 5);
    for chunk in [
        "acme: named by the base path",
        "remove \"dangerous\" from deny of [policy.agents] (config.toml:42)",
        "remove \"runScriptOnDevice\" from deny of [policy.agents] (config.toml:43)",
        "add \"runScriptOnDevice\" to allow of [caller.agents]: ninjaone-proxy caller allow agents runScriptOnDevice\n",
    ] {
        assert!(told.out.contains(chunk), "{chunk} in:\n{}", told.out);
    }
}

#[test]
fn an_overruled_allow_and_the_deny_above_it_are_both_shown() {
    let told = explain(&["powerbi", "GET /v2/queries/custom-fields"]);
    assert!(told.out.contains("at config.toml:12: overruled: deny wins"));
    assert!(told.out.contains("at config.toml:13: decides"));
    assert!(
        told.out
            .contains("- remove \"tag:queries\" from deny of [caller.powerbi] (config.toml:13)")
    );
    assert!(!told.out.contains("- add"));
}

#[test]
fn a_read_raised_to_secrets_names_the_parameter_and_needs_the_exact_operation() {
    let told = explain(&[
        "agents",
        "GET /v2/queries/custom-fields?showSecureValues=true",
        "--tenant",
        "globex",
    ]);
    assert_eq!(told.code, 5);
    for chunk in [
        "globex: named by NJP-Tenant",
        "raised from read to secrets, because the query has showSecureValues",
        "covers this operation only when it is not asked for secrets",
        "add \"getCustomFieldsReport\" to allow",
    ] {
        assert!(told.out.contains(chunk), "{chunk} in:\n{}", told.out);
    }
}

#[test]
fn required_headers_are_named_with_the_allow() {
    let told = explain(&["helpdesk", "DELETE /v2/alert/abc"]);
    assert_eq!(told.code, 0);
    assert!(
        told.out
            .contains("if the request carries NJP-Reason and NJP-On-Behalf-Of.")
    );
}

#[test]
fn a_wrong_method_or_path_is_answered_with_the_nearest_operations_of_that_method() {
    for (request, nearest, other) in [
        ("GET /v2/device", "GET /v2/devices (getDevices)", "POST "),
        ("HEAD /v2/device", "GET /v2/devices (getDevices)", "POST "),
        (
            "PUT /v2/organizations",
            "PUT /v2/organization/{id}",
            "GET /v2/organizations",
        ),
    ] {
        let told = explain(&["powerbi", request]);
        assert_eq!(told.code, 5);
        let step = told.out.lines().find(|it| it.contains("no such method"));
        let step = step.unwrap_or_else(|| panic!("{}", told.out));
        assert!(step.contains(nearest), "{step}");
        assert!(!step.contains(other), "{step}");
    }
    let outside = explain(&["powerbi", "POST /ws/oauth/authorize"]);
    assert!(
        outside
            .out
            .contains("nothing outside /v2/ is ever forwarded")
    );
    assert!(!outside.out.contains("To allow it"));
}

#[test]
fn tenants_are_told_where_the_request_is_not_clear() {
    let ambiguous = explain(&["agents", "GET /v2/devices"]);
    assert_eq!(ambiguous.code, 5);
    assert!(ambiguous.out.contains("one of: acme, globex"));
    let foreign = explain(&["powerbi", "GET /v2/devices", "--tenant", "globex"]);
    assert!(
        foreign
            .out
            .contains("add \"globex\" to tenants of [caller.powerbi]")
    );
}

#[test]
fn an_unknown_caller_is_not_found_and_similar_names_are_offered() {
    let told = explain(&["powerb1", "GET /v2/devices"]);
    assert_eq!(told.code, 1);
    assert!(told.out.contains("did you mean powerbi?"), "{}", told.out);
}

#[test]
fn wrong_usage_is_said_on_stderr() {
    for arguments in [
        &["powerbi"][..],
        &["powerbi", "GET"],
        &["powerbi", "FETCH /v2/devices"],
        &["powerbi", "GET /v2/../x"],
    ] {
        let told = explain(arguments);
        assert_eq!(told.code, 2, "{arguments:?}");
        assert!(told.err.starts_with("error: "), "{}", told.err);
        assert!(told.out.is_empty());
    }
}

#[test]
fn it_says_as_whom_a_request_goes_and_why() {
    let pinned = explain(&["tickets", "GET /v2/devices"]);
    let by_catalogue = explain(&["helpdesk", "POST /v2/device/17/script/run"]);
    for (told, because) in [
        (
            &pinned,
            "pinned by identity of [policy.people] (config.toml:62)",
        ),
        (&by_catalogue, "the operation needs a user"),
    ] {
        let chunk = format!(
            "sent to NinjaOne as user: {because}; but [tenant.acme.user] is not configured: 503 login-needed"
        );
        assert!(told.out.contains(&chunk), "{chunk} in:\n{}", told.out);
    }
    let line = explain_from(
        Path::new("/nonexistent"),
        &["tickets", "GET /v2/devices"],
        true,
    );
    let object: Value = serde_json::from_str(&line.out).unwrap();
    assert_eq!(object["identity"], "user");
    let steps = object["steps"].as_array().unwrap();
    let step = steps.iter().find(|it| it["step"] == "identity").unwrap();
    assert_eq!(
        (&step["because"], &step["configured"]),
        (&"pinned".into(), &false.into())
    );
}

#[test]
fn json_has_the_same_story() {
    let told = explain_from(
        Path::new("/nonexistent"),
        &["powerbi", "GET /v2/device/17"],
        true,
    );
    let object: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(object["schema"], "explain/1");
    assert_eq!(object["decision"], "allowed");
    assert_eq!(object["operation"], "getDevice");
    assert_eq!(object["rule"]["place"], "config.toml:12");
    assert_eq!(object["identity"], "service");
    assert_eq!(object["steps"][0]["step"], "caller");
}

const ID: &str = "01K9YJ00000000000000000001";

fn outcome(id: &str, members: &str) -> String {
    format!(
        r#"{{"v":1,"seq":1,"at":"2026-11-17T14:02:11.123456Z","type":"outcome","request":"{id}",{members}}}"#
    )
}

#[test]
fn a_recorded_request_is_found_and_explained_by_the_rules_now_in_force() {
    let directory = tempfile::tempdir().unwrap();
    let secrets = outcome(
        ID,
        r#""caller":"powerbi","tenant":"acme","method":"POST","path":"/v2/device/{id}/script/run","params":{"id":"123"},"operation":"runScriptOnDevice","class":"dangerous","decision":"policy-denied","status":403"#,
    );
    let other = outcome("01K9YJ00000000000000000002", r#""caller":"agents""#);
    fs::write(
        directory.path().join("audit-000000000001.jsonl"),
        format!("{other}\nnot json\n{secrets}\n"),
    )
    .unwrap();

    let told = explain_from(directory.path(), &[&ID.to_lowercase()], false);

    assert_eq!(told.code, 5, "{}{}", told.out, told.err);
    for chunk in [
        "Recorded 2026-11-17T14:02:11.123456Z: POST /v2/device/{id}/script/run by powerbi; decision policy-denied, status 403",
        "id = 123",
        "no rule allows it",
    ] {
        assert!(told.out.contains(chunk), "{chunk} in:\n{}", told.out);
    }
}

#[test]
fn a_recorded_read_of_secrets_is_asked_about_as_one() {
    let directory = tempfile::tempdir().unwrap();
    let line = outcome(
        ID,
        r#""caller":"agents","tenant":"acme","method":"GET","path":"/v2/queries/custom-fields","operation":"getCustomFieldsReport","class":"secrets","decision":"allowed","policy":"agents","status":200"#,
    );
    fs::write(
        directory.path().join("audit-000000000001.jsonl"),
        line + "\n",
    )
    .unwrap();

    let told = explain_from(directory.path(), &[ID], true);

    assert_eq!(told.code, 5);
    let object: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(object["class"], "secrets");
    assert_eq!(object["then"]["decision"], "allowed");
    assert_eq!(object["decision"], "policy-denied");
}

#[test]
fn a_request_that_is_not_in_the_log_is_not_found() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(
        directory.path().join("audit-000000000001.jsonl"),
        outcome(ID, r#""x":1"#),
    )
    .unwrap();
    let told = explain_from(directory.path(), &["01K9YJ00000000000000000009"], false);
    assert_eq!(told.code, 1);
    assert!(told.err.contains("is not in"), "{}", told.err);
    let nowhere = explain(&[ID]);
    assert_eq!(nowhere.code, 1);
    assert!(nowhere.err.contains("cannot be read"), "{}", nowhere.err);
}

#[test]
fn a_recorded_request_without_a_caller_has_no_policy_to_explain() {
    let directory = tempfile::tempdir().unwrap();
    let line = outcome(
        ID,
        r#""caller":null,"method":"GET","path":"/v2/devices\u001b[2J","decision":"unauthenticated","status":401"#,
    );
    fs::write(directory.path().join("audit-000000000001.jsonl"), line).unwrap();
    let told = explain_from(directory.path(), &[ID], false);
    assert_eq!(told.code, 5);
    assert!(told.out.contains("an unknown caller"));
    assert!(!told.out.contains('\u{1b}'));
}

#[test]
fn what_was_too_large_names_the_setting_and_not_the_rules() {
    let directory = tempfile::tempdir().unwrap();
    let line = outcome(
        ID,
        r#""caller":"powerbi","tenant":"acme","method":"GET","path":"/v2/device/17","operation":"getDevice","params":{"id":"17"},"class":"read","decision":"too-large","status":413"#,
    );
    fs::write(directory.path().join("audit-000000000001.jsonl"), line).unwrap();
    let told = explain_from(directory.path(), &[ID], false);
    assert_eq!(told.code, 5, "{}", told.out);
    for setting in ["listen.max_body", "listen.max_upload"] {
        assert!(told.out.contains(setting), "{}", told.out);
    }
    assert!(!told.out.contains("would not refuse"), "{}", told.out);
}

#[test]
fn an_expired_key_leads_to_the_command_that_gives_it_a_later_date() {
    let directory = tempfile::tempdir().unwrap();
    let line = outcome(
        ID,
        r#""caller":null,"method":"GET","path":"/v2/devices","decision":"unauthenticated","error":"expired-key","status":401"#,
    );
    fs::write(directory.path().join("audit-000000000001.jsonl"), line).unwrap();
    let told = explain_from(directory.path(), &[ID], false);
    for words in ["key had expired", "caller set NAME --expires DATE"] {
        assert!(told.out.contains(words), "{}", told.out);
    }
}

#[test]
fn a_name_alone_is_answered_with_a_whole_command() {
    let told = explain(&["powerbi"]);
    assert_eq!(told.code, 2);
    let command = "ninjaone-proxy explain powerbi GET /v2/devices";
    assert!(told.err.contains(command), "{}", told.err);
}

const SELECTORS: [&str; 12] = [
    "all",
    "read",
    "secrets",
    "write",
    "dangerous",
    "scope:monitoring",
    "scope:management",
    "tag:queries",
    "tag:devices",
    "getCustomFieldsReport",
    "GET /v2/queries/**",
    "POST /v2/device/{id}/**",
];

fn any_rules() -> impl Strategy<Value = Vec<Rule>> {
    let any_rule = (any::<bool>(), 0..SELECTORS.len()).prop_map(|(deny, index)| {
        let effect = if deny { Effect::Deny } else { Effect::Allow };
        rule(effect, SELECTORS[index], "caller.it", 7)
    });
    prop::collection::vec(any_rule, 0..6)
}

proptest! {
    #[test]
    fn the_explanation_agrees_with_the_decision_and_its_changes_suffice(
        rules in any_rules(),
        asked in 0_usize..315,
        secure in any::<bool>(),
    ) {
        let policy_set = policy_set_of(vec![caller("it", rules.clone(), vec![0])]);
        let operation = Arc::clone(&policy_set.catalogue().all()[asked]);
        let path = operation.template.split('/').map(|segment| {
            if segment.starts_with('{') { "7" } else { segment }
        }).collect::<Vec<_>>().join("/");
        let query = secure.then_some("showSecureValues=true");
        let request = ExplainRequest {
            caller: "it", tenant: None, base_path_tenant: None,
            method: operation.method, path: &path, query,
        };
        let decide = |policy_set: &PolicySet| {
            let caller = Caller { name: "it".parse().unwrap(), index: 0 };
            policy_set.decide(&AuthorizationQuery {
                caller: &caller, base_path_tenant: None, header_tenant: None,
                method: operation.method, path: &path, query, reason: None, on_behalf_of: None,
            }).map_err(|refusal| refusal.reason)
        };

        let explanation = policy_set.explain(&request);

        match (&explanation.conclusion, decide(&policy_set)) {
            (Conclusion::Allowed { .. }, Ok(_))
            | (Conclusion::Denied { .. }, Err(DenialReason::DeniedBy { .. }))
            | (Conclusion::NotAllowed { .. }, Err(DenialReason::NotAllowed { .. }))
            | (Conclusion::UnknownOperation, Err(DenialReason::UnknownOperation)) => {}
            (told, decided) => prop_assert!(false, "{told:?} but {decided:?}"),
        }
        if explanation.conclusion == Conclusion::UnknownOperation {
            return Ok(());
        }

        let mut changed = rules;
        for change in explanation.changes {
            match change {
                SuggestedChange::RemoveDeny(gone) => changed.retain(|it| *it != gone),
                SuggestedChange::Allow { operation, .. } => {
                    changed.push(rule(Effect::Allow, &operation, "caller.it", 8));
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
        let policy_set = policy_set_of(vec![caller("it", changed, vec![0])]);
        prop_assert!(decide(&policy_set).is_ok());
        prop_assert_eq!(policy_set.explain(&request).conclusion.code(), "allowed");
    }
}

#[test]
fn what_was_typed_does_not_control_the_terminal_that_shows_it() {
    for arguments in [
        ["powerbi", "G\u{1b}[2JT", "/v2/devices"],
        ["powerbi", "GET", "/v2/\u{1b}[2Jdevices"],
    ] {
        let told = explain(&arguments);
        assert_eq!(told.code, 2, "{}", told.out);
        assert!(told.err.contains("\u{fffd}[2J"), "{}", told.err);
        assert!(!told.err.contains('\u{1b}'), "{}", told.err);
    }
}
