//! Which requests are retried, and which never are.

use crate::answer::Answer;

use super::{
    hostile::{Act, Hostile},
    world::World,
};

#[tokio::test]
async fn a_read_is_tried_again_while_the_gateway_is_unwell() {
    for status in [502, 503, 504] {
        let world = World::new().await;
        world.trouble(&format!(r#"{{"status":{status},"count":2}}"#));

        let answer = world.get("reports", "/v2/organizations").await;

        answer.is(200);
        let saw = world.saw();
        assert_eq!(saw.len(), 3, "{saw:?}");
        assert_eq!(world.outcome(answer.id()).await["attempts"], 3);
        world.end().await;
    }
}

#[tokio::test]
async fn a_read_is_tried_three_times_at_most_and_the_last_answer_is_passed_on() {
    let world = World::new().await;
    world.trouble(r#"{"status":503}"#);

    let answer = world.get("reports", "/v2/organizations").await;

    answer.is(503);
    assert_eq!(answer.json()["resultCode"], "ERROR");
    assert_eq!(world.saw().len(), 3);
    world.end().await;
}

#[tokio::test]
async fn an_error_of_the_application_is_not_tried_again() {
    for status in [400, 404, 409, 500] {
        let world = World::new().await;
        world.trouble(&format!(r#"{{"status":{status}}}"#));

        world.get("reports", "/v2/organizations").await.is(status);

        assert_eq!(world.saw().len(), 1);
        world.end().await;
    }
}

#[tokio::test]
async fn a_read_whose_answer_is_lost_is_tried_again() {
    let world = World::new().await;
    world.trouble(r#"{"lose_response":true,"count":2}"#);

    let answer = world.get("reports", "/v2/organizations").await;

    answer.is(200);
    assert_eq!(world.saw().len(), 3);
    world.end().await;
}

#[tokio::test]
async fn no_write_is_ever_sent_twice() {
    let writes = [
        ("POST", "/v2/organizations"),
        ("PATCH", "/v2/device/101"),
        ("PUT", "/v2/custom-fields/bulk"),
        ("DELETE", "/v2/alert/none"),
    ];
    for trouble in [
        r#"{"lose_response":true}"#,
        r#"{"status":503}"#,
        r#"{"status":429}"#,
        r#"{"cut_body":true}"#,
    ] {
        for (method, target) in writes {
            // A pause that a 429 brings would keep the next one back.
            let world = World::new().await;
            world.trouble(trouble);

            let ask = world.ask("operator", method, target).body("{}");
            let answer = ask.send().await;

            assert!(answer.status >= 400 || !answer.whole || answer.status == 204);
            let saw = world.saw();
            assert_eq!(saw.len(), 1, "{trouble} {saw:?}");
            world.end().await;
        }
    }
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_a_bad_answer_and_on_record_as_sent() {
    let world = World::new().await;
    world.trouble(r#"{"lose_response":true}"#);

    let answer = world.post("operator", "/v2/organizations", "{}").await;

    answer.refuses(502, "upstream-bad-answer");
    let line = world.outcome(answer.id()).await;
    assert_eq!(line["decision"], "allowed");
    assert_eq!(line["error"], "upstream-bad-answer");
    assert_eq!(line["attempts"], 1);
    world.end().await;
}

/// Answers once on each connection, and closes it without a word of warning.
async fn closing() -> World {
    let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n[]";
    let hostile = Hostile::start(|_| Act::Say(bytes.to_vec())).await;
    World::in_front_of(hostile).await
}

#[tokio::test]
async fn a_kept_connection_that_has_died_costs_no_read() {
    let world = closing().await;

    for _ in 0..100 {
        world.get("reports", "/v2/devices").await.is(200);
    }

    assert_eq!(world.arrivals().len(), 100);
    world.end().await;
}

#[tokio::test]
async fn a_kept_connection_that_has_died_never_sends_a_write_twice() {
    let world = closing().await;
    let mut answers: Vec<Answer> = Vec::new();

    for _ in 0..100 {
        answers.push(world.post("operator", "/v2/organizations", "{}").await);
    }

    let done = answers.iter().filter(|it| it.status == 200).count();
    let arrived = world.arrivals().len();
    assert!(arrived >= done && arrived <= 100, "{arrived} for {done}");
    for answer in answers.iter().filter(|it| it.status != 200) {
        answer.refuses(502, "upstream-bad-answer");
    }
    world.end().await;
}

#[tokio::test]
async fn the_retry_budget_ends_retries_in_an_outage() {
    let plan = World::plan().set("retry", "budget", "\"10%\"");
    let world = plan.start().await;
    world.trouble(r#"{"status":503}"#);

    for _ in 0..60 {
        world.get("reports", "/v2/organizations").await.is(503);
    }

    // Ten are saved up, and each request earns a tenth.
    let sent = world.saw().len();
    assert!((70..=77).contains(&sent), "{sent}");
    world.end().await;
}

#[tokio::test]
async fn a_post_that_only_reads_is_not_repeated_either() {
    let world = World::new().await;
    world.trouble(r#"{"lose_response":true}"#);

    let answer = world
        .post("operator", "/v2/ticketing/trigger/board/1/run", "{}")
        .await;

    answer.refuses(502, "upstream-bad-answer");
    assert_eq!(world.saw().len(), 1);
    world.end().await;
}
