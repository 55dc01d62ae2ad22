//! The stored login: `doctor` reports every state of it and changes none.

use std::{os::unix::fs::PermissionsExt, time::Duration};

use ninjaone_proxy::{
    clock::{Reading, Timestamp},
    credentials::store::{
        LoginStore,
        stored_login::{LoginEnd, RenewalMarker, Slot, StoredAccessToken, StoredLogin},
    },
    names::{IdentityKind, TenantName},
    sandbox::NATIVE_CLIENT_ID,
    secret::Secret,
};

use super::world::{SEAL, Said, World, hex, store_sealed_with, varied};

const HOUR: Duration = Duration::from_hours(1);
const REFRESH_TOKEN: &str = "canary-refresh-token";

fn user() -> String {
    format!("user = {{ client_id = \"{NATIVE_CLIENT_ID}\" }}")
}

fn slot() -> Slot {
    Slot {
        tenant: "acme".parse::<TenantName>().unwrap(),
        identity: IdentityKind::User,
    }
}

fn ago(time: Duration) -> Timestamp {
    let micros = i64::try_from(time.as_micros()).unwrap();
    Timestamp::from_unix_micros(Timestamp::now().unix_micros() - micros)
}

/// As a login an hour ago would have left it.
fn kept(world: &World) -> StoredLogin {
    let token = Secret::new("canary-access-token".to_owned());
    let access = StoredAccessToken::dated(token, Reading::now(), HOUR);
    StoredLogin {
        generation: 1,
        client_id: NATIVE_CLIENT_ID.to_owned(),
        host: world.ninja.address().to_string(),
        scopes: ["monitoring", "management", "control", "offline_access"]
            .map(Box::from)
            .into(),
        logged_in_at: ago(HOUR),
        refreshed_at: ago(HOUR),
        refresh_token: Some(Secret::new(REFRESH_TOKEN.to_owned())),
        access_token: Some(access),
        renewal_marker: None,
        ended: None,
    }
}

fn keep(store: &LoginStore, kept: &StoredLogin) {
    let locked = store.try_lock(&slot()).unwrap().unwrap();
    locked.overwrite(kept).unwrap();
}

async fn said_of(change: impl FnOnce(&mut StoredLogin)) -> Said {
    let world = World::new();
    world.configure(&user());
    let mut kept = kept(&world);
    change(&mut kept);
    keep(&world.store(), &kept);
    let said = world.doctor().await;
    assert!(!said.whole.contains("canary"));
    assert_eq!(
        world.ninja.token_calls(),
        0,
        "a login is never renewed from here"
    );
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_alive_is_healthy() {
    let said = said_of(|_| {}).await;
    assert_eq!((said.code, said.healthy), (0, true), "{}", said.whole);
    said.says("store-directory", "ok", &["private", "durable"]);
    said.says("store-slot", "ok", &["sealed with the first key"]);
    said.says("store-lock", "ok", &["free"]);
    said.says(
        "login",
        "ok",
        &["logged in 60 min ago", "last used 60 min ago", "valid for"],
    );
    said.says("login-scopes", "ok", &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn why_a_login_has_ended_is_told_in_words() {
    for (why, words) in [
        ("login-refused", "NinjaOne refuses its refresh token"),
        (
            "login-lost-answer",
            "answer to the last renewal did not arrive",
        ),
        (
            "login-lost-crash",
            "a process ended after it had sent the renewal",
        ),
    ] {
        let ended = LoginEnd {
            at: ago(HOUR),
            reason: why.to_owned(),
        };
        let said = said_of(|it| it.ended = Some(ended)).await;
        assert_eq!(said.code, 4);
        said.troubles(&["login"]);
        said.says("login", "failed", &[words, " login acme"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_of_another_application_or_host_is_told() {
    let said = said_of(|it| it.client_id = "other".to_owned()).await;
    said.says("login", "failed", &["another client id"]);
    let said = said_of(|it| it.host = "us2.ninjarmm.com".to_owned()).await;
    said.says(
        "login",
        "failed",
        &["belongs to us2.ninjarmm.com, and the configured host is"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_cannot_be_renewed_is_told_with_its_end() {
    let said = said_of(|it| it.refresh_token = None).await;
    assert_eq!(said.code, 6);
    said.says(
        "login",
        "warning",
        &["cannot be renewed, and ends in", "offline_access"],
    );
    let over = |it: &mut StoredLogin| {
        it.refresh_token = None;
        it.access_token = None;
    };
    let said = said_of(over).await;
    assert_eq!(said.code, 4);
    said.says("login", "failed", &["has ended: it could not be renewed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_without_an_end_and_a_login_that_nobody_keeps_alive_are_told() {
    let mut mark = RenewalMarker::now();
    let said = said_of(|it| it.renewal_marker = Some(mark.clone())).await;
    said.says("login", "warning", &["has not finished"]);
    mark.is_response_lost = true;
    let said = said_of(|it| it.renewal_marker = Some(mark)).await;
    said.says("login", "warning", &["got no answer"]);
    let said = said_of(|it| it.refreshed_at = ago(HOUR * 24 * 20)).await;
    said.says("login", "warning", &["last used 20 d ago", "lapse"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_that_the_login_lacks_is_told() {
    let said = said_of(|it| it.scopes = vec!["monitoring".into()]).await;
    assert_eq!(said.code, 6);
    said.says("login-scopes", "warning", &["management is missing"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_seal_is_told_apart_from_an_older_one() {
    let other = varied(12);
    let world = World::new();
    world.configure(&user());
    keep(
        &store_sealed_with(&world.store_path(), &other),
        &kept(&world),
    );
    let said = world.doctor().await;
    assert_eq!(said.code, 1);
    said.troubles(&["store-slot"]);
    said.says("store-slot", "failed", &["not among ours", "(wrong-key)"]);
    assert_eq!(said.verdict("login"), "skipped");

    world.write("older.key", &hex(&other));
    let toml = std::fs::read_to_string(world.path().join("config.toml")).unwrap();
    let both = "[{ file = \"seal.key\" }, { file = \"older.key\" }]";
    let toml = toml.replace("seal = { file = \"seal.key\" }", &format!("seal = {both}"));
    world.write("config.toml", toml.as_bytes());
    let said = world.doctor().await;
    assert_eq!(said.code, 6);
    said.says(
        "store-slot",
        "warning",
        &["an older key", "Keep the older key"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_the_lock_is_named() {
    let world = World::new();
    world.configure(&user());
    let store = store_sealed_with(&world.store_path(), &SEAL);
    keep(&store, &kept(&world));
    let _locked = store.try_lock(&slot()).unwrap().unwrap();
    let said = world.doctor().await;
    let process = format!("held by process {}", std::process::id());
    said.says(
        "store-lock",
        "warning",
        &[&process, "do not end that process"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_the_store_that_others_can_read_or_that_is_damaged_is_told() {
    let world = World::new();
    world.configure(&user());
    keep(&world.store(), &kept(&world));
    let file = world.store_path().join("acme.user.login");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = world.doctor().await;
    said.says(
        "store-slot",
        "failed",
        &["can be used by others", "(not-private)"],
    );

    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&file, b"damaged").unwrap();
    let said = world.doctor().await;
    said.says(
        "store-slot",
        "warning",
        &["read from its copy", "(tampered)"],
    );
    assert_eq!(said.verdict("login"), "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_leaves_nothing_behind() {
    let world = World::new();
    world.configure(&user());
    let said = world.doctor().await;
    said.says("store-directory", "ok", &["does not exist yet"]);
    assert!(!world.store_path().exists());

    keep(&world.store(), &kept(&world));
    let names = || {
        let entries = std::fs::read_dir(world.store_path()).unwrap();
        let mut names: Vec<_> = entries.map(|it| it.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    world.doctor().await;
    assert_eq!(names(), before);
}
