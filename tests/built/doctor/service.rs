//! The service identity: `doctor` tells apart every way in which NinjaOne can refuse a token.

use ninjaone_proxy::{
    ninjaone::operation::Scope,
    sandbox::{Client, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, NATIVE_CLIENT_ID},
};

use super::world::{World, service, service_of};

#[tokio::test(flavor = "multi_thread")]
async fn all_is_well_with_good_credentials() {
    let world = World::new();
    world.configure(&service());
    let said = world.doctor().await;
    assert_eq!((said.code, said.healthy), (0, true), "{}", said.whole);
    said.troubles(&[]);
    said.says("configuration", "ok", &["1 tenant, 1 caller"]);
    said.says("service-token", "ok", &["valid for 60 min"]);
    said.says("service-scopes", "ok", &["all that callers need"]);
    assert_eq!(said.check("service-token")["tenant"], "acme");
    assert!(said.check("clock").get("tenant").is_none());
    assert!(said.check("clock").get("do").is_none());
    assert!(!said.whole.contains(DEFAULT_CLIENT_SECRET));
    assert_eq!(world.ninja.token_calls(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_id_of_another_region_is_told_with_the_host_and_the_regions() {
    let world = World::new();
    world.configure(&service_of("elsewhere", ""));
    let said = world.doctor().await;
    assert_eq!((said.code, said.healthy), (1, false));
    said.troubles(&["service-token"]);
    let host = world.ninja.address().to_string();
    let words = [
        &host,
        "404 `Client app not exist`",
        "one host only",
        "us2 (us2.ninjarmm.com)",
    ];
    said.says("service-token", "failed", &words);
    assert_eq!(said.verdict("service-scopes"), "skipped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_or_a_grant_that_is_not_offered_is_told() {
    let world = World::new();
    world.write("acme.secret", b"another-secret-than-the-right-one");
    world.configure(&service());
    let said = world.doctor().await;
    said.says(
        "service-token",
        "failed",
        &["refuses the client id, the secret or the grant"],
    );
    assert!(!said.whole.contains("another-secret"));

    world.configure(&service_of(NATIVE_CLIENT_ID, ""));
    let said = world.doctor().await;
    assert_eq!(said.verdict("service-token"), "failed", "{}", said.whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scope_that_the_application_lacks_is_found() {
    let monitoring = Client {
        scopes: vec![Scope::Monitoring],
        ..Client::default()
    };
    let world = World::with_clients(vec![monitoring]);
    let scopes = ", scopes = [\"monitoring\", \"management\"]";
    world.configure(&service_of(DEFAULT_CLIENT_ID, scopes));
    let said = world.doctor().await;
    said.says(
        "service-token",
        "failed",
        &[
            "asked for monitoring management",
            "lacks management (`invalid_scope`)",
            "Tick management",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_a_scope_that_callers_need_is_a_warning() {
    let world = World::new();
    world.configure(&service());
    world.fault(r#"{"token":"scope:monitoring"}"#);
    let said = world.doctor().await;
    assert_eq!(said.code, 6);
    said.troubles(&["service-scopes"]);
    said.says(
        "service-scopes",
        "warning",
        &[
            "management is missing",
            "caller app may call",
            "Tick management",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_at_the_token_endpoint_is_told_apart() {
    let world = World::new();
    world.configure(&service());
    for (trouble, words) in [
        ("429", &["throttles", "Wait"][..]),
        ("503", &["failed with status 503", "status page"]),
        ("html", &["web page", "sign-on page"]),
        ("empty", &["answered with an empty body"]),
        ("not_json", &["not a JSON object"]),
        ("expires_in:absent", &["no lifetime"]),
        ("expires_in:0", &["zero or less"]),
        ("lose_response", &["the connection broke"]),
    ] {
        world.fault(&format!(r#"{{"token":"{trouble}"}}"#));
        let said = world.doctor().await;
        assert_eq!(said.code, 1, "{trouble}");
        said.troubles(&["service-token"]);
        said.says("service-token", "failed", words);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_read_a_line_a_check_and_then_what_to_do() {
    let world = World::new();
    world.configure(&service_of("elsewhere", ""));
    let (code, text, _) = world.typed(vec![]).await;
    assert_eq!(code, 1);
    let (checks, remedies) = text.split_once("\nWhat to do\n").unwrap();
    let columns: Vec<usize> = checks
        .lines()
        .map(|line| {
            let verdicts = ["  ok ", "  FAILED ", "  skipped "];
            verdicts.iter().find_map(|it| line.find(it)).unwrap()
        })
        .collect();
    assert!(columns.len() > 8);
    assert!(remedies.starts_with("  acme/service-token: A client id lives on one host only"));
    assert!(remedies.ends_with("\n1 check failed.\n"));

    let (code, brief, _) = world.typed(vec!["-q"]).await;
    assert_eq!(code, 1);
    let titles: Vec<&str> = brief
        .lines()
        .map(|it| it.split(' ').next().unwrap())
        .collect();
    assert_eq!(titles, ["acme/service-token", "", "What", ""]);
}
