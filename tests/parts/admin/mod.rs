//! Probes, status and metrics: who gets which answer, and what the command line makes of it.

mod fixture;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use ninjaone_proxy::{
    admin::{
        AdminService,
        health::{Health, ReadinessCondition, humanize_duration},
        metrics,
        server::{CONNECTIONS_MAX, serve},
        status_snapshot::{
            AuditState, IdentityState, StalledPart, StatusSnapshot, UserLoginStatus,
        },
    },
    cli::{
        exit::ExitStatus,
        healthcheck::HealthcheckArgs,
        status::{StatusArgs, render},
    },
    tasks::Tasks,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use fixture::{changed, figures, healthy, identity, with_user, without_token};

fn admin_of(snapshot: StatusSnapshot, ready: ReadinessCondition) -> AdminService {
    AdminService::new(
        Box::new(move || snapshot.clone()),
        Some(Box::new(figures)),
        ready,
        vec!["proxy.internal".to_owned()],
    )
}

fn admin() -> AdminService {
    admin_of(healthy(), ReadinessCondition::AnyToken)
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect()
}

fn get(admin: &AdminService, target: &str) -> Response<Bytes> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    admin.respond_without_body(
        &Method::GET,
        path,
        query,
        &headers(&[("host", "localhost:6466")]),
    )
}

fn body(response: &Response<Bytes>) -> &str {
    std::str::from_utf8(response.body()).unwrap()
}

#[test]
fn probes_say_ok_while_all_is_well() {
    for path in ["/livez", "/readyz", "/startupz"] {
        let answer = get(&admin(), path);
        assert_eq!((answer.status(), body(&answer)), (StatusCode::OK, "ok\n"));
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    }
}

#[test]
fn whoever_has_a_part_that_stalled_is_not_ready() {
    let stalled = changed(|it| {
        it.stalled.push(StalledPart {
            part: "listener 127.0.0.1:6465".to_owned(),
            silent_s: 7,
            is_fatal: true,
        });
    });
    let answer = get(&admin_of(stalled, ReadinessCondition::AnyToken), "/readyz");
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(body(&answer).contains("[-]parts failed: stalled: listener 127.0.0.1:6465"));
}

#[test]
fn whoever_refuses_every_request_for_want_of_a_record_says_so_and_is_not_ready() {
    let failing = |refuses_reads| {
        changed(|it| {
            it.audit.state = AuditState::Failing;
            it.audit.last_error = Some("no space left on device".to_owned());
            it.audit.refuses_reads = refuses_reads;
        })
    };
    assert!(
        failing(true)
            .degraded
            .iter()
            .any(|it| it.contains("every request is refused (no space"))
    );
    assert!(
        failing(false)
            .degraded
            .iter()
            .any(|it| it.contains("everything but reads is refused (no space"))
    );
    let ready =
        |snapshot| get(&admin_of(snapshot, ReadinessCondition::AnyToken), "/readyz").status();
    assert_eq!(ready(failing(false)), StatusCode::OK);
    assert_eq!(ready(failing(true)), StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn a_verbose_probe_lists_each_check() {
    let answer = get(&admin(), "/readyz?verbose");
    assert_eq!(
        body(&answer),
        "[+]listening ok\n[+]draining ok\n[+]parts ok\n[+]audit ok\n[+]tokens ok\nreadyz check passed\n"
    );
}

#[test]
fn without_a_token_it_is_not_ready_and_still_alive() {
    let admin = admin_of(without_token(), ReadinessCondition::AnyToken);
    let answer = get(&admin, "/readyz");
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(body(&answer).contains("[-]tokens failed: no valid token for acme/service"));
    assert_eq!(get(&admin, "/livez").status(), StatusCode::OK);
    assert_eq!(get(&admin, "/startupz").status(), StatusCode::OK);
}

#[test]
fn the_mode_says_how_many_tokens_ready_needs() {
    let half = || {
        changed(|it| {
            it.tenants[0]
                .identities
                .push(identity("user", IdentityState::LoginNeeded));
        })
    };
    let status = |snapshot, ready| get(&admin_of(snapshot, ready), "/readyz").status();
    assert_eq!(status(half(), ReadinessCondition::AnyToken), StatusCode::OK);
    assert_eq!(
        status(half(), ReadinessCondition::AllTokens),
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(
        status(without_token(), ReadinessCondition::Listening),
        StatusCode::OK
    );
    assert_eq!(
        status(healthy(), ReadinessCondition::AllTokens),
        StatusCode::OK
    );
}

#[test]
fn draining_is_not_ready_and_starting_not_started() {
    let draining = admin_of(
        changed(|it| it.draining = true),
        ReadinessCondition::Listening,
    );
    assert_eq!(
        get(&draining, "/readyz").status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(get(&draining, "/startupz").status(), StatusCode::OK);
    assert_eq!(get(&draining, "/livez").status(), StatusCode::OK);
    let starting = admin_of(
        changed(|it| it.starting = true),
        ReadinessCondition::Listening,
    );
    for path in ["/readyz", "/startupz"] {
        assert_eq!(
            get(&starting, path).status(),
            StatusCode::SERVICE_UNAVAILABLE
        );
    }
}

#[test]
fn a_host_that_is_not_ours_is_misdirected() {
    let status = |pairs: &[(&'static str, &'static str)]| {
        admin()
            .respond_without_body(&Method::GET, "/status", None, &headers(pairs))
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
    assert_eq!(answer.headers()["content-type"], metrics::CONTENT_TYPE);
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

#[test]
fn health_is_the_worst_that_is_so() {
    let login = changed(|it| {
        it.tenants[0]
            .identities
            .push(identity("user", IdentityState::LoginNeeded));
    });
    let failing = changed(|it| {
        it.tenants[0].identities[0].last_error = Some("NinjaOne answers 503".to_owned());
    });
    let told = changed(|it| it.degraded.push("Something else.".to_owned()));
    for (snapshot, health, code) in [
        (changed(|_| ()), Health::Healthy, 0),
        (failing, Health::Degraded, 6),
        (told, Health::Degraded, 6),
        (
            changed(|it| it.audit.state = AuditState::Failing),
            Health::Degraded,
            6,
        ),
        (changed(|it| it.audit.lost = 1), Health::Degraded, 6),
        (
            changed(|it| it.config.last_error = Some("x".into())),
            Health::Degraded,
            6,
        ),
        (
            changed(|it| it.tenants[0].budget.paused_s = 9),
            Health::Degraded,
            6,
        ),
        (login, Health::NeedsLogin, 4),
        (without_token(), Health::Down, 1),
        (changed(|it| it.starting = true), Health::NotNow, 75),
        (changed(|it| it.draining = true), Health::NotNow, 75),
    ] {
        assert_eq!(
            (snapshot.health, u8::from(ExitStatus::from(snapshot.health))),
            (health, code)
        );
        let quiet = matches!(health, Health::Healthy | Health::NotNow);
        assert_eq!(snapshot.degraded.is_empty(), quiet, "{health:?}");
    }
}

#[test]
fn the_screen_counts_down_and_says_first_what_needs_attention() {
    let snapshot = changed(|it| {
        it.tenants[0].identities[0].last_error = Some("503\u{1b}[2J\nfake".to_owned());
    });
    let text = render(&snapshot);
    assert!(text.starts_with("ninjaone-proxy 0.1.0 is degraded; up 3 d 4 h, pid 4711\n\nNeeds attention\n  ! acme/service: the last renewal failed"));
    for chunk in [
        "token of acme/service: valid 48 min, renews in 36 min",
        "powerbi  12,345 requests, 3 refused",
        "1,404,882 records",
        "2xx 12,342, 4xx 3",
    ] {
        assert!(text.contains(chunk), "{chunk} in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'));
}

/// The line of the screen about the user's token.
fn line_of_user(snapshot: &StatusSnapshot) -> String {
    let text = render(snapshot);
    let line = text.lines().find(|it| it.contains("token of acme/user"));
    line.expect("a line").trim().to_owned()
}

#[test]
fn a_login_that_is_kept_alive_is_healthy_and_shown_with_its_date() {
    let snapshot = with_user(|_, _| ());
    assert_eq!(snapshot.health, Health::Healthy);
    assert_eq!(
        line_of_user(&snapshot),
        "token of acme/user: valid 48 min, renews in 36 min, logged in 2026-11-10 08:30 UTC"
    );
    let shown = serde_json::to_value(&snapshot).unwrap();
    let identities = &shown["tenants"][0]["identities"];
    assert!(identities[0].get("login").is_none(), "a machine has none");
    assert_eq!(
        identities[1]["login"],
        serde_json::json!({
            "logged_in_at": "2026-11-10T08:30:00.000000Z",
            "refreshed_at": "2026-11-17T14:02:11.000000Z",
            "renewable": true,
            "unsaved_since": null,
            "store_fault": null,
        })
    );
}

#[test]
fn a_login_that_is_needed_is_shown_with_its_reason_and_the_command() {
    let snapshot = with_user(|user, login| {
        user.state = IdentityState::LoginNeeded;
        user.last_error = Some("the login has ended".to_owned());
        *login = UserLoginStatus::default();
    });
    assert_eq!(snapshot.health, Health::NeedsLogin);
    let line =
        "token of acme/user: login needed (the login has ended); run: ninjaone-proxy login acme";
    assert_eq!(line_of_user(&snapshot), line);
    assert_eq!(
        snapshot.degraded,
        ["acme/user: a person must log in (the login has ended). Run: ninjaone-proxy login acme"]
    );
}

#[test]
fn a_login_that_is_not_on_disk_is_degraded_and_says_what_is_wrong_with_the_disk() {
    let unsaved = with_user(|_, login| {
        login.unsaved_since = Some("2026-11-17T14:05:59.000000Z".to_owned());
        login.store_fault = Some("cannot write acme.user.draft: no space".to_owned());
    });
    assert_eq!(
        (unsaved.health, u8::from(ExitStatus::from(unsaved.health))),
        (Health::Degraded, 6)
    );
    assert!(line_of_user(&unsaved).ends_with(", KEPT IN MEMORY ONLY since 2026-11-17 14:05 UTC"));
    assert_eq!(unsaved.degraded.len(), 1);
    assert!(unsaved.degraded[0].contains("is lost if the proxy ends: cannot write"));

    let fault = with_user(|_, login| login.store_fault = Some("damaged".to_owned()));
    assert_eq!(fault.health, Health::Degraded);
    assert!(line_of_user(&fault).ends_with(", the store has a fault"));
    assert_eq!(fault.degraded, ["acme/user: the store of logins: damaged."]);
}

#[test]
fn a_login_that_cannot_be_renewed_is_shown_with_its_end() {
    let snapshot = with_user(|user, login| {
        user.renews_in_s = None;
        login.renewable = false;
    });
    assert_eq!(snapshot.health, Health::Degraded);
    assert_eq!(
        line_of_user(&snapshot),
        "token of acme/user: valid 48 min, cannot be renewed, then login is needed, logged in 2026-11-10 08:30 UTC"
    );
    assert_eq!(
        snapshot.degraded,
        [
            "acme/user: this login cannot be renewed and ends in 48 min. Then run: ninjaone-proxy login acme"
        ]
    );
}

#[test]
fn a_missing_login_makes_unready_only_where_all_tokens_are_asked_for() {
    let snapshot = || {
        with_user(|user, login| {
            user.state = IdentityState::LoginNeeded;
            *login = UserLoginStatus::default();
        })
    };
    for (ready, status) in [
        (
            ReadinessCondition::AllTokens,
            StatusCode::SERVICE_UNAVAILABLE,
        ),
        (ReadinessCondition::AnyToken, StatusCode::OK),
        (ReadinessCondition::Listening, StatusCode::OK),
    ] {
        let answer = get(&admin_of(snapshot(), ready), "/readyz");
        assert_eq!(answer.status(), status, "{ready:?}");
    }
}

#[test]
fn spans_are_said_in_at_most_two_units() {
    for (seconds, text) in [
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7_199, "119 min"),
        (7_200, "2 h"),
        (18_180, "5 h 3 min"),
        (86_400, "1 d"),
        (1_051_200, "12 d 4 h"),
    ] {
        assert_eq!(humanize_duration(seconds), text);
    }
}

struct Running {
    address: SocketAddr,
    tasks: Tasks,
}

async fn run(admin: AdminService) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tasks = Tasks::new();
    tasks.spawn(serve(listener, Arc::new(admin), tasks.clone()));
    Running { address, tasks }
}

async fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn head_has_the_length_of_get_and_no_body() {
    let running = run(admin()).await;
    let ask = async |method: &str| {
        raw(
            running.address,
            &format!("{method} /livez HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        )
        .await
    };
    let (get, head) = (ask("GET").await, ask("HEAD").await);
    assert!(get.ends_with("\r\n\r\nok\n"), "{get}");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
    assert!(head.contains("content-length: 3\r\n"), "{head}");
}

#[tokio::test]
async fn with_one_connection_more_than_the_bound_the_oldest_goes() {
    let running = run(admin()).await;
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        idle.push(TcpStream::connect(running.address).await.unwrap());
    }
    let serving_and_accepting = CONNECTIONS_MAX + 1;
    while running.tasks.running() < serving_and_accepting {
        tokio::task::yield_now().await;
    }

    let answer = raw(
        running.address,
        "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n",
    );

    assert!(answer.await.starts_with("HTTP/1.1 200"));
    let mut nothing = [0];
    assert_eq!(idle[0].read(&mut nothing).await.unwrap(), 0);
    assert!(idle[1].try_read(&mut nothing).is_err(), "it is open still");
}

#[tokio::test]
async fn a_stop_ends_the_server() {
    let running = run(admin()).await;
    running.tasks.request_shutdown();
    assert!(running.tasks.join_timeout(Duration::from_secs(5)).await);
}

#[tokio::test]
async fn status_prints_what_the_listener_says_and_exits_by_health() {
    let running = run(admin_of(without_token(), ReadinessCondition::AnyToken)).await;
    let ask = async |json: bool| {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = StatusArgs { admin: None }
            .run(Some(running.address), json, &mut out, &mut err)
            .await
            .unwrap();
        assert!(err.is_empty());
        (u8::from(code), String::from_utf8(out).unwrap())
    };
    let (code, text) = ask(false).await;
    assert_eq!(code, 1);
    assert!(text.contains("is down"), "{text}");
    let (_, json) = ask(true).await;
    let object: StatusSnapshot = serde_json::from_str(&json).unwrap();
    assert_eq!(object, without_token());
}

#[tokio::test]
async fn a_listener_on_all_addresses_is_asked_on_the_loopback_one() {
    for all in ["0.0.0.0:0", "[::]:0"] {
        // A machine without IPv6 has one case less.
        let Ok(listener) = TcpListener::bind(all).await else {
            continue;
        };
        let address = listener.local_addr().unwrap();
        let tasks = Tasks::new();
        tasks.spawn(serve(listener, Arc::new(admin()), tasks.clone()));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let status = StatusArgs {
            admin: Some(address),
        };
        let code = status.run(None, false, &mut out, &mut err).await.unwrap();
        assert_eq!(
            u8::from(code),
            0,
            "{all}: {}",
            String::from_utf8_lossy(&err)
        );
    }
}

#[tokio::test]
async fn status_says_how_to_start_what_does_not_answer() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = StatusArgs {
        admin: Some(address),
    };
    let code = status.run(None, false, &mut out, &mut err).await.unwrap();
    assert_eq!(u8::from(code), 1);
    assert!(
        String::from_utf8(err)
            .unwrap()
            .contains("ninjaone-proxy run")
    );
    assert!(out.is_empty());
}

#[tokio::test]
async fn a_healthcheck_is_silent_and_answers_by_its_exit_code() {
    let running = run(admin_of(without_token(), ReadinessCondition::AnyToken)).await;
    let check = async |ready: bool, verbose: bool| {
        let mut err = Vec::new();
        let healthcheck = HealthcheckArgs {
            ready,
            address: None,
        };
        let code = healthcheck
            .run(Some(running.address), verbose, &mut err)
            .await
            .unwrap();
        (u8::from(code), String::from_utf8(err).unwrap())
    };
    assert_eq!(check(false, false).await, (0, String::new()));
    assert_eq!(check(true, false).await, (1, String::new()));
    let (_, reasons) = check(true, true).await;
    assert!(reasons.contains("[-]tokens failed"), "{reasons}");
}
