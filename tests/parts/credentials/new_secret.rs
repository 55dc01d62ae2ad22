//! A new client secret for a login that is in use: its token serves until the secret has brought another.

use std::time::Duration;

use ninjaone_proxy::{
    credentials::{
        grant::{
            application::{Application, ClientAuthMethod},
            token_endpoint_error::TokenRejection,
        },
        login::{refresh_calls::RefreshCalls, renewer::LoginRenewer, session::LoginSession},
        store::LoginStore,
        token::{
            event::TokenEventKind,
            update::{RenewerUpdate, UnprovenChange},
        },
    },
    secret::Secret,
};

use super::{
    login::{CLIENT, login, no_discovery, refresh_token, rotated, slot, with_access, write},
    server::{Kept, LONG, Server, USUAL, json},
};

const KEEPALIVE: Duration = Duration::from_hours(12);

fn application(server: &Server, secret: &str) -> Application {
    Application {
        endpoint: server.endpoint(),
        client_id: CLIENT.to_owned(),
        client_secret: Some(Secret::new(secret.to_owned())),
        client_auth: ClientAuthMethod::ClientSecretPost,
    }
}

fn update(server: &Server, kept: &Kept, secret: &str) {
    let handle = kept.handle.as_ref().expect("a running renewer");
    handle.update(RenewerUpdate {
        application: application(server, secret),
        scopes: Vec::new(),
        schedule: USUAL,
        interval_max: KEEPALIVE,
        change: Some(UnprovenChange::Secret),
    });
}

#[tokio::test]
async fn a_refused_secret_costs_neither_the_token_nor_the_login_and_the_right_one_takes_over() {
    // Each secret asks for the server's paths first.
    let server = Server::start(|number| match number {
        1 | 3 => no_discovery(),
        2 => json("401 Unauthorized", r#"{"error":"invalid_client"}"#),
        _ => rotated(1, 3600),
    })
    .await;
    let store = LoginStore::memory();
    let stored = login(&server, Some("canary-refresh-1"));
    write(&store, &with_access(stored, "canary-kept", LONG * 100));
    let session = LoginSession::new(application(&server, "first"), store.clone(), slot());
    let mut kept = Kept::start(USUAL, |keeping, tasks| {
        let calls = RefreshCalls::default();
        LoginRenewer::start(keeping, Box::new(session), KEEPALIVE, calls, tasks)
    });
    assert_eq!(kept.next().await.kind, TokenEventKind::Adopted);

    update(&server, &kept, "typo");

    let event = kept.next().await;
    let refused = TokenEventKind::ChangeRefused(
        UnprovenChange::Secret,
        ninjaone_proxy::credentials::login::renewal_error::RenewalError::TokenEndpoint(
            TokenRejection::InvalidClient.into(),
        ),
    );
    assert_eq!(event.kind, refused);
    assert!(event.serves_until.is_some());
    let token = kept.cell.token().await.ok().unwrap();
    assert_eq!(token.authorization(), "Bearer canary-kept");
    let snapshot = kept.cell.snapshot();
    assert_eq!(snapshot.refused_change(), Some(UnprovenChange::Secret));
    assert!(snapshot.usable && !snapshot.only_login_helps);
    assert_eq!(refresh_token(&store), "canary-refresh-1");

    update(&server, &kept, "right");

    assert_eq!(kept.next().await.kind, TokenEventKind::Renewed);
    let token = kept.cell.token().await.ok().unwrap();
    assert_eq!(token.authorization(), "Bearer canary-access-2");
    assert_eq!(kept.cell.snapshot().refused_change(), None);
    assert_eq!(refresh_token(&store), "canary-refresh-2");
}
