//! What policies allow and refuse: precedence, secrets, tenants, required headers.

use std::sync::{Arc, LazyLock};

use ninjaone_proxy::{
    caller::Caller,
    names::IdentityKind,
    net::Method,
    ninjaone::{
        catalogue::Catalogue,
        operation::{RequiredIdentity, RiskClass},
    },
    policy::{
        TenantSelectionError, Why,
        identity::{
            ConfiguredIdentities, IdentityChoice, IdentityPin, IdentityPreference, IdentityReason,
            choose_identity,
        },
        policy_set::{
            AllowDecision, AuthorizationQuery, CallerSource, DenyDecision, PolicySet, PolicySource,
            TenantSource,
        },
        rule::{Effect, Rule},
        selector::Selector,
    },
};
use proptest::prelude::*;

fn catalogue() -> Arc<Catalogue> {
    Arc::new(Catalogue::builtin())
}

fn rule(effect: Effect, selector: &str, line: usize) -> Rule {
    Rule {
        effect,
        selector: Selector::parse(selector).unwrap(),
        owner: Arc::from("reporting"),
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

/// Two tenants and a caller `powerbi`, who may use those listed.
#[derive(Clone, Copy, Default)]
struct TestPolicy<'a> {
    allow: &'a [&'a str],
    deny: &'a [&'a str],
    tenants: &'a [usize],
    reason: bool,
    on_behalf_of: bool,
}

const ACME: &[usize] = &[0];

fn readers() -> TestPolicy<'static> {
    TestPolicy {
        allow: &["read"],
        tenants: ACME,
        ..TestPolicy::default()
    }
}

impl TestPolicy<'_> {
    fn policy_set(&self) -> PolicySet {
        let allow = self.allow.iter().map(|it| (Effect::Allow, it));
        let deny = self.deny.iter().map(|it| (Effect::Deny, it));
        let rules = allow
            .chain(deny)
            .zip(40..)
            .map(|((effect, selector), line)| rule(effect, selector, line))
            .collect();
        PolicySet::new(PolicySource {
            catalogue: catalogue(),
            tenants: vec![tenant("acme"), tenant("globex")],
            callers: vec![CallerSource {
                name: "powerbi".parse().unwrap(),
                rules,
                tenants: self.tenants.to_vec(),
                reason_required: self.reason,
                on_behalf_of_required: self.on_behalf_of,
                policies: vec![Arc::from("reporting")],
            }],
        })
    }

    fn decide(&self, method: Method, target: &str) -> Result<AllowDecision, DenyDecision> {
        decide(&self.policy_set(), method, target, |query| query)
    }

    fn refuses(&self, method: Method, target: &str) -> Why {
        self.decide(method, target).expect_err(target).reason
    }

    fn allows(&self, method: Method, target: &str) -> AllowDecision {
        self.decide(method, target)
            .unwrap_or_else(|refusal| panic!("{target}: {:?}", refusal.reason))
    }
}

static POWERBI: LazyLock<Caller> = LazyLock::new(|| first("powerbi"));
static STRANGER: LazyLock<Caller> = LazyLock::new(|| first("stranger"));

fn first(name: &str) -> Caller {
    Caller {
        name: name.parse().unwrap(),
        index: 0,
    }
}

fn decide<'a>(
    policy_set: &PolicySet,
    method: Method,
    target: &'a str,
    change: impl FnOnce(AuthorizationQuery<'a>) -> AuthorizationQuery<'a>,
) -> Result<AllowDecision, DenyDecision> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    policy_set.decide(&change(AuthorizationQuery {
        caller: &POWERBI,
        base_path_tenant: None,
        header_tenant: None,
        method,
        path,
        query,
        reason: None,
        on_behalf_of: None,
    }))
}

fn not_allowed() -> Why {
    Why::NotAllowed {
        policies: Arc::from("reporting"),
    }
}

const SECRET_READ: &str = "/v2/queries/custom-fields?showSecureValues=true";
const PLAIN_READ: &str = "/v2/queries/custom-fields";

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
        Why::DeniedBy {
            rule: Arc::from("policy reporting: deny = [\"tag:DEVICES\"]")
        }
    );
    policy.allows(Method::Get, "/v2/organizations");
}

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

#[test]
fn a_parameter_that_asks_for_secrets_raises_a_read_out_of_the_class_read() {
    assert_eq!(
        readers().allows(Method::Get, PLAIN_READ).class,
        RiskClass::Read
    );
    let refusal = readers()
        .decide(Method::Get, SECRET_READ)
        .expect_err("raised");
    assert_eq!(refusal.class, Some(RiskClass::Secrets));
    assert_eq!(refusal.reason, not_allowed());
}

#[test]
fn a_broad_allow_does_not_cover_a_read_that_asks_for_secrets() {
    let broad = [
        "read",
        "scope:monitoring",
        "tag:queries",
        "GET /v2/queries/*",
        "GET /v2/queries/**",
    ];
    for selector in broad {
        let policy = TestPolicy {
            allow: &[selector],
            ..readers()
        };
        policy.allows(Method::Get, PLAIN_READ);
        assert_eq!(
            policy.refuses(Method::Get, SECRET_READ),
            not_allowed(),
            "{selector}"
        );
    }
}

#[test]
fn secrets_all_or_the_operation_itself_cover_a_read_that_asks_for_secrets() {
    let id = catalogue()
        .by_path(Method::Get, PLAIN_READ)
        .unwrap()
        .id
        .to_string();
    for selector in ["secrets", "all", &id, "GET /api/v2/queries/custom-fields"] {
        let policy = TestPolicy {
            allow: &[selector],
            ..readers()
        };
        assert_eq!(
            policy.allows(Method::Get, SECRET_READ).class,
            RiskClass::Secrets,
            "{selector}"
        );
    }
}

#[test]
fn a_deny_of_secrets_or_of_the_plain_operation_catches_the_raised_one() {
    for selector in ["secrets", "read", "scope:monitoring", "tag:queries", "all"] {
        let policy = TestPolicy {
            allow: &["all"],
            deny: &[selector],
            ..readers()
        };
        let why = policy.refuses(Method::Get, SECRET_READ);
        assert!(matches!(why, Why::DeniedBy { .. }), "{selector}: {why:?}");
    }
    let policy = TestPolicy {
        allow: &["all"],
        deny: &["secrets"],
        ..readers()
    };
    policy.allows(Method::Get, PLAIN_READ);
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
        "/v2/devices/",
        "/ws/oauth/token",
        "/oauth/token",
        "/apidocs/NinjaRMM-API-v2.json",
        "/",
        "/v2",
    ] {
        let refusal = policy.decide(Method::Get, target).expect_err(target);
        assert_eq!(refusal.reason, Why::UnknownOperation);
        assert_eq!(refusal.operation, None);
    }
    assert_eq!(
        policy.refuses(Method::Delete, "/v2/devices"),
        Why::UnknownOperation
    );
}

#[test]
fn a_caller_with_one_tenant_need_not_name_it() {
    readers().allows(Method::Get, "/v2/devices");
}

#[test]
fn a_caller_with_several_tenants_must_name_one() {
    let policy = TestPolicy {
        tenants: &[0, 1],
        ..readers()
    };
    assert_eq!(
        policy.refuses(Method::Get, "/v2/devices"),
        Why::TenantUnknown(TenantSelectionError::Ambiguous)
    );
    let policy_set = policy.policy_set();
    for (base_path, header) in [
        (Some("globex"), None),
        (None, Some("globex")),
        (Some("globex"), Some("globex")),
    ] {
        let grant = decide(&policy_set, Method::Get, "/v2/devices", |query| {
            AuthorizationQuery {
                base_path_tenant: base_path,
                header_tenant: header,
                ..query
            }
        });
        let tenant = grant.expect("named").tenant;
        assert_eq!((tenant.name.as_str(), tenant.index), ("globex", 1));
    }
}

#[test]
fn base_path_and_header_must_not_contradict_each_other() {
    let policy = TestPolicy {
        tenants: &[0, 1],
        ..readers()
    };
    let refusal = decide(&policy.policy_set(), Method::Get, "/v2/devices", |query| {
        AuthorizationQuery {
            base_path_tenant: Some("acme"),
            header_tenant: Some("globex"),
            ..query
        }
    });
    assert_eq!(
        refusal.expect_err("two names").reason,
        Why::TenantUnknown(TenantSelectionError::Conflicting)
    );
}

#[test]
fn a_tenant_that_the_caller_may_not_use_looks_like_one_that_does_not_exist() {
    let policy_set = readers().policy_set();
    let ask = |name| {
        decide(&policy_set, Method::Get, "/v2/devices", |query| {
            AuthorizationQuery {
                header_tenant: Some(name),
                ..query
            }
        })
    };
    assert_eq!(ask("globex"), ask("initech"));
    assert_eq!(
        ask("globex").expect_err("not theirs").reason,
        Why::TenantUnknown(TenantSelectionError::NoSuchTenant)
    );
    let none = TestPolicy {
        tenants: &[],
        ..readers()
    };
    assert_eq!(
        none.refuses(Method::Get, "/v2/devices"),
        Why::TenantUnknown(TenantSelectionError::NoSuchTenant)
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
    assert_eq!(ask(None, None), Err(Why::ReasonRequired));
    assert_eq!(ask(Some("  "), Some("j.doe")), Err(Why::ReasonRequired));
    assert_eq!(ask(Some("T-1"), None), Err(Why::OnBehalfOfRequired));
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
        Why::NotAllowed { .. }
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

#[test]
fn the_identity_is_the_pinned_one_else_the_operations_else_the_learned_one_else_the_usual() {
    use IdentityKind::{Service, User};
    use IdentityPreference::{Auto, Pinned};
    let is = |wish, needs, is_learned, held, identity, because| {
        let choice = choose_identity(wish, needs, is_learned, held);
        let expected = IdentityChoice {
            identity,
            reason: because,
        };
        assert_eq!(choice, expected, "{wish:?} {needs:?} {held:?}");
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
