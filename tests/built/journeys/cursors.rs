//! Reads whose place NinjaOne keeps: sent again, they would skip a page without a word.

use super::{
    hostile::{Act, Hostile},
    world::World,
};

const FIRST: &str = "/v2/queries/disks?pageSize=2";
const NEXT: &str = "/v2/queries/disks?cursor=c1&pageSize=2";

#[tokio::test]
async fn a_page_that_may_have_been_served_is_not_asked_for_again() {
    for trouble in [
        r#"{"lose_response":true,"count":1}"#,
        r#"{"status":502,"count":1}"#,
        r#"{"status":503,"count":1}"#,
        r#"{"status":504,"count":1}"#,
        r#"{"throttle":"html","count":1}"#,
    ] {
        let world = World::new().await;
        world.trouble(trouble);

        let answer = world.get("reports", NEXT).await;

        assert!(answer.status >= 400, "{trouble}: {}", answer.text());
        assert_eq!(world.saw().len(), 1, "{trouble}");
        assert_eq!(world.outcome(answer.id()).await["attempts"], 1);
        world.end().await;
    }
}

#[tokio::test]
async fn a_lost_page_is_an_error_that_says_how_to_go_on() {
    let world = World::new().await;
    world.trouble(r#"{"lose_response":true,"count":1}"#);

    let answer = world.get("reports", NEXT).await;

    answer.refuses(502, "upstream-bad-answer");
    let hint = answer.json()["hint"].as_str().unwrap().to_owned();
    assert!(hint.contains("without 'cursor'"), "{hint}");
    world.end().await;
}

#[tokio::test]
async fn a_first_page_and_other_ways_of_paging_are_asked_for_again() {
    for target in [FIRST, "/v2/devices?after=1", "/v2/devices?cursor=c1"] {
        let world = World::new().await;
        world.trouble(r#"{"lose_response":true,"count":1}"#);

        world.get("reports", target).await.is(200);

        assert_eq!(world.saw().len(), 2, "{target}");
        world.end().await;
    }
}

#[tokio::test]
async fn a_page_that_was_certainly_not_served_is_asked_for_again() {
    for refusal in [
        "429 Too Many Requests\r\nRetry-After: 1",
        "401 Unauthorized",
    ] {
        let first = format!("HTTP/1.1 {refusal}\r\nContent-Length: 0\r\n\r\n");
        let then =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
        let hostile = Hostile::start(move |got| {
            let answer: &str = if got.number == 1 { &first } else { then };
            Act::Keep(answer.as_bytes().to_vec())
        })
        .await;
        let world = World::in_front_of(hostile).await;

        world.get("reports", NEXT).await.is(200);

        assert_eq!(world.arrivals().len(), 2, "{refusal}");
        world.end().await;
    }
}
