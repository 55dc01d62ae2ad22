//! Which identity carries a request.

use std::sync::Arc;

use ninjaone_proxy::{
    names::IdentityKind,
    net::Method,
    ninjaone::operation::{RequiredIdentity, RiskClass},
    policy::{
        identity::{
            ConfiguredIdentities, IdentityChoice, IdentityPin, IdentityPreference, IdentityReason,
            choose_identity,
        },
        policy_set::{CallerSource, PolicySet, PolicySource},
        rule::{Effect, Rule},
    },
};

use super::{TestPolicy, catalogue, decide, readers, rule, tenant};

#[test]
fn an_operation_that_needs_a_user_goes_as_user() {
    let policy = TestPolicy {
        allow: &["all"],
        ..readers()
    };
    let grant = policy.allows(Method::Post, "/v2/device/1/script/run");
    let needs = grant.operation.required_identity;
    let service = ConfiguredIdentities {
        service: true,
        user: false,
    };
    assert_eq!(
        choose_identity(grant.identity_preference, needs, false, service).identity,
        IdentityKind::User
    );
    assert_eq!(grant.class, RiskClass::Dangerous);
}

const BOTH: ConfiguredIdentities = ConfiguredIdentities {
    service: true,
    user: true,
};

const USER_ALONE: ConfiguredIdentities = ConfiguredIdentities {
    service: false,
    user: true,
};

const NONE: ConfiguredIdentities = ConfiguredIdentities {
    service: false,
    user: false,
};

fn is(
    preference: IdentityPreference,
    needs: RequiredIdentity,
    is_learned: bool,
    held: ConfiguredIdentities,
    identity: IdentityKind,
    reason: IdentityReason,
) {
    let choice = choose_identity(preference, needs, is_learned, held);
    let expected = IdentityChoice { identity, reason };
    assert_eq!(choice, expected, "{preference:?} {needs:?} {held:?}");
}

#[test]
fn the_identity_is_the_pinned_one_else_the_operations_else_the_learned_one_else_the_usual() {
    use {
        IdentityKind::{Service, User},
        IdentityPreference::{Auto, Pinned},
    };
    is(
        Pinned(Service),
        RequiredIdentity::User,
        true,
        BOTH,
        Service,
        IdentityReason::Pinned,
    );
    is(
        Pinned(User),
        RequiredIdentity::Service,
        false,
        NONE,
        User,
        IdentityReason::Pinned,
    );
    is(
        Auto,
        RequiredIdentity::User,
        false,
        BOTH,
        User,
        IdentityReason::RequiresUser,
    );
    is(
        Auto,
        RequiredIdentity::Service,
        true,
        BOTH,
        User,
        IdentityReason::UserContextRequired,
    );
    is(
        Auto,
        RequiredIdentity::Service,
        false,
        BOTH,
        Service,
        IdentityReason::ServiceDefault,
    );
    is(
        Auto,
        RequiredIdentity::MaybeUser,
        false,
        BOTH,
        Service,
        IdentityReason::ServiceDefault,
    );
    is(
        Auto,
        RequiredIdentity::Service,
        false,
        USER_ALONE,
        User,
        IdentityReason::OnlyUser,
    );
    is(
        Auto,
        RequiredIdentity::Service,
        false,
        NONE,
        Service,
        IdentityReason::ServiceDefault,
    );
}

#[test]
fn the_rule_that_decides_chooses_the_identity() {
    let pinned = |selector, identity| Rule {
        identity_pin: Some(IdentityPin {
            identity,
            owner: Arc::from("reporting"),
            location: Arc::from("config.toml:43"),
        }),
        ..rule(Effect::Allow, selector, 40)
    };
    let rules = vec![
        pinned("getDevices", IdentityKind::User),
        rule(Effect::Allow, "tag:devices", 41),
        pinned("read", IdentityKind::Service),
    ];
    let policy_set = PolicySet::new(PolicySource {
        catalogue: catalogue(),
        tenants: vec![tenant("acme")],
        callers: vec![CallerSource {
            name: "powerbi".parse().unwrap(),
            rules,
            tenants: vec![0],
            reason_required: false,
            on_behalf_of_required: false,
            policies: Vec::new(),
        }],
    });
    for (target, wish) in [
        (
            "/v2/devices",
            IdentityPreference::Pinned(IdentityKind::User),
        ),
        ("/v2/device/17", IdentityPreference::Auto),
        (
            "/v2/organizations",
            IdentityPreference::Pinned(IdentityKind::Service),
        ),
    ] {
        let grant = decide(&policy_set, Method::Get, target, |it| it).unwrap();
        assert_eq!(grant.identity_preference, wish, "{target}");
    }
}
