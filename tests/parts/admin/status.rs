//! What `status` prints.

use http::StatusCode;
use ninjaone_proxy::{
    admin::{
        health::{Health, ReadinessCondition, humanize_duration},
        status_snapshot::{IdentityState, StatusSnapshot, UserLoginStatus},
    },
    cli::{exit::ExitStatus, status::render},
    clock::Timestamp,
};

use super::{
    admin_of,
    fixture::{changed, with_user},
    get,
};

#[test]
fn the_screen_counts_down_and_says_first_what_needs_attention() {
    let snapshot = changed(|it| {
        it.tenants[0].identities[0].last_error = Some("503\u{1b}[2J\nfake".to_owned());
    });
    let text = render(&snapshot);
    assert!(text.starts_with("ninjaone-proxy 0.1.0 is degraded; up 3 d 4 h, pid 4711\n\nNeeds attention\n  ! acme/service: the last renewal failed"));
    for chunk in [
        "token of acme/service: valid 48 min, renews in 36 min",
        "  NAME     REQUESTS  REFUSED\n  powerbi    12,345        3\n",
        "  FOR ",
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

/// When the user of the snapshot logged in, in the time zone of this machine.
fn logged_in() -> String {
    let at = Timestamp::parse_rfc3339("2026-11-10T08:30:00.000000Z").unwrap();
    at.local_to_the_minute()
}

#[test]
fn a_login_that_is_kept_alive_is_healthy_and_shown_with_its_date() {
    let snapshot = with_user(|_, _| ());
    assert_eq!(snapshot.health, Health::Healthy);
    assert_eq!(
        line_of_user(&snapshot),
        format!(
            "token of acme/user: valid 48 min, renews in 36 min, logged in {}",
            logged_in()
        )
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
    let line = "token of acme/user: login needed, see above";
    assert_eq!(line_of_user(&snapshot), line);
    assert_eq!(
        snapshot.degraded,
        ["acme/user: a user must log in (the login has ended). Run: ninjaone-proxy login acme"]
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
    assert!(unsaved.degraded[0].contains("is lost if the proxy stops: cannot write"));

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
        format!(
            "token of acme/user: valid 48 min; it cannot be renewed, so a login is needed then, logged in {}",
            logged_in()
        )
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
