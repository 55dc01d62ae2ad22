//! The syntax of selectors, and what they select.

use std::sync::Arc;

use ninjaone_proxy::{
    ninjaone::{
        catalogue::Catalogue,
        operation::{Operation, RiskClass},
    },
    policy::selector::{Selector, SelectorErrorKind},
};
use proptest::prelude::*;

fn catalogue() -> Arc<Catalogue> {
    Arc::new(Catalogue::builtin())
}

fn operation(id: &str) -> Arc<Operation> {
    Arc::clone(catalogue().by_id(id).expect("catalogued"))
}

#[test]
fn selectors_are_written_as_they_are_read() {
    for text in [
        "all",
        "read",
        "secrets",
        "write",
        "dangerous",
        "scope:monitoring",
        "tag:Knowledge Base Articles",
        "getDevices",
        "getNodeRoles_1",
        "POST /v2/ticketing/ticket",
        "GET /v2/device/{id}/**",
        "GET /v2/*/jobs",
        "GET /v2/**",
    ] {
        let selector = Selector::parse(text).unwrap();
        assert_eq!(selector.to_string(), text);
        assert_eq!(Selector::parse(&selector.to_string()), Ok(selector));
    }
}

#[test]
fn the_alias_in_a_selector_is_folded() {
    assert_eq!(
        Selector::parse("GET /api/v2/devices"),
        Selector::parse("GET /v2/devices")
    );
}

#[test]
fn what_is_not_a_selector_is_refused_with_the_forms_there_are() {
    let flaw = |text: &str| Selector::parse(text).expect_err(text).0;
    assert_eq!(flaw(""), SelectorErrorKind::Empty);
    assert_eq!(flaw(&"a".repeat(513)), SelectorErrorKind::TooLong);
    assert_eq!(
        flaw("scope:everything"),
        SelectorErrorKind::UnknownScope("everything".into())
    );
    assert_eq!(flaw("tag: "), SelectorErrorKind::MissingTag);
    assert_eq!(
        flaw("/v2/devices"),
        SelectorErrorKind::InvalidOperationId("/v2/devices".into())
    );
    assert_eq!(
        flaw("get /v2/devices"),
        SelectorErrorKind::UnknownMethod("get".into())
    );
    assert_eq!(flaw("HEAD /v2/devices"), SelectorErrorKind::HeadMethod);
    for path in ["GET /ws/oauth/token", "GET /v2", "GET /v22/devices"] {
        assert_eq!(flaw(path), SelectorErrorKind::OutsideApi, "{path}");
    }
    assert_eq!(
        flaw("GET /v2/devices?df=1"),
        SelectorErrorKind::QueryOrFragment
    );
    for segment in ["", "..", "**", "dev*", "{id", "{}", "a%2fb"] {
        let text = format!("GET /v2/device/{segment}/x");
        assert_eq!(
            flaw(&text),
            SelectorErrorKind::InvalidSegment(segment.into()),
            "{text}"
        );
    }
    let sentence = Selector::parse("get /v2/devices").unwrap_err().to_string();
    for form in [
        "read, secrets",
        "scope:monitoring",
        "tag:devices",
        "getDevices",
        "{id}",
    ] {
        assert!(sentence.contains(form), "{sentence}");
    }
}

#[test]
fn path_selectors_match_templates_segment_by_segment() {
    let matches = |pattern: &str, id: &str| {
        let operation = operation(id);
        Selector::parse(pattern)
            .unwrap()
            .matches(&operation, operation.class)
    };
    assert!(matches(
        "POST /v2/device/{id}/script/run",
        "runScriptOnDevice"
    ));
    assert!(matches(
        "POST /v2/device/{whatever}/script/run",
        "runScriptOnDevice"
    ));
    assert!(matches("POST /v2/device/*/script/run", "runScriptOnDevice"));
    assert!(matches("POST /v2/device/{id}/**", "runScriptOnDevice"));
    assert!(matches("POST /v2/**", "runScriptOnDevice"));
    assert!(matches(
        "POST /v2/device/{id}/script/run/**",
        "runScriptOnDevice"
    ));
    assert!(!matches("POST /v2/device/{id}/script", "runScriptOnDevice"));
    assert!(!matches(
        "POST /v2/device/{id}/script/run/now",
        "runScriptOnDevice"
    ));
    assert!(!matches(
        "GET /v2/device/{id}/script/run",
        "runScriptOnDevice"
    ));
    assert!(!matches(
        "POST /v2/device/17/script/run",
        "runScriptOnDevice"
    ));
    assert!(!matches(
        "POST /v2/{x}/{id}/script/run",
        "runScriptOnDevice"
    ));
    assert!(!matches("POST /v2/*/script/run", "runScriptOnDevice"));
    assert!(matches("GET /v2/device/{id}/**", "getDevice"));
}

#[test]
fn a_selector_that_selects_nothing_can_be_told() {
    let catalogue = catalogue();
    let all = || catalogue.all().iter().map(AsRef::as_ref);
    let count = |text: &str| Selector::parse(text).unwrap().selected(all()).count();
    assert_eq!(count("getDevicez"), 0);
    assert_eq!(count("getDevices"), 1);
    assert_eq!(count("all"), all().count());
    assert!(count("secrets") > all().filter(|it| it.class == RiskClass::Secrets).count());
}

proptest! {
    #[test]
    fn parsing_any_text_never_fails_badly(text in "\\PC{0,80}") {
        if let Ok(selector) = Selector::parse(&text) {
            prop_assert_eq!(Selector::parse(&selector.to_string()), Ok(selector));
        }
    }
}
