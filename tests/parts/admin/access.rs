//! Who may ask the admin listener for what.

use http::{Method, StatusCode};
use ninjaone_proxy::admin::{AdminService, health::ReadinessCondition};

use super::{
    admin, body,
    fixture::{healthy, without_token},
    get, headers,
};

#[test]
fn a_host_that_is_not_ours_is_misdirected() {
    let status = |pairs: &[(&'static str, &'static str)]| {
        admin()
            .respond_without_body(None, &Method::GET, "/status", None, &headers(pairs))
            .status()
    };
    for host in [
        "localhost",
        "LocalHost:6466",
        "127.0.0.1:6466",
        "[::1]:6466",
        "proxy.internal",
    ] {
        assert_eq!(status(&[("host", host)]), StatusCode::OK, "{host}");
    }
    for host in [
        "evil.example",
        "localhost.evil.example",
        "localhost:6466@evil.example",
        "",
        "[::1",
    ] {
        assert_eq!(
            status(&[("host", host)]),
            StatusCode::MISDIRECTED_REQUEST,
            "{host}"
        );
    }
    assert_eq!(status(&[]), StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(
        status(&[("host", "localhost"), ("host", "evil.example")]),
        StatusCode::MISDIRECTED_REQUEST
    );
}

#[test]
fn web_pages_are_refused_and_people_with_browsers_are_not() {
    let status = |name, value| {
        admin()
            .respond_without_body(
                None,
                &Method::GET,
                "/status",
                None,
                &headers(&[("host", "localhost"), (name, value)]),
            )
            .status()
    };
    assert_eq!(status("origin", "null"), StatusCode::FORBIDDEN);
    assert_eq!(
        status("sec-fetch-site", "cross-site"),
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        status("sec-fetch-site", "same-origin"),
        StatusCode::FORBIDDEN
    );
    assert_eq!(status("sec-fetch-site", "none"), StatusCode::OK);
}

#[test]
fn other_paths_are_not_found_and_other_methods_not_allowed() {
    assert_eq!(get(&admin(), "/").status(), StatusCode::NOT_FOUND);
    assert_eq!(get(&admin(), "/v2/devices").status(), StatusCode::NOT_FOUND);
    let answer = admin().respond_without_body(
        None,
        &Method::POST,
        "/status",
        None,
        &headers(&[("host", "localhost")]),
    );
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.headers()["allow"], "GET, HEAD");
}

#[test]
fn the_probes_listener_has_probes_alone_for_any_host_and_gives_no_reasons() {
    let probes = AdminService::probes_only(Box::new(without_token), ReadinessCondition::AnyToken);
    let ask = |path| {
        probes.respond_without_body(
            None,
            &Method::GET,
            path,
            Some("verbose"),
            &headers(&[("host", "10.1.2.3:6467")]),
        )
    };
    assert_eq!(ask("/livez").status(), StatusCode::OK);
    let ready = ask("/readyz");
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(body(&ready).contains("[-]tokens failed\n"));
    assert!(!body(&ready).contains("acme"));
    assert_eq!(ask("/status").status(), StatusCode::NOT_FOUND);
    assert_eq!(ask("/metrics").status(), StatusCode::NOT_FOUND);
}

#[test]
fn metrics_may_be_off() {
    let admin = AdminService::new(
        Box::new(healthy),
        None,
        ReadinessCondition::AnyToken,
        Vec::new(),
    );
    assert_eq!(get(&admin, "/metrics").status(), StatusCode::NOT_FOUND);
}

#[test]
fn metrics_have_the_names_that_were_promised() {
    let answer = get(&admin(), "/metrics");
    assert_eq!(
        answer.headers()["content-type"],
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    for line in [
        r#"ninjaone_proxy_requests_total{caller="powerbi",operation="getDevices",decision="allowed",status_class="2xx"} 7"#,
        r#"ninjaone_proxy_request_duration_seconds_bucket{le="0.005"} 1"#,
        r#"ninjaone_proxy_request_duration_seconds_bucket{le="0.01"} 3"#,
        r#"ninjaone_proxy_request_duration_seconds_bucket{le="60.0"} 3"#,
        r#"ninjaone_proxy_request_duration_seconds_bucket{le="+Inf"} 7"#,
        "ninjaone_proxy_request_duration_seconds_sum 301.5",
        "ninjaone_proxy_request_duration_seconds_count 7",
        "ninjaone_proxy_overhead_seconds_count 0",
        r#"ninjaone_proxy_token_expiry_timestamp_seconds{tenant="acme",identity="service"} 1795000000"#,
        r#"ninjaone_proxy_token_renewals_total{tenant="acme",identity="service",result="renewed"} 2"#,
        r#"ninjaone_proxy_upstream_throttled_total{tenant="acme",kind="html"} 1"#,
        r#"ninjaone_proxy_login_needed{tenant="acme",identity="user"} 1"#,
        r#"ninjaone_proxy_login_unsaved{tenant="acme",identity="user"} 0"#,
        "ninjaone_proxy_audit_records_total 14",
        "ninjaone_proxy_audit_failures_total 0",
        r#"ninjaone_proxy_build_info{version="0.1.0"} 1"#,
        "# EOF",
    ] {
        assert!(
            body(&answer).lines().any(|it| it == line),
            "{line} in:\n{}",
            body(&answer)
        );
    }
}
