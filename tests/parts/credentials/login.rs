//! A user's login: renewed by one process at a time, stored before it is used, and never lost silently.

use std::time::Duration;

use ninjaone_proxy::{
    clock::{Reading, Timestamp},
    credentials::{
        grant::{
            application::{Application, ClientAuthMethod},
            token_endpoint_error::{TokenEndpointError, TokenResponseError},
        },
        login::{
            completion::store_login,
            refresh_calls::RefreshCalls,
            renewal_error::{LoginEndReason, LoginError, RenewalError},
            renewer::LoginRenewer,
            session::LoginSession,
        },
        store::{
            LoginStore,
            stored_login::{RenewalMarker, Slot, StoredAccessToken, StoredLogin as Stored},
        },
        token::{
            cell::TokenWaitError, event::TokenEventKind, schedule::RenewalSchedule,
            snapshot::TokenState,
        },
    },
    names::IdentityKind,
    secret::Secret,
};
use tokio::time::Instant;

use super::server::{Kept, LONG, Server, USUAL, json, reply};

pub(super) const CLIENT: &str = "native-client";

pub(super) fn slot() -> Slot {
    Slot {
        tenant: "acme".parse().unwrap(),
        identity: IdentityKind::User,
    }
}

/// A login whose access token has ended.
pub(super) fn login(server: &Server, refresh: Option<&str>) -> Stored {
    let at = Timestamp::now();
    Stored {
        generation: 1,
        client_id: CLIENT.to_owned(),
        host: server.endpoint().authority(),
        scopes: vec!["monitoring".into()],
        logged_in_at: at,
        refreshed_at: at,
        refresh_token: refresh.map(|it| Secret::new(it.to_owned())),
        access_token: None,
        renewal_marker: None,
        ended: None,
    }
}

pub(super) fn with_access(login: Stored, text: &str, life: Duration) -> Stored {
    let token = Secret::new(text.to_owned());
    Stored {
        access_token: Some(StoredAccessToken::dated(token, Reading::now(), life)),
        ..login
    }
}

pub(super) fn write(store: &LoginStore, login: &Stored) {
    let locked = store.try_lock(&slot()).unwrap().expect("nobody holds it");
    locked.write(login).unwrap();
}

fn stored(store: &LoginStore) -> Stored {
    store.read(&slot()).unwrap().expect("a login").login
}

pub(super) fn refresh_token(store: &LoginStore) -> String {
    let token = stored(store).refresh_token.expect("a refresh token");
    token.expose().clone()
}

pub(super) fn renewer(
    server: &Server,
    store: &LoginStore,
    refresh_at: RenewalSchedule,
    keepalive: Duration,
) -> Kept {
    let application = Application {
        endpoint: server.endpoint(),
        client_id: CLIENT.to_owned(),
        client_secret: None,
        client_auth: ClientAuthMethod::ClientSecretPost,
    };
    let login = Box::new(LoginSession::new(application, store.clone(), slot()));
    Kept::start(refresh_at, |keeping, tasks| {
        LoginRenewer::start(keeping, login, keepalive, RefreshCalls::default(), tasks)
    })
}

pub(super) fn usual(server: &Server, store: &LoginStore) -> Kept {
    renewer(server, store, USUAL, Duration::from_hours(12))
}

/// The nth token and the nth refresh token. The first call is the question for the server's paths.
pub(super) fn rotating(number: usize) -> Vec<u8> {
    match number {
        1 => no_discovery(),
        call => rotated(call - 1, 3600),
    }
}

pub(super) fn rotated(number: usize, life: u64) -> Vec<u8> {
    let next = number + 1;
    let body = format!(
        r#"{{"access_token":"canary-access-{next}","refresh_token":"canary-refresh-{next}","expires_in":{life},"scope":"monitoring","token_type":"Bearer"}}"#
    );
    json("200 OK", &body)
}

pub(super) fn no_discovery() -> Vec<u8> {
    reply("404 Not Found", "", "")
}

pub(super) fn refused() -> Vec<u8> {
    json("400 Bad Request", r#"{"error":"invalid_token"}"#)
}

#[tokio::test]
async fn a_login_is_renewed_with_its_refresh_token_and_the_next_one_is_stored() {
    let server = Server::start(rotating).await;
    let store = LoginStore::memory();
    write(&store, &login(&server, Some("canary-refresh-1")));
    let mut kept = usual(&server, &store);

    let token = kept.cell.wait_for_token(LONG).await.ok().unwrap();

    assert_eq!(token.authorization(), "Bearer canary-access-2");
    assert_eq!(kept.next().await.kind, TokenEventKind::Adopted);
    assert_eq!(kept.next().await.kind, TokenEventKind::Minted);
    assert_eq!(refresh_token(&store), "canary-refresh-2");
    assert_eq!(stored(&store).generation, 2);
    assert!(stored(&store).renewal_marker.is_none());
    let call = server.seen.lock().unwrap().last().unwrap().clone();
    let (_, body) = call.split_once("\r\n\r\n").unwrap();
    let mut fields: Vec<_> = body.split('&').collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "client_id=native-client",
            "grant_type=refresh_token",
            "refresh_token=canary-refresh-1"
        ]
    );
}

#[tokio::test]
async fn a_token_that_another_process_got_is_used_without_a_call() {
    let server = Server::start(rotating).await;
    let store = LoginStore::memory();
    let login = login(&server, Some("canary-refresh-1"));
    write(&store, &with_access(login, "canary-kept", LONG * 100));
    let kept = usual(&server, &store);

    let token = kept.cell.wait_for_token(LONG).await.ok().unwrap();

    assert_eq!(token.authorization(), "Bearer canary-kept");
    assert_eq!(server.calls(), 0);
}

#[tokio::test]
async fn of_many_renewers_of_one_login_one_makes_the_call() {
    let server = Server::start(|number| match server_call(number) {
        None => no_discovery(),
        Some(call) => rotated(call, 3600),
    })
    .await;
    let store = LoginStore::memory();
    write(&store, &login(&server, Some("canary-refresh-1")));
    let kept: Vec<Kept> = (0..8).map(|_| usual(&server, &store)).collect();

    for one in &kept {
        let token = one.cell.wait_for_token(LONG).await.ok().unwrap();
        assert_eq!(token.authorization(), "Bearer canary-access-2");
    }

    let seen = server.seen.lock().unwrap().clone();
    let calls = seen.iter().filter(|it| it.starts_with("POST")).count();
    assert_eq!(calls, 1);
    assert_eq!(refresh_token(&store), "canary-refresh-2");
}

#[tokio::test]
async fn whoever_waits_for_the_lock_takes_the_token_that_its_holder_writes() {
    let server = Server::start(rotating).await;
    let store = LoginStore::memory();
    let first = login(&server, Some("canary-refresh-1"));
    write(&store, &first);
    let locked = store.try_lock(&slot()).unwrap().expect("nobody holds it");
    let mut kept = usual(&server, &store);
    assert_eq!(kept.next().await.kind, TokenEventKind::Adopted);
    kept.until(TokenState::Renewing).await;

    let next = Stored {
        generation: 2,
        ..with_access(first, "canary-next", LONG * 100)
    };
    locked.write(&next).unwrap();

    assert_eq!(kept.next().await.kind, TokenEventKind::Adopted);
    let token = kept.cell.wait_for_token(LONG).await.ok().unwrap();
    assert_eq!(token.authorization(), "Bearer canary-next");
    assert_eq!(server.calls(), 0);
    drop(locked);
}

/// All that is asked with GET comes before the one call: whoever waits for the lock asks nothing.
fn server_call(number: usize) -> Option<usize> {
    (number > 1).then_some(1)
}

#[tokio::test]
async fn an_answer_that_did_not_arrive_is_named_when_it_cost_the_login() {
    let server = Server::start(|number| match number {
        1 => no_discovery(),
        2 => Vec::new(),
        _ => refused(),
    })
    .await;
    let store = LoginStore::memory();
    write(&store, &login(&server, Some("canary-refresh-1")));
    let mut kept = usual(&server, &store);
    assert_eq!(kept.next().await.kind, TokenEventKind::Adopted);

    assert!(matches!(
        kept.refused().await,
        RenewalError::TokenEndpoint(TokenEndpointError::Unreachable(_))
    ));
    assert!(
        stored(&store)
            .renewal_marker
            .is_some_and(|it| it.is_response_lost)
    );
    assert_eq!(
        kept.next().await.kind,
        TokenEventKind::LoginEnded(LoginEndReason::ResponseLost)
    );

    kept.until(TokenState::LoginNeeded).await;
    assert_eq!(stored(&store).ended.unwrap().reason, "login-lost-answer");
    let needed = kept.cell.wait_for_token(LONG).await.err();
    assert_eq!(needed, Some(TokenWaitError::LoginNeeded));
    assert_eq!(server.calls(), 3);
}

#[tokio::test]
async fn a_login_lost_by_the_end_of_a_process_is_named_so() {
    let server = Server::start(|number| match number {
        1 => no_discovery(),
        _ => refused(),
    })
    .await;
    let store = LoginStore::memory();
    let left = Stored {
        renewal_marker: Some(RenewalMarker::now()),
        ..login(&server, Some("canary-refresh-1"))
    };
    write(&store, &left);
    let mut kept = usual(&server, &store);
    assert_eq!(kept.next().await.kind, TokenEventKind::Adopted);

    assert_eq!(
        kept.next().await.kind,
        TokenEventKind::LoginEnded(LoginEndReason::LostInCrash)
    );

    let (_, error) = kept.cell.snapshot().last_error.unwrap();
    assert!(error.to_string().contains("before the answer was on disk"));
}

#[tokio::test]
async fn a_process_that_ended_before_it_called_costs_nothing() {
    let server = Server::start(rotating).await;
    let store = LoginStore::memory();
    let left = Stored {
        renewal_marker: Some(RenewalMarker::now()),
        ..login(&server, Some("canary-refresh-1"))
    };
    write(&store, &left);
    let kept = usual(&server, &store);

    assert!(kept.cell.wait_for_token(LONG).await.is_ok());

    assert!(stored(&store).renewal_marker.is_none());
}

#[tokio::test]
async fn a_refused_refresh_token_ends_the_login_and_a_new_login_is_noticed() {
    let server = Server::start(|number| match number {
        1 => no_discovery(),
        2 => refused(),
        _ => rotated(7, 3600),
    })
    .await;
    let store = LoginStore::memory();
    write(&store, &login(&server, Some("canary-refresh-1")));
    let mut kept = usual(&server, &store);
    assert_eq!(kept.next().await.kind, TokenEventKind::Adopted);
    assert_eq!(
        kept.next().await.kind,
        TokenEventKind::LoginEnded(LoginEndReason::RefreshTokenRefused)
    );
    kept.until(TokenState::LoginNeeded).await;
    assert_eq!(server.calls(), 2);

    let again = with_access(login(&server, Some("canary-refresh-7")), "canary-new", LONG);
    store_login(&store, &slot(), again).await.unwrap();

    assert_eq!(kept.next().await.kind, TokenEventKind::LoggedIn);
    let token = kept.cell.wait_for_token(LONG).await.ok().unwrap();
    assert_eq!(token.authorization(), "Bearer canary-new");
    assert_eq!(stored(&store).generation, 2);
}

#[tokio::test]
async fn a_logout_by_another_process_ends_the_use_of_its_token() {
    let server = Server::start(rotating).await;
    let store = LoginStore::memory();
    let login = login(&server, Some("canary-refresh-1"));
    write(&store, &with_access(login, "canary-kept", LONG * 100));
    let mut kept = usual(&server, &store);
    assert_eq!(kept.next().await.kind, TokenEventKind::Adopted);
    assert!(kept.cell.current().is_some());

    let locked = store.try_lock(&slot()).unwrap().expect("nobody holds it");
    locked.erase().unwrap();

    assert_eq!(kept.next().await.kind, TokenEventKind::LoggedOut);
    assert!(kept.cell.current().is_none());
    assert_eq!(
        kept.cell.wait_for_token(LONG).await.err(),
        Some(TokenWaitError::LoginNeeded)
    );
    assert_eq!(server.calls(), 0);
}

#[tokio::test]
async fn without_a_refresh_token_the_end_is_told_ahead_and_the_token_is_used_to_its_end() {
    let server = Server::start(rotating).await;
    let store = LoginStore::memory();
    let login = with_access(login(&server, None), "canary-spa", Duration::from_secs(4));
    write(&store, &login);
    let mut kept = renewer(&server, &store, RenewalSchedule::AtLifetimePercent(5), LONG);
    assert_eq!(kept.next().await.kind, TokenEventKind::Adopted);

    assert_eq!(kept.refused().await, LoginError::NotRenewable.into());

    assert!(kept.cell.current().is_some());
    kept.until(TokenState::LoginNeeded).await;
    assert!(kept.cell.current().is_none());
    assert_eq!(server.calls(), 0);
}

#[tokio::test]
async fn a_login_of_another_application_is_not_used() {
    let server = Server::start(rotating).await;
    let store = LoginStore::memory();
    let foreign = Stored {
        client_id: "another".to_owned(),
        ..login(&server, Some("canary-refresh-1"))
    };
    write(&store, &with_access(foreign, "canary-kept", LONG));
    let mut kept = usual(&server, &store);

    assert_eq!(kept.refused().await, LoginError::OtherApplication.into());

    assert!(kept.cell.current().is_none());
    assert_eq!(server.calls(), 0);
}

#[tokio::test]
async fn a_refresh_token_is_used_once_in_each_keepalive() {
    let server = Server::start(rotating).await;
    let store = LoginStore::memory();
    write(&store, &login(&server, Some("canary-refresh-1")));
    let keepalive = Duration::from_secs(1);
    let mut kept = renewer(&server, &store, USUAL, keepalive);

    let began = Instant::now();
    assert_eq!(kept.next().await.kind, TokenEventKind::Adopted);
    assert_eq!(kept.next().await.kind, TokenEventKind::Minted);
    assert_eq!(kept.next().await.kind, TokenEventKind::Renewed);

    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(refresh_token(&store), "canary-refresh-3");
}

#[tokio::test]
async fn an_answer_without_a_usable_access_token_keeps_the_new_refresh_token() {
    let server = Server::start(|number| match number {
        1 => no_discovery(),
        2 => json(
            "200 OK",
            r#"{"access_token":"canary","refresh_token":"canary-refresh-2","token_type":"Bearer"}"#,
        ),
        call => rotated(call - 1, 3600),
    })
    .await;
    let store = LoginStore::memory();
    write(&store, &login(&server, Some("canary-refresh-1")));
    let mut kept = usual(&server, &store);
    assert_eq!(kept.next().await.kind, TokenEventKind::Adopted);

    assert_eq!(
        kept.refused().await,
        TokenResponseError::LifetimeMissing.into()
    );

    assert_eq!(refresh_token(&store), "canary-refresh-2");
    assert_eq!(kept.next().await.kind, TokenEventKind::Minted);
    let call = server.seen.lock().unwrap().last().unwrap().clone();
    assert!(call.contains("refresh_token=canary-refresh-2"));
}
