//! `telemetry.log.requests`: which requests have a line in the log of the program itself.

use crate::wait::until;

use super::world::World;

async fn world(requests: &str) -> World {
    let plan = World::plan().set("telemetry.log", "level", "\"info\"");
    let plan = match requests {
        "" => plan,
        requests => plan.set("telemetry.log", "requests", requests),
    };
    let world = plan.start().await;
    world.has_token().await;
    world
}

/// A request that is served and one that is refused; returns the id of the second.
async fn ask(world: &World) -> String {
    let served = world.ask("reports", "GET", "/v2/organizations");
    assert_eq!(served.send().await.status, 200);
    let refused = world.ask("reports", "POST", "/v2/organizations");
    let refused = refused.send().await;
    assert_eq!(refused.status, 403);
    world.outcome(refused.id()).await;
    refused.id().to_owned()
}

#[tokio::test]
async fn by_default_a_refused_request_has_a_line_with_the_reason_and_a_served_one_has_none() {
    let world = world("").await;
    let id = ask(&world).await;
    until("the line", async || {
        !world.log().with(&["request refused"]).is_empty()
    })
    .await;
    let line = world.log().with(&["request refused"]).remove(0);
    assert!(line.contains("may not call"), "{line}");
    let config = world.directory().config();
    let config = config.display();
    assert!(
        line.contains(&format!(
            "Run: ninjaone-proxy --config {config} explain {id}"
        )),
        "{line}"
    );
    let allow = format!(
        "To allow it: 'ninjaone-proxy --config {config} caller allow reports createOrganization'."
    );
    assert!(line.contains(&allow), "{line}");
    assert!(line.contains("\"status\":403"), "{line}");
    assert!(line.contains("\"caller\":\"reports\""), "{line}");
    assert_eq!(world.log().with(&["request served"]).len(), 0);
    world.no_trouble();
    world.ninja().clear_requests();
    world.end().await;
}

#[tokio::test]
async fn all_has_a_line_for_each_request_and_none_for_no_request() {
    let all = world("\"all\"").await;
    let id = ask(&all).await;
    until("the lines", async || {
        all.log().with(&["request refused", &id]).len() == 1
    })
    .await;
    assert_eq!(
        all.log()
            .with(&["request served", "getOrganizations"])
            .len(),
        1
    );
    all.ninja().clear_requests();
    all.end().await;

    let none = world("\"none\"").await;
    ask(&none).await;
    let log = none.log().clone();
    none.ninja().clear_requests();
    // All that it has to say is said when it has ended.
    none.end_then(|| {
        assert_eq!(log.with(&["request refused"]), Vec::<String>::new());
        assert_eq!(log.with(&["request served"]), Vec::<String>::new());
    })
    .await;
}
