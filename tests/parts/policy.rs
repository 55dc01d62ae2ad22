//! What policies allow and refuse: precedence, secrets, tenants, duties.

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
        DenialReason, TenantSelectionError,
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
struct Desk<'a> {
    allow: &'a [&'a str],
    deny: &'a [&'a str],
    tenants: &'a [usize],
    reason: bool,
    on_behalf_of: bool,
}

const ACME: &[usize] = &[0];

fn readers() -> Desk<'static> {
    Desk {
        allow: &["read"],
        tenants: ACME,
        ..Desk::default()
    }
}

impl Desk<'_> {
    fn book(&self) -> PolicySet {
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
        decide(&self.book(), method, target, |question| question)
    }

    fn refuses(&self, method: Method, target: &str) -> DenialReason {
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
    book: &PolicySet,
    method: Method,
    target: &'a str,
    change: impl FnOnce(AuthorizationQuery<'a>) -> AuthorizationQuery<'a>,
) -> Result<AllowDecision, DenyDecision> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    book.decide(&change(AuthorizationQuery {
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

fn not_allowed() -> DenialReason {
    DenialReason::NotAllowed {
        policies: Arc::from("reporting"),
    }
}

const SECRET_READ: &str = "/v2/queries/custom-fields?showSecureValues=true";
const PLAIN_READ: &str = "/v2/queries/custom-fields";

#[test]
fn nothing_is_allowed_that_no_rule_allows() {
    let nobody = Desk {
        tenants: ACME,
        ..Desk::default()
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
    let other = Desk {
        allow: &["write"],
        ..readers()
    };
    assert_eq!(other.refuses(Method::Head, "/v2/devices"), not_allowed());
}

#[test]
fn deny_wins_over_allow_in_whichever_order_they_stand() {
    let desk = Desk {
        allow: &["all", "getDevices"],
        deny: &["tag:DEVICES"],
        ..readers()
    };
    assert_eq!(
        desk.refuses(Method::Get, "/v2/device/17"),
        DenialReason::DeniedBy {
            rule: Arc::from("policy reporting: deny = [\"tag:DEVICES\"]")
        }
    );
    desk.allows(Method::Get, "/v2/organizations");
}

#[test]
fn an_operation_that_needs_a_person_goes_as_user() {
    let desk = Desk {
        allow: &["all"],
        ..readers()
    };
    let grant = desk.allows(Method::Post, "/v2/device/1/script/run");
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
        let desk = Desk {
            allow: &[selector],
            ..readers()
        };
        desk.allows(Method::Get, PLAIN_READ);
        assert_eq!(
            desk.refuses(Method::Get, SECRET_READ),
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
        let desk = Desk {
            allow: &[selector],
            ..readers()
        };
        assert_eq!(
            desk.allows(Method::Get, SECRET_READ).class,
            RiskClass::Secrets,
            "{selector}"
        );
    }
}

#[test]
fn a_deny_of_secrets_or_of_the_plain_operation_catches_the_raised_one() {
    for selector in ["secrets", "read", "scope:monitoring", "tag:queries", "all"] {
        let desk = Desk {
            allow: &["all"],
            deny: &[selector],
            ..readers()
        };
        let why = desk.refuses(Method::Get, SECRET_READ);
        assert!(
            matches!(why, DenialReason::DeniedBy { .. }),
            "{selector}: {why:?}"
        );
    }
    let desk = Desk {
        allow: &["all"],
        deny: &["secrets"],
        ..readers()
    };
    desk.allows(Method::Get, PLAIN_READ);
}

#[test]
fn what_the_catalogue_does_not_know_is_refused_and_nothing_more_is_said() {
    let desk = Desk {
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
        let refusal = desk.decide(Method::Get, target).expect_err(target);
        assert_eq!(refusal.reason, DenialReason::UnknownOperation);
        assert_eq!(refusal.operation, None);
    }
    assert_eq!(
        desk.refuses(Method::Delete, "/v2/devices"),
        DenialReason::UnknownOperation
    );
}

#[test]
fn a_caller_with_one_tenant_need_not_name_it() {
    readers().allows(Method::Get, "/v2/devices");
}

#[test]
fn a_caller_with_several_tenants_must_name_one() {
    let desk = Desk {
        tenants: &[0, 1],
        ..readers()
    };
    assert_eq!(
        desk.refuses(Method::Get, "/v2/devices"),
        DenialReason::TenantUnknown(TenantSelectionError::Ambiguous)
    );
    let book = desk.book();
    for (base_path, header) in [
        (Some("globex"), None),
        (None, Some("globex")),
        (Some("globex"), Some("globex")),
    ] {
        let grant = decide(&book, Method::Get, "/v2/devices", |question| {
            AuthorizationQuery {
                base_path_tenant: base_path,
                header_tenant: header,
                ..question
            }
        });
        let tenant = grant.expect("named").tenant;
        assert_eq!((tenant.name.as_str(), tenant.index), ("globex", 1));
    }
}

#[test]
fn base_path_and_header_must_not_contradict_each_other() {
    let desk = Desk {
        tenants: &[0, 1],
        ..readers()
    };
    let refusal = decide(&desk.book(), Method::Get, "/v2/devices", |question| {
        AuthorizationQuery {
            base_path_tenant: Some("acme"),
            header_tenant: Some("globex"),
            ..question
        }
    });
    assert_eq!(
        refusal.expect_err("two names").reason,
        DenialReason::TenantUnknown(TenantSelectionError::Conflicting)
    );
}

#[test]
fn a_tenant_that_the_caller_may_not_use_looks_like_one_that_does_not_exist() {
    let book = readers().book();
    let ask = |name| {
        decide(&book, Method::Get, "/v2/devices", |question| {
            AuthorizationQuery {
                header_tenant: Some(name),
                ..question
            }
        })
    };
    assert_eq!(ask("globex"), ask("initech"));
    assert_eq!(
        ask("globex").expect_err("not theirs").reason,
        DenialReason::TenantUnknown(TenantSelectionError::NoSuchTenant)
    );
    let none = Desk {
        tenants: &[],
        ..readers()
    };
    assert_eq!(
        none.refuses(Method::Get, "/v2/devices"),
        DenialReason::TenantUnknown(TenantSelectionError::NoSuchTenant)
    );
}

#[test]
fn a_required_reason_and_person_are_asked_for_once_the_rules_allow() {
    let desk = Desk {
        reason: true,
        on_behalf_of: true,
        ..readers()
    };
    let book = desk.book();
    let ask = |reason, person| {
        decide(&book, Method::Get, "/v2/devices", |question| {
            AuthorizationQuery {
                reason,
                on_behalf_of: person,
                ..question
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
    assert_eq!(desk.refuses(Method::Delete, "/v2/alert/1"), not_allowed());
}

#[test]
fn an_index_of_other_rules_opens_nobodys_page() {
    let book = readers().book();
    let refusal = decide(&book, Method::Get, "/v2/devices", |question| {
        AuthorizationQuery {
            caller: &STRANGER,
            ..question
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
        place in 0_usize..315,
        ask_place in 0_usize..315,
        wild in 0_usize..4,
        deny in any::<bool>(),
    ) {
        let catalogue = catalogue();
        let template = &catalogue.all()[place].template;
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
        let method = catalogue.all()[place].method;
        let [short, long] = ["/v2", "/api/v2"].map(|root| format!("{method} {root}{pattern}"));
        let decide = |selector: &str| {
            let selectors = [selector];
            let desk = if deny {
                Desk { allow: &["all"], deny: &selectors, tenants: ACME, ..Desk::default() }
            } else {
                Desk { allow: &selectors, tenants: ACME, ..Desk::default() }
            };
            desk.decide(asked.method, &path)
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
fn the_rule_that_decides_says_as_whom() {
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
    let book = PolicySet::new(PolicySource {
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
        let grant = decide(&book, Method::Get, target, |it| it).unwrap();
        assert_eq!(grant.identity_preference, wish, "{target}");
    }
}
