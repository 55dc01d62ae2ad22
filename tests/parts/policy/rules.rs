//! Which rule decides, and which headers it requires.

use std::sync::Arc;

use ninjaone_proxy::{
    net::Method,
    ninjaone::operation::RiskClass,
    policy::{DenialReason, identity::IdentityPreference, policy_set::AuthorizationQuery},
};
use proptest::prelude::*;

use super::{ACME, STRANGER, TestPolicy, catalogue, decide, not_allowed, readers};

#[test]
fn a_request_is_denied_unless_a_rule_allows_it() {
    let nobody = TestPolicy {
        tenants: ACME,
        ..TestPolicy::default()
    };
    assert_eq!(nobody.refuses(Method::Get, "/v2/devices"), not_allowed());
    assert_eq!(
        readers().refuses(Method::Delete, "/v2/alert/abc"),
        not_allowed()
    );
}

#[test]
fn a_read_is_allowed_by_the_class_read_and_the_grant_says_by_which_rule() {
    let grant = readers().allows(Method::Get, "/v2/device/17");
    assert_eq!(&*grant.rule, "reporting");
    assert_eq!(grant.class, RiskClass::Read);
    assert_eq!(grant.tenant.name.as_str(), "acme");
    assert_eq!(grant.identity_preference, IdentityPreference::Auto);
    assert_eq!(&*grant.parameters.values()[0], "17");
}

#[test]
fn head_is_allowed_where_get_is() {
    readers().allows(Method::Head, "/v2/devices");
    let other = TestPolicy {
        allow: &["write"],
        ..readers()
    };
    assert_eq!(other.refuses(Method::Head, "/v2/devices"), not_allowed());
}

#[test]
fn deny_wins_over_allow_in_whichever_order_they_stand() {
    let policy = TestPolicy {
        allow: &["all", "getDevices"],
        deny: &["tag:DEVICES"],
        ..readers()
    };
    assert_eq!(
        policy.refuses(Method::Get, "/v2/device/17"),
        DenialReason::DeniedBy {
            rule: Arc::from("policy reporting: deny = [\"tag:DEVICES\"]")
        }
    );
    policy.allows(Method::Get, "/v2/organizations");
}

#[test]
fn what_the_catalogue_does_not_know_is_refused_and_nothing_more_is_said() {
    let policy = TestPolicy {
        allow: &["all"],
        ..readers()
    };
    for target in [
        "/v2/nothing",
        "/V2/devices",
        "/ws/oauth/token",
        "/oauth/token",
        "/apidocs/NinjaRMM-API-v2.json",
        "/",
        "/v2",
    ] {
        let refusal = policy.decide(Method::Get, target).expect_err(target);
        assert_eq!(refusal.reason, DenialReason::UnknownOperation);
        assert_eq!(refusal.operation, None);
    }
    assert_eq!(
        policy.refuses(Method::Delete, "/v2/devices"),
        DenialReason::UnknownOperation
    );
}

#[test]
fn a_required_reason_and_user_are_asked_for_once_the_rules_allow() {
    let policy = TestPolicy {
        reason: true,
        on_behalf_of: true,
        ..readers()
    };
    let policy_set = policy.policy_set();
    let ask = |reason, user| {
        decide(&policy_set, Method::Get, "/v2/devices", |query| {
            AuthorizationQuery {
                reason,
                on_behalf_of: user,
                ..query
            }
        })
        .map_err(|refusal| refusal.reason)
    };
    assert_eq!(ask(None, None), Err(DenialReason::ReasonRequired));
    assert_eq!(
        ask(Some("  "), Some("j.doe")),
        Err(DenialReason::ReasonRequired)
    );
    assert_eq!(
        ask(Some("T-1"), None),
        Err(DenialReason::OnBehalfOfRequired)
    );
    assert!(ask(Some("T-1"), Some("j.doe")).is_ok());
    assert_eq!(policy.refuses(Method::Delete, "/v2/alert/1"), not_allowed());
}

#[test]
fn an_index_of_other_rules_finds_no_policy() {
    let policy_set = readers().policy_set();
    let refusal = decide(&policy_set, Method::Get, "/v2/devices", |query| {
        AuthorizationQuery {
            caller: &STRANGER,
            ..query
        }
    });
    assert!(matches!(
        refusal.expect_err("stranger").reason,
        DenialReason::NotAllowed { .. }
    ));
}

proptest! {
    /// P13: the alias decides nothing, neither in a rule nor (folded before it comes here) in a request.
    #[test]
    fn the_decision_is_the_same_under_both_aliases(
        index in 0_usize..315,
        ask_place in 0_usize..315,
        wild in 0_usize..4,
        deny in any::<bool>(),
    ) {
        let catalogue = catalogue();
        let template = &catalogue.all()[index].template;
        let below = template.strip_prefix("/v2").unwrap();
        let pattern = match wild {
            0 => below.to_owned(),
            1 => below.rsplit_once('/').unwrap().0.to_owned() + "/*",
            2 => below.rsplit_once('/').unwrap().0.to_owned() + "/**",
            _ => "/**".to_owned(),
        };
        let asked = &catalogue.all()[ask_place];
        let path: String = asked.template.split('/').map(|segment| {
            if segment.starts_with('{') { "/7".to_owned() } else { format!("/{segment}") }
        }).collect::<String>().replacen("//", "/", 1);
        let method = catalogue.all()[index].method;
        let [short, long] = ["/v2", "/api/v2"].map(|root| format!("{method} {root}{pattern}"));
        let decide = |selector: &str| {
            let selectors = [selector];
            let policy = if deny {
                TestPolicy { allow: &["all"], deny: &selectors, tenants: ACME, ..TestPolicy::default() }
            } else {
                TestPolicy { allow: &selectors, tenants: ACME, ..TestPolicy::default() }
            };
            policy.decide(asked.method, &path)
        };
        prop_assert_eq!(decide(&short), decide(&long));
    }
}
