//! What probes answer while the program starts, runs, fails and stops.

use http::StatusCode;
use ninjaone_proxy::{
    admin::{
        health::{Health, ReadinessCondition},
        status_snapshot::{AuditState, IdentityState, LogState, LogStatus, StalledPart},
        trouble::TroubleKind,
    },
    cli::exit::ExitStatus,
};

use super::{
    admin, admin_of, body,
    fixture::{changed, healthy, identity, without_token},
    get,
};

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
fn whoever_still_reads_while_the_record_fails_is_ready_and_does_not_call_the_log_ok() {
    let reads = changed(|it| it.audit.state = AuditState::Failing);
    let admin = admin_of(reads, ReadinessCondition::AnyToken);
    let answer = get(&admin, "/readyz?verbose");
    let told = body(&answer);
    let line =
        "[+]audit degraded: the audit log cannot be written: everything but reads is refused\n";
    assert!(told.contains(line), "{told}");
    assert!(told.ends_with("readyz check passed\n"), "{told}");
}

#[test]
fn a_log_that_nobody_reads_needs_attention_and_keeps_nobody_from_being_ready() {
    let stuck = changed(|it| {
        it.log = LogStatus {
            state: LogState::Failing,
            lines_lost: 5,
            lines_waiting: 37,
            silent_s: 12,
        };
    });
    assert_eq!(stuck.health, Health::Degraded);
    assert_eq!(stuck.troubles[0].kind, TroubleKind::LogFailing);
    let text = &stuck.troubles[0].text;
    assert!(text.contains("not been written for 12 s"), "{text}");
    assert!(text.contains("wait: 37; lost: 5"), "{text}");
    let admin = admin_of(stuck, ReadinessCondition::AllTokens);
    assert_eq!(get(&admin, "/readyz").status(), StatusCode::OK);
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
fn health_is_the_worst_that_is_so() {
    let login = changed(|it| {
        it.tenants[0]
            .identities
            .push(identity("user", IdentityState::LoginNeeded));
    });
    let failing = changed(|it| {
        it.tenants[0].identities[0].last_error = Some("NinjaOne answers 503".to_owned());
    });
    let told = changed(|it| it.config.pending_restart.push("listen".to_owned()));
    for (snapshot, health, code) in [
        (changed(|_| ()), Health::Healthy, 0),
        (failing, Health::Degraded, 6),
        (told, Health::Degraded, 6),
        (
            changed(|it| it.audit.state = AuditState::Failing),
            Health::Degraded,
            6,
        ),
        (
            changed(|it| {
                it.audit.state = AuditState::Failing;
                it.audit.refuses_reads = true;
            }),
            Health::Down,
            1,
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
