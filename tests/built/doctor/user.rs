//! The user identity in NinjaOne: the redirect URI, character for character, and whether a login would be accepted.

use ninjaone_proxy::sandbox::{
    DEFAULT_CLIENT_ID, NATIVE_CLIENT_ID, SINGLE_PAGE_CLIENT_ID, WEB_CLIENT_ID, WEB_CLIENT_SECRET,
};

use super::world::{Said, World};

async fn said_of(user: &str) -> Said {
    let world = World::new();
    world.write("web.secret", WEB_CLIENT_SECRET.as_bytes());
    world.configure(&format!("user = {{ {user} }}"));
    world.doctor().await
}

fn web(redirect: &str) -> String {
    format!(
        "client_id = \"{WEB_CLIENT_ID}\", client_secret = {{ file = \"web.secret\" }}, redirect = \"{redirect}\""
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_native_application_needs_nothing_but_a_login() {
    let said = said_of(&format!("client_id = \"{NATIVE_CLIENT_ID}\"")).await;
    assert_eq!((said.code, said.healthy), (4, false));
    said.troubles(&["login"]);
    said.says(
        "redirect",
        "ok",
        &["http://127.0.0.1:6468/callback", "any port"],
    );
    said.says("authorize", "ok", &["shows its login page"]);
    said.says("login", "failed", &[" login acme"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_redirect_of_a_web_application_is_shown_to_the_letter() {
    let said = said_of(&web("http://127.0.0.1:6468/callback")).await;
    let words = ["to the letter: http://127.0.0.1:6468/callback"];
    said.says("redirect", "ok", &words);
    said.says("authorize", "ok", &[]);
    said.troubles(&["login"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_that_is_not_registered_exactly_so_is_found() {
    let said = said_of(&web("http://127.0.0.1:6468/callback/")).await;
    assert_eq!(said.code, 1);
    said.says(
        "redirect",
        "warning",
        &["ends with a slash", "two addresses"],
    );
    said.says(
        "authorize",
        "failed",
        &[
            "Invalid redirect_uri",
            "http://127.0.0.1:6468/callback/ is not registered exactly so",
            "about an hour",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_nobody_can_log_in_to_is_found() {
    for id in [DEFAULT_CLIENT_ID, "elsewhere"] {
        let said = said_of(&format!("client_id = \"{id}\"")).await;
        said.says(
            "authorize",
            "failed",
            &["no login page", "API Services", "us2.ninjarmm.com"],
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_that_the_application_lacks_are_found_before_anybody_logs_in() {
    let scopes = "platform = \"single-page\", scopes = [\"monitoring\"]";
    let said = said_of(&format!(
        "client_id = \"{SINGLE_PAGE_CLIENT_ID}\", {scopes}"
    ))
    .await;
    said.says("authorize", "ok", &[]);
    // A single page application gets no refresh token in NinjaOne, whatever is configured here.
    let said = said_of(&format!("client_id = \"{SINGLE_PAGE_CLIENT_ID}\"")).await;
    said.says(
        "authorize",
        "failed",
        &["offline_access (invalid_scope)", "Tick them"],
    );
}
