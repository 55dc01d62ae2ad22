//! Credentials: tokens are obtained once, renewed in time, and never sent when they cannot be trusted.

mod answers;
mod login;
mod login_storage;
mod new_secret;
mod server;

use std::{sync::Arc, time::Duration};

use ninjaone_proxy::{
    clock::Moment,
    credentials::{
        grant::token_endpoint_error::{TokenEndpointError, TokenRejection},
        login::renewal_error::RenewalError,
        token::{
            cell::{TokenCell, TokenWaitError},
            event::TokenEventKind,
            schedule::RenewalSchedule,
            snapshot::TokenState,
        },
    },
};
use tokio::{task::JoinSet, time::Instant};

use server::{LONG, Server, USUAL, json, numbered, reply, token};

#[tokio::test]
async fn the_secret_goes_in_the_body_and_the_token_comes_back() {
    let server = Server::start(numbered).await;
    let mut kept = server.keep(USUAL);

    let token = kept
        .cell
        .wait_for_token(LONG)
        .await
        .unwrap_or_else(|_| panic!());

    assert_eq!(token.authorization(), "Bearer canary-1");
    assert!(token.authorization().is_sensitive());
    assert_eq!(token.generation(), 1);
    assert_eq!(token.scopes().join(" "), "monitoring management");
    let left = token.expires().since(Moment::now());
    assert!(left > Duration::from_secs(3590) && left <= Duration::from_hours(1));
    let event = kept.next().await;
    assert_eq!((event.generation, event.kind), (1, TokenEventKind::Minted));

    let seen = server.seen.lock().unwrap().first().unwrap().clone();
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    let head = head.to_ascii_lowercase();
    assert!(
        head.starts_with("post /ws/oauth/token http/1.1\r\n"),
        "{head}"
    );
    assert!(head.contains(&format!("\r\nhost: 127.0.0.1:{}", server.port)));
    assert!(!head.contains("authorization"));
    let mut fields: Vec<_> = body.split('&').collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "client_id=client+1",
            "client_secret=canary+secret%2B%2F%3D%26",
            "grant_type=client_credentials",
            "scope=monitoring+management",
        ]
    );
}

#[tokio::test]
async fn nothing_that_is_shown_holds_a_secret() {
    let server = Server::start(numbered).await;
    let mut kept = server.keep(USUAL);
    let event = kept.next().await;
    kept.until(TokenState::Fresh).await;

    let shown = format!("{:?} {event:?}", kept.cell.snapshot());

    assert!(!shown.contains("canary"), "{shown}");
    let snapshot = kept.cell.snapshot();
    assert_eq!(snapshot.results, [("minted", 1)]);
    assert!(snapshot.usable && snapshot.expires_at.is_some());
}

#[tokio::test]
async fn a_thousand_requests_without_a_token_make_one_call_also_when_the_first_one_leaves() {
    let server = Server::start(numbered).await;
    let all = u32::try_from(server.turns.available_permits()).unwrap();
    server.turns.acquire_many(all).await.unwrap().forget();
    let kept = server.keep(USUAL);
    let mut waiting = JoinSet::new();
    let ask = |cell: &Arc<TokenCell>| {
        let cell = Arc::clone(cell);
        async move {
            cell.wait_for_token(LONG)
                .await
                .map(|token| token.generation())
        }
    };
    let first = waiting.spawn(ask(&kept.cell));
    while kept.cell.snapshot().waiting == 0 {
        tokio::task::yield_now().await;
    }
    for _ in 1..1000 {
        waiting.spawn(ask(&kept.cell));
    }
    while kept.cell.snapshot().waiting < 1000 {
        tokio::task::yield_now().await;
    }

    first.abort();
    server.turns.add_permits(1);

    let (mut given, mut left) = (0, 0);
    while let Some(result) = waiting.join_next().await {
        match result {
            Ok(generation) => {
                assert_eq!(generation, Ok(1));
                given += 1;
            }
            Err(_) => left += 1,
        }
    }
    assert_eq!((given, left), (999, 1));
    assert_eq!(server.calls(), 1);
    assert_eq!(kept.cell.snapshot().waiting, 0);
}

#[tokio::test]
async fn whoever_waits_gets_a_token_although_the_next_renewal_follows_at_once() {
    let server = Server::start(|_| token("canary", "60")).await;
    let all = u32::try_from(server.turns.available_permits()).unwrap();
    server.turns.acquire_many(all).await.unwrap().forget();
    let kept = server.keep(RenewalSchedule::AtLifetimePercent(1));
    let cell = Arc::clone(&kept.cell);
    let mut waiting = JoinSet::new();
    waiting.spawn(async move { cell.wait_for_token(LONG).await.is_ok() });
    while kept.cell.snapshot().waiting == 0 {
        tokio::task::yield_now().await;
    }
    // An answer so slow that its token is due for renewal when it comes.
    tokio::time::sleep(Duration::from_millis(1_200)).await;

    server.turns.add_permits(1);

    assert_eq!(waiting.join_all().await, [true]);
    while server.calls() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(kept.cell.snapshot().state, TokenState::Renewing);
}

#[tokio::test]
async fn those_who_wait_have_a_bound() {
    let server = Server::start(numbered).await;
    server.turns.acquire_many(1_000).await.unwrap().forget();
    let kept = server.keep(USUAL);
    let mut waiting = JoinSet::new();
    for _ in 0..4_096 {
        let cell = Arc::clone(&kept.cell);
        waiting.spawn(async move { cell.wait_for_token(LONG).await.is_ok() });
    }
    while kept.cell.snapshot().waiting < 4_096 {
        tokio::task::yield_now().await;
    }

    let one_more = kept.cell.wait_for_token(LONG).await.err().unwrap();

    assert_eq!(pause(one_more), Duration::from_secs(1));
    server.turns.add_permits(1);
    assert!(waiting.join_all().await.into_iter().all(|served| served));
    assert_eq!(server.calls(), 1);
}

#[tokio::test]
async fn whoever_waits_for_a_renewal_does_not_wait_for_ever() {
    let server = Server::start(numbered).await;
    server.turns.acquire_many(1_000).await.unwrap().forget();
    let kept = server.keep(USUAL);

    let outcome = kept.cell.wait_for_token(Duration::from_millis(50)).await;

    assert_eq!(pause(outcome.err().unwrap()), Duration::from_secs(1));
}

#[tokio::test]
async fn a_valid_token_is_served_while_its_renewal_fails_and_an_expired_one_never() {
    let server = Server::start(|number| match number {
        1 => token("short", "3"),
        2..=4 => json("500 Internal Server Error", "{}"),
        _ => numbered(number),
    })
    .await;
    let mut kept = server.keep(RenewalSchedule::AtLifetimePercent(1));
    assert_eq!(kept.next().await.kind, TokenEventKind::Minted);
    let first = kept.cell.current().unwrap();
    let failed = kept.refused().await;
    assert_eq!(failed.as_str(), "server-error");

    let still = kept.cell.current().unwrap();
    assert!(
        Arc::ptr_eq(&first, &still),
        "served although its renewal failed"
    );
    let refused_at = loop {
        match kept.cell.current() {
            Some(token) => assert!(Moment::now() < token.expires() || token.generation() > 1),
            None => break Moment::now(),
        }
        tokio::task::yield_now().await;
    };
    assert!(refused_at < first.expires(), "ends before NinjaOne ends it");

    // Whoever asks now is refused cleanly or gets the next token, never the old one.
    let started = Instant::now();
    let next = loop {
        match kept.cell.wait_for_token(LONG).await {
            Ok(token) => break token,
            Err(unavailable) => assert!(pause(unavailable) <= Duration::from_secs(4)),
        }
        tokio::task::yield_now().await;
    };
    assert!(next.generation() > 1);
    assert!(started.elapsed() < Duration::from_secs(14));
}

#[tokio::test]
async fn a_storm_of_rejections_makes_one_renewal() {
    let server = Server::start(numbered).await;
    let mut kept = server.keep(USUAL);
    let first = kept.cell.wait_for_token(LONG).await.ok().unwrap();
    first.accept();
    let mut storm = JoinSet::new();
    for _ in 0..1000 {
        let cell = Arc::clone(&kept.cell);
        storm.spawn(async move {
            cell.reject(1);
            cell.wait_for_newer_than(1, LONG)
                .await
                .map(|token| token.generation())
        });
    }

    assert!(
        storm
            .join_all()
            .await
            .into_iter()
            .all(|generation| generation == Ok(2))
    );

    assert_eq!(server.calls(), 2);
    assert_eq!(kept.next().await.kind, TokenEventKind::Minted);
    assert_eq!(kept.next().await.kind, TokenEventKind::Forced);
    // A late rejection of the first token changes nothing.
    kept.cell.reject(1);
    let same = kept.cell.wait_for_newer_than(1, LONG).await.ok().unwrap();
    assert_eq!(same.generation(), 2);
    assert_eq!(server.calls(), 2);
}

#[tokio::test]
async fn tokens_that_are_always_rejected_are_not_renewed_again_and_again() {
    let server = Server::start(numbered).await;
    let kept = server.keep(USUAL);
    kept.cell.wait_for_token(LONG).await.ok().unwrap();
    let second = kept.cell.wait_for_newer_than(1, LONG).await.ok().unwrap();
    assert_eq!(second.generation(), 2);

    let started = Instant::now();
    for _ in 0..1000 {
        let refused = kept
            .cell
            .wait_for_newer_than(2, Duration::from_secs(5))
            .await;
        let retry_after = pause(refused.err().unwrap());
        assert!(retry_after > Duration::from_secs(8) && retry_after <= Duration::from_secs(10));
    }

    assert!(
        started.elapsed() < Duration::from_secs(2),
        "refused at once"
    );
    assert_eq!(server.calls(), 2);
    assert!(kept.cell.current().is_some(), "it may work for others");
}

#[tokio::test]
async fn a_wrong_configuration_ends_the_waiting_and_is_tried_again_slowly() {
    let server = Server::that_says(json("400 Bad Request", r#"{"error":"invalid_scope"}"#)).await;
    let mut kept = server.keep(USUAL);
    let waited = kept.cell.wait_for_token(LONG).await;

    assert_eq!(
        kept.refused().await,
        RenewalError::TokenEndpoint(TokenRejection::InvalidScope.into())
    );
    kept.until(TokenState::Failing).await;
    for retry_after in [waited, kept.cell.wait_for_token(LONG).await] {
        let retry_after = pause(retry_after.err().unwrap());
        assert!(retry_after > Duration::from_secs(50) && retry_after < Duration::from_secs(64));
    }
    let snapshot = kept.cell.snapshot();
    assert!(snapshot.failing_since.is_some() && !snapshot.usable);
    assert_eq!(snapshot.results, [("invalid-scope", 1)]);
}

#[tokio::test]
async fn a_throttled_token_endpoint_is_left_alone_as_long_as_it_asks() {
    let raw = reply("429 Too Many Requests", "Retry-After: 9999999999\r\n", "");
    let server = Server::that_says(raw).await;
    let mut kept = server.keep(USUAL);
    let retry_after = Some(Duration::from_mins(5));
    assert_eq!(
        kept.refused().await,
        TokenEndpointError::Throttled { retry_after }.into()
    );
    kept.until(TokenState::Failing).await;

    let waited = kept.cell.wait_for_token(LONG).await.err().unwrap();

    assert!(pause(waited) > Duration::from_secs(290));
    assert_eq!(server.calls(), 1);
}

#[tokio::test]
async fn the_renewer_ends_with_its_handle_and_with_the_program() {
    let server = Server::start(numbered).await;
    for by_handle in [true, false] {
        let mut kept = server.keep(USUAL);
        kept.cell.wait_for_token(LONG).await.ok().unwrap();
        if by_handle {
            kept.handle = None;
        } else {
            kept.tasks.request_shutdown();
        }

        assert!(kept.tasks.join_timeout(LONG).await);

        assert!(
            kept.cell.current().is_some(),
            "a valid token outlives its renewer"
        );
        assert!(
            kept.cell.wait_for_newer_than(1, LONG).await.is_err(),
            "nobody will renew it"
        );
    }
}

/// How long callers are told to stay away.
fn pause(unavailable: TokenWaitError) -> Duration {
    match unavailable {
        TokenWaitError::RetryAfter(pause) => pause,
        TokenWaitError::LoginNeeded => panic!("a machine needs no login"),
    }
}
