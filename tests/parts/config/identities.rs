//! User identities: which applications there are, and which settings each may have.

use std::time::Duration;

use ninjaone_proxy::{
    config::{Platform, UserIdentity},
    credentials::{
        grant::application::ClientAuthMethod, login::authorization::AuthorizationFlow,
        token::schedule::RenewalSchedule,
    },
};

use super::House;

const SEAL: &str = "[store]\nseal = { passphrase_file = \"acme.secret\" }\n";
const WEB: &str = "client_id = \"b7Rn1\"\nclient_secret = { file = \"acme.secret\" }\n";
const NATIVE: &str = "client_id = \"b7Rn1\"\n";

fn with_user(settings: &str) -> House {
    House::new(&format!(
        "{SEAL}[tenant.acme]\nregion = \"eu\"\n[tenant.acme.user]\n{settings}"
    ))
}

fn user(settings: &str) -> UserIdentity {
    let config = with_user(settings).accepted();
    config.tenants[0].user.clone().unwrap()
}

fn redirect(platform: &str, text: &str) -> House {
    let secret = if platform == "web" { WEB } else { NATIVE };
    with_user(&format!(
        "{secret}platform = \"{platform}\"\nredirect = \"{text}\"\n"
    ))
}

#[test]
fn an_application_with_a_secret_is_a_web_application() {
    let user = user(WEB);
    assert_eq!(user.platform, Platform::Web);
    assert_eq!(user.client_secret.unwrap().expose(), "a secret for tests");
    assert_eq!(user.grant, AuthorizationFlow::Code);
    assert_eq!(user.scopes, ["monitoring", "management", "offline_access"]);
    assert_eq!(user.redirect.uri, "http://127.0.0.1:6468/callback");
    assert_eq!(user.keepalive, Duration::from_hours(12));
    assert_eq!(user.refresh_at, RenewalSchedule::AtLifetimePercent(80));
    assert_eq!(user.client_auth, ClientAuthMethod::ClientSecretPost);
}

#[test]
fn an_application_without_a_secret_is_a_native_one() {
    let user = user(NATIVE);
    assert_eq!(user.platform, Platform::Native);
    assert!(user.client_secret.is_none());
}

#[test]
fn a_tenant_may_have_both_identities_or_the_person_alone() {
    let house = House::with_tenant(&format!("[tenant.acme.user]\n{NATIVE}{SEAL}"));
    let tenant = &house.accepted().tenants[0];
    assert!(tenant.service.is_some() && tenant.user.is_some());
    let tenant = &with_user(NATIVE).accepted().tenants[0];
    assert!(tenant.service.is_none() && tenant.user.is_some());
}

#[test]
fn without_refresh_tokens_offline_access_is_not_asked_for() {
    for settings in [
        format!("{NATIVE}platform = \"single-page\"\n"),
        format!("{NATIVE}grant = \"implicit\"\n"),
        format!("{WEB}grant = \"implicit\"\n"),
    ] {
        assert_eq!(user(&settings).scopes, ["monitoring", "management"]);
        assert_eq!(with_user(&settings).warnings(), [""; 0]);
    }
}

#[test]
fn that_each_tokens_end_needs_a_login_is_a_warning() {
    for application in [WEB, NATIVE] {
        let house = with_user(&format!("{application}scopes = [\"monitoring\"]\n"));
        let warnings = house.warnings();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(
            warnings[0].contains("log in again at each token's end"),
            "{warnings:?}"
        );
    }
}

#[test]
fn a_redirect_is_kept_as_it_is_written() {
    let cases = [
        (
            "native",
            "http://127.0.0.1:6468",
            Some("127.0.0.1:6468"),
            "/",
        ),
        (
            "native",
            "http://127.0.0.1:6468/",
            Some("127.0.0.1:6468"),
            "/",
        ),
        (
            "native",
            "http://127.0.0.1:80/a/",
            Some("127.0.0.1:80"),
            "/a/",
        ),
        (
            "web",
            "http://[::1]:6468/callback",
            Some("[::1]:6468"),
            "/callback",
        ),
        ("web", "HTTP://127.0.0.1/a?b=/c", Some("127.0.0.1:80"), "/a"),
        ("web", "https://Proxy.acme.example?x", None, "/"),
        ("single-page", "https://127.0.0.1:6468/%41", None, "/%41"),
    ];
    for (platform, text, listens, path) in cases {
        let config = redirect(platform, text).accepted();
        let redirect = config.tenants[0].user.clone().unwrap().redirect;
        assert_eq!(redirect.uri, text);
        assert_eq!(
            redirect.loopback,
            listens.map(|it| it.parse().unwrap()),
            "{text}"
        );
        assert_eq!(redirect.path, path, "{text}");
    }
}

#[test]
fn that_a_login_must_be_pasted_is_a_warning() {
    let house = redirect("web", "https://proxy.acme.example/callback");
    assert_eq!(house.warnings(), ["`login` cannot listen there"]);
    assert_eq!(redirect("web", "http://[::1]:1/").warnings(), [""; 0]);
}

#[test]
fn what_is_no_redirect_is_refused() {
    let long = format!("http://127.0.0.1:6468/{}", "a".repeat(2048));
    let cases = [
        ("web", "", "begins with http"),
        ("web", "127.0.0.1:6468/callback", "begins with http"),
        ("web", "ftp://127.0.0.1/", "begins with http"),
        ("web", "http://", "is a whole URL"),
        ("web", "http:///callback", "is a whole URL"),
        ("web", "http://127.0.0.1:0/", "only a native application"),
        ("web", "http://127.0.0.1:65536/", "is a whole URL"),
        ("web", "http://127.0.0.1:6468/call back", "is a whole URL"),
        (
            "web",
            "http://127.0.0.1:6468/c\\u00e4llback",
            "is a whole URL",
        ),
        ("web", &long, "is a whole URL"),
        ("web", "http://127.0.0.1:6468/#", "has no fragment"),
        ("web", "http://127.0.0.1:6468#top", "has no fragment"),
        ("web", "https://me@proxy.acme.example/", "no user name"),
        (
            "web",
            "http://localhost:6468/",
            "does not go to `localhost`",
        ),
        (
            "native",
            "http://LocalHost:6468/",
            "does not go to `localhost`",
        ),
        (
            "web",
            "http://127.0.0.2:6468/",
            "for 127.0.0.1 and [::1] only",
        ),
        (
            "single-page",
            "http://proxy.acme.example/",
            "for 127.0.0.1 and [::1] only",
        ),
        ("native", "http://127.0.0.1/callback", "and a port"),
        ("native", "http://[::1]:6468/callback", "and a port"),
        ("native", "https://127.0.0.1:6468/callback", "and a port"),
        ("native", "https://proxy.acme.example/", "and a port"),
    ];
    for (platform, text, why) in cases {
        let problems = redirect(platform, text).refused();
        assert_eq!(problems.as_slice().len(), 1, "{text}: {problems}");
        assert!(problems.to_string().contains(why), "{text}: {problems}");
    }
}

#[test]
fn localhost_is_answered_with_what_to_write() {
    let problems = redirect("native", "http://localhost:6468/callback").refused();
    assert!(
        problems.to_string().contains("write 127.0.0.1"),
        "{problems}"
    );
}

#[test]
fn a_keepalive_is_a_minute_to_a_week() {
    for (text, good) in [("1m", true), ("7d", true), ("59s", false), ("169h", false)] {
        let house = with_user(&format!("{NATIVE}keepalive = \"{text}\"\n"));
        assert_eq!(house.load().is_ok(), good, "{text}");
    }
}

#[test]
fn the_secret_of_either_identity_may_go_in_a_header() {
    let house = House::new(&format!(
        "{SEAL}[tenant.acme]\nregion = \"eu\"\n[tenant.acme.service]\n{WEB}client_auth = \"basic\"\n\
         [tenant.acme.user]\n{WEB}client_auth = \"basic\"\n"
    ));
    let tenant = &house.accepted().tenants[0];
    assert_eq!(
        tenant.service.as_ref().unwrap().client_auth,
        ClientAuthMethod::ClientSecretBasic
    );
    assert_eq!(
        tenant.user.as_ref().unwrap().client_auth,
        ClientAuthMethod::ClientSecretBasic
    );
    let problems = with_user(&format!("{NATIVE}client_auth = \"basic\"\n")).refused();
    assert!(
        problems.to_string().contains("there is no client secret"),
        "{problems}"
    );
}

#[test]
fn the_environment_can_make_a_person_of_a_machines_tenant() {
    let house = House::with_tenant(SEAL)
        .set("NJP__TENANT__ACME__USER__CLIENT_ID", "b7Rn1")
        .set(
            "NJP__TENANT__ACME__USER__CLIENT_SECRET__FILE",
            "acme.secret",
        );
    let user = house.accepted().tenants[0].user.clone().unwrap();
    assert_eq!(
        (user.client_id.as_str(), user.platform),
        ("b7Rn1", Platform::Web)
    );
}
