//! Regions, and how NinjaOne's error bodies are read.

use ninjaone_proxy::ninjaone::{
    api_error::{ApiErrorBody, ApiErrorKind, is_html},
    region::Region,
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
    let meaning = |body: &str| ApiErrorBody::parse(body.as_bytes()).map(|fault| fault.kind());
    assert_eq!(
        meaning(r#"{"error":"user_context_required","error_description":"x","error_code":5}"#),
        Some(ApiErrorKind::UserContextRequired)
    );
    assert_eq!(
        meaning(r#"{"error":"insufficient_privileges"}"#),
        Some(ApiErrorKind::InsufficientPrivileges)
    );
    assert_eq!(
        meaning(r#"{"error_code":10}"#),
        Some(ApiErrorKind::NotAuthenticated)
    );
    assert_eq!(
        meaning(r#"{"resultCode":"NOT_FOUND","incidentId":"W-1"}"#),
        Some(ApiErrorKind::Application)
    );
    assert_eq!(
        meaning(r#"{"errorCode":3,"message":"m"}"#),
        Some(ApiErrorKind::Application)
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
    assert_eq!(ApiErrorBody::parse(long.as_bytes()), None);
}

#[test]
fn a_page_is_told_from_data_by_its_content_type() {
    assert!(is_html("text/html;charset=utf-8"));
    assert!(is_html(" Application/XHTML+XML"));
    assert!(!is_html("application/json"));
    assert!(!is_html("text/htmlx"));
}
