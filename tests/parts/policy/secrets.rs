//! Reads that ask for secrets.

use ninjaone_proxy::{net::Method, ninjaone::operation::RiskClass, policy::DenialReason};

use super::{TestPolicy, catalogue, not_allowed, readers};

const SECRET_READ: &str = "/v2/queries/custom-fields?showSecureValues=true";

const PLAIN_READ: &str = "/v2/queries/custom-fields";

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
        assert!(
            matches!(why, DenialReason::DeniedBy { .. }),
            "{selector}: {why:?}"
        );
    }
    let policy = TestPolicy {
        allow: &["all"],
        deny: &["secrets"],
        ..readers()
    };
    policy.allows(Method::Get, PLAIN_READ);
}
