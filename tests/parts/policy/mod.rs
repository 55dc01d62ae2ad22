//! What policies allow and refuse.

mod identity;
mod rules;
mod secrets;
mod tenants;

use std::sync::{Arc, LazyLock};

use ninjaone_proxy::{
    caller::Caller,
    net::Method,
    ninjaone::catalogue::Catalogue,
    policy::{
        DenialReason,
        identity::ConfiguredIdentities,
        policy_set::{
            AllowDecision, AuthorizationQuery, CallerSource, DenyDecision, PolicySet, PolicySource,
            TenantSource,
        },
        rule::{Effect, Rule},
        selector::Selector,
    },
};

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

fn not_allowed() -> DenialReason {
    DenialReason::NotAllowed {
        policies: Arc::from("reporting"),
    }
}
