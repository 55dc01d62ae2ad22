//! Targets as people write them: with a slash too many, through a variable for forward proxies, with a space in the filter.

use crate::wire::Wire;

use super::world::World;

#[tokio::test]
async fn one_slash_at_the_end_changes_nothing_and_is_sent_as_it_came() {
    let world = World::new().await;
    for target in [
        "/v2/devices/",
        "/v2/devices/?pageSize=2",
        "/api/v2/devices/",
        "/tenant/acme/v2/devices/",
        "/v2/device/101/",
    ] {
        let answer = world.get("reports", target).await;

        answer.is(200);
        let sent = target.strip_prefix("/tenant/acme").unwrap_or(target);
        assert_eq!(world.arrivals().last().unwrap().target, sent);
        let line = world.outcome(answer.id()).await;
        let operation = if target.contains("101") {
            "getDevice"
        } else {
            "getDevices"
        };
        assert!(
            line["operation"].as_str().unwrap().starts_with(operation),
            "{line}"
        );
    }
    world.end().await;
}

#[tokio::test]
async fn a_slash_at_the_end_opens_no_rule_and_stands_for_no_value() {
    let plan = World::plan()
        .caller(
            "narrow",
            "allow = [\"read\"]\ndeny = [\"GET /v2/devices\", \"secrets\"]",
        )
        .caller("path", "allow = [\"GET /v2/devices\"]");
    let world = plan.start().await;

    let denied = world.get("narrow", "/v2/devices/").await;
    let secrets = world
        .get("narrow", "/v2/queries/custom-fields/?showSecureValues=true")
        .await;
    for answer in [&denied, &secrets] {
        answer.refuses(403, "policy-denied");
    }
    world.get("path", "/v2/devices/").await.is(200);
    for (method, target) in [
        ("GET", "/v2/device/"),
        ("GET", "/v2/organization/"),
        ("DELETE", "/v2/alert/"),
        ("GET", "/v2/"),
    ] {
        let answer = world.ask("operator", method, target).send().await;
        answer.refuses(403, "unknown-operation");
    }
    world
        .get("operator", "/v2/devices//")
        .await
        .refuses(400, "bad-request");

    assert_eq!(world.saw(), ["GET /v2/devices/ 200"]);
    world.end().await;
}

#[tokio::test]
async fn a_set_up_that_cannot_work_is_told_how_to_mend_it() {
    let world = World::new().await;
    let whole = format!("http://{}/v2/devices", world.callers);
    for (method, target, told) in [
        ("GET", "//v2/devices", "base URL"),
        ("GET", "//api/v2/devices", "base URL"),
        ("GET", "/tenant/acme//v2/devices", "base URL"),
        ("GET", whole.as_str(), "NO_PROXY"),
        ("CONNECT", "eu.ninjarmm.com:443", "NO_PROXY"),
    ] {
        let answer = world.ask("reports", method, target).send().await;

        let status = if method == "CONNECT" { 405 } else { 400 };
        assert_eq!(answer.status, status, "{target}");
        let hint = answer.json()["hint"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(hint.contains(told), "{target}: {}", answer.text());
    }
    assert_eq!(world.saw(), Vec::<String>::new());
    world.end().await;
}

#[tokio::test]
async fn a_refused_target_is_told_which_part_has_which_character_where() {
    let world = World::new().await;
    for (target, told) in [
        (
            "/v2/devices?df=a<b",
            "The query has '<' at position 17 of the target",
        ),
        (
            "/v2/devices?df=class = MAC",
            "The query has a space at position 21 of the target",
        ),
        (
            "/v2/devices?df=\"a\"",
            "The query has '\"' at position 16 of the target",
        ),
        (
            "/v2/devices?df=\u{fc}",
            "The query has the byte 0xC3 at position 16 of the target",
        ),
        (
            "/v2/devices?df=a%0d",
            "The query has '%0D' at position 17 of the target",
        ),
        (
            "/v2/devices?df=a%zz",
            "The query has a lone '%' at position 17 of the target",
        ),
        (
            "/v2/dev ices",
            "The path has a space at position 8 of the target",
        ),
        (
            "/v2/dev|ices",
            "The path has '|' at position 8 of the target",
        ),
        (
            "/v2/devices;a=b",
            "The path has ';' at position 12 of the target",
        ),
        (
            "/v2/dev%2Fices",
            "The path has '%2F' at position 8 of the target",
        ),
        (
            "/tenant/acme/v2/dev%2fices",
            "The path has '%2F' at position 20 of the target",
        ),
        (
            "/v2/dev%2ices",
            "The path has a lone '%' at position 8 of the target",
        ),
        (
            "/v2//devices",
            "The path has an empty segment ('//') at position 4 of the target",
        ),
    ] {
        let answer = world.ask("reports", "GET", target).send().await;

        answer.refuses(400, "bad-request");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with(told), "{target}: {detail}");
    }
    world.end().await;
}

#[tokio::test]
async fn what_is_no_request_line_is_still_called_so() {
    let world = World::new().await;
    for line in [
        "GET /v2/devices?a b HTTP/2.7",
        "/v2/de vices",
        "FETCH /v2/a b HTTP/1.1",
        "GET v2 x HTTP/1.1",
    ] {
        let mut wire: Wire = world.wire().await;
        wire.send(format!("{line}\r\nHost: localhost\r\n\r\n"))
            .await;

        let answer = wire.answer().await.unwrap();

        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(!detail.contains("position"), "{line}: {detail}");
    }
    world.end().await;
}
