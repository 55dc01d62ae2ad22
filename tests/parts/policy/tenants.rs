//! Which tenant a request is for.

use ninjaone_proxy::{
    net::Method,
    policy::{DenialReason, TenantSelectionError, policy_set::AuthorizationQuery},
};

use super::{TestPolicy, decide, readers};

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
        DenialReason::TenantUnknown(TenantSelectionError::Ambiguous)
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
        DenialReason::TenantUnknown(TenantSelectionError::Conflicting)
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
        DenialReason::TenantUnknown(TenantSelectionError::NoSuchTenant)
    );
    let none = TestPolicy {
        tenants: &[],
        ..readers()
    };
    assert_eq!(
        none.refuses(Method::Get, "/v2/devices"),
        DenialReason::TenantUnknown(TenantSelectionError::NoSuchTenant)
    );
}
