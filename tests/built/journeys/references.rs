//! Links and redirects stay with the proxy, and headers that change what a message means are passed or refused.

use super::{
    hostile::{Act, Hostile},
    world::World,
};

/// A world whose NinjaOne answers with these header lines, in which `ORIGIN` is its own.
async fn saying(lines: &'static str) -> World {
    let hostile = Hostile::start(move |got| {
        let host = got.headers().into_iter().find(|(name, _)| name == "host");
        let own = format!("http://{}", host.unwrap().1);
        let lines = lines.replace("ORIGIN", &own);
        Act::Keep(format!("HTTP/1.1 200 OK\r\n{lines}\r\nContent-Length: 2\r\n\r\n[]").into_bytes())
    })
    .await;
    World::in_front_of(hostile).await
}

#[tokio::test]
async fn links_and_redirects_keep_the_callers_base_path_and_lose_ninjaones_origin() {
    let world = saying(
        "Link: <ORIGIN/v2/devices?after=50&df=a,b>; rel=\"next\"; title=\"a, <b>\", <https://docs.example/x>; rel=help\r\n\
         Link: </v2/devices>; rel=first, <?after=0>; rel=prev\r\n\
         Location: ORIGIN/v2/devices/9",
    )
    .await;
    for (asked, base) in [
        ("/v2/devices", ""),
        ("/api/v2/devices", "/api"),
        ("/tenant/acme/v2/devices", "/tenant/acme"),
        ("/tenant/acme/api/v2/devices", "/tenant/acme/api"),
    ] {
        let answer = world.get("reports", asked).await;

        answer.is(200);
        let links = [
            format!(
                "<{base}/v2/devices?after=50&df=a,b>; rel=\"next\"; title=\"a, <b>\", <https://docs.example/x>; rel=help"
            ),
            format!("<{base}/v2/devices>; rel=first, <?after=0>; rel=prev"),
        ];
        assert_eq!(answer.all("link"), links);
        assert_eq!(answer.all("location"), [format!("{base}/v2/devices/9")]);
    }
    world.end().await;
}

#[tokio::test]
async fn what_points_elsewhere_is_passed_on_as_it_is() {
    let world = saying(
        "Link: <https://ninja.example/v2/devices>; rel=next, <ORIGIN.evil.example/x>; rel=a, <ORIGIN//evil.example/>; rel=b\r\n\
         Location: https://console.example/v2/devices",
    )
    .await;

    let answer = world.get("reports", "/api/v2/devices").await;

    let own = world.behind.address();
    let link = format!(
        "<https://ninja.example/v2/devices>; rel=next, <http://{own}.evil.example/x>; rel=a, <http://{own}//evil.example/>; rel=b"
    );
    assert_eq!(answer.all("link"), [link]);
    assert_eq!(
        answer.all("location"),
        ["https://console.example/v2/devices"]
    );
    world.end().await;
}

#[tokio::test]
async fn conditions_and_ranges_reach_ninjaone_and_what_answers_them_comes_back() {
    let world =
        saying("Content-Range: bytes 0-1/9\r\nAccept-Ranges: bytes\r\nVary: Accept\r\nAge: 3")
            .await;
    let sent = [
        ("if-match", "\"a\", \"b\""),
        ("if-unmodified-since", "Sat, 21 Nov 2026 00:00:00 GMT"),
        ("content-language", "de"),
        ("range", "bytes=0-1"),
        ("if-range", "\"a\""),
    ];
    let mut ask = world.ask("operator", "PATCH", "/v2/device/1").body("{}");
    for (name, value) in sent {
        ask = ask.header(name, value);
    }

    let answer = ask.send().await;

    answer.is(200);
    let arrivals = world.arrivals();
    for (name, value) in sent {
        assert_eq!(arrivals[0].header(name), Some(value), "{name}");
    }
    assert_eq!(answer.header("content-range"), Some("bytes 0-1/9"));
    assert_eq!(answer.header("accept-ranges"), Some("bytes"));
    assert_eq!(answer.header("vary"), Some("Accept"));
    assert_eq!(answer.header("age"), Some("3"));
    world.end().await;
}

#[tokio::test]
async fn a_body_that_no_policy_can_read_is_refused_and_an_encoding_without_a_body_is_not() {
    let world = World::new().await;
    let patch = |encoding: &str| {
        let ask = world.ask("operator", "PATCH", "/v2/device/101");
        ask.header("Content-Encoding", encoding).body("{}")
    };

    for encoding in ["gzip", "BR", "identity, gzip", "x"] {
        let answer = patch(encoding).send().await;
        answer.refuses(415, "encoding-refused");
        assert_eq!(answer.header("accept-encoding"), Some("identity"));
    }
    for encoding in ["identity", "Identity", ""] {
        patch(encoding).send().await.is(204);
    }
    let read = world.ask("reports", "GET", "/v2/users");
    read.header("Content-Encoding", "gzip").send().await.is(200);

    assert_eq!(world.saw().len(), 4);
    world.end().await;
}

#[tokio::test]
async fn a_header_without_which_a_request_means_something_else_is_not_dropped() {
    let world = World::new().await;
    let patch = || world.ask("operator", "PATCH", "/v2/device/101").body("{}");

    let parts = patch().header("Content-Range", "bytes 0-1/9");
    let unconditional = patch()
        .header("If-Match", "\"a\"")
        .header("Connection", "keep-alive, If-Match");
    let untyped = patch().header("Connection", "content-type");

    for (ask, named) in [
        (parts, "Content-Range"),
        (unconditional, "Connection"),
        (untyped, "Connection"),
    ] {
        let answer = ask.send().await;
        answer.refuses(400, "bad-request");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(named), "{detail}");
    }
    assert_eq!(world.saw(), Vec::<String>::new());
    world.end().await;
}
