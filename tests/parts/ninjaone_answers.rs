//! Regions, and what NinjaOne's error bodies are taken to mean.

use ninjaone_proxy::ninjaone::{
    fault::{Fault, Meaning, is_throttle},
    region::Region,
    token_fault::TokenFault,
};

#[test]
fn a_region_is_known_by_its_exact_name_and_a_near_one_is_suggested() {
    for region in Region::ALL {
        assert_eq!(region.as_str().parse(), Ok(region));
    }
    assert_eq!("us".parse::<Region>().unwrap().host(), "app.ninjarmm.com");
    assert_eq!(Region::Jp.host(), "jp.ninjarmm.com");
    let meant = |text: &str| text.parse::<Region>().unwrap_err().did_you_mean;
    assert_eq!(meant("EU"), [Region::Eu]);
    assert_eq!(meant("https://oc.ninjarmm.com/"), [Region::Oc]);
    assert_eq!(meant("au"), [Region::Oc]);
    assert!(meant("us3").contains(&Region::Us2));
    assert!(meant("elsewhere").is_empty());
}

#[test]
fn an_error_body_is_understood_in_each_of_its_shapes() {
    let meaning = |body: &str| Fault::parse(body.as_bytes()).map(|fault| fault.meaning());
    assert_eq!(
        meaning(r#"{"error":"user_context_required","error_description":"x","error_code":5}"#),
        Some(Meaning::UserContextRequired)
    );
    assert_eq!(
        meaning(r#"{"error":"insufficient_privileges"}"#),
        Some(Meaning::InsufficientPrivileges)
    );
    assert_eq!(
        meaning(r#"{"error_code":10}"#),
        Some(Meaning::NotAuthenticated)
    );
    assert_eq!(
        meaning(r#"{"resultCode":"NOT_FOUND","incidentId":"W-1"}"#),
        Some(Meaning::Application)
    );
    assert_eq!(
        meaning(r#"{"errorCode":3,"message":"m"}"#),
        Some(Meaning::Application)
    );
    assert_eq!(meaning(r#"{"id":5}"#), None);
    assert_eq!(meaning("<html>"), None);
    assert_eq!(meaning("[]"), None);
}

#[test]
fn an_error_body_that_is_too_long_is_not_read() {
    let long = format!(
        r#"{{"error":"not_authenticated","x":"{}"}}"#,
        "x".repeat(64 * 1024)
    );
    assert_eq!(Fault::parse(long.as_bytes()), None);
}

#[test]
fn a_page_on_an_api_path_is_a_throttle() {
    assert!(is_throttle(200, Some("text/html;charset=utf-8")));
    assert!(is_throttle(429, Some("application/json")));
    assert!(!is_throttle(200, Some("application/json")));
    assert!(!is_throttle(500, None));
}

#[test]
fn an_answer_without_a_token_is_told_apart() {
    let json = Some("application/json");
    let read = |status, body: &str| TokenFault::read(status, json, body.as_bytes());
    assert_eq!(
        read(
            404,
            r#"{"resultCode":"Client app not exist","incidentId":"W"}"#
        ),
        TokenFault::WrongRegion
    );
    for dead in ["invalid_token", "expired_token", "invalid_grant"] {
        let body = format!(r#"{{"error":"{dead}"}}"#);
        assert_eq!(read(400, &body), TokenFault::InvalidGrant);
        assert!(!read(400, &body).is_passing());
    }
    assert_eq!(
        read(400, r#"{"error":"invalid_scope"}"#),
        TokenFault::InvalidScope
    );
    assert_eq!(
        read(401, r#"{"error":"invalid_client"}"#),
        TokenFault::InvalidClient
    );
    assert_eq!(read(401, ""), TokenFault::InvalidClient);
    assert_eq!(read(429, ""), TokenFault::Throttled);
    assert_eq!(read(503, "{}"), TokenFault::Server);
    assert_eq!(read(400, "{}"), TokenFault::NotUnderstood);
    assert_eq!(
        TokenFault::read(200, Some("text/html"), b"<html>Too many requests"),
        TokenFault::Throttled
    );
}
