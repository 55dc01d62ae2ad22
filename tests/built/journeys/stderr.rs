//! Whatever stderr is, and even if nobody reads it: requests, writes, signals and the stop go on.

use std::{
    io::{self, PipeReader, Read, Write, pipe},
    time::{Duration, Instant},
};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::{
    frames::{PING, PREFACE, SETTINGS, frame},
    program::Stderr,
    verdict::agreement::trouble,
    wait::until,
};

use super::world::{Plan, World};

const MADE: &str = "{\"name\":\"Not waiting\"}";
/// Of the world's plan, and what the end of the program may take beyond it.
const STOP_MAX: Duration = Duration::from_secs(5 + 5);

/// Talkative, and to a stderr of the test's own.
fn plan(stderr: Stderr) -> Plan {
    World::plan()
        .set("telemetry.log", "level", "\"debug\"")
        .stderr(stderr)
}

/// Reads, writes, reloads, what is told as an error, and the stop: all goes on.
async fn nobody_waits(world: World) {
    for _ in 0..3 {
        world.get("reports", "/v2/users").await.is(200);
        let made = world.post("operator", "/v2/organizations", MADE).await;
        made.is(200);
    }
    let good = std::fs::read_to_string(world.directory().config()).unwrap();
    world.rewrite(|_| "wrong".to_owned());
    world.reload().await;
    world.rewrite(|_| good);
    world.reload().await;
    let status = world.status().await;
    assert!(status["config"]["last_error"].is_null(), "{status}");
    world.ninja().revoke_all_tokens();
    world.get("reports", "/v2/users").await.is(200);
    let mut readers = JoinSet::new();
    for _ in 0..8 {
        let client = world.client();
        readers.spawn(async move { client.get("reports", "/v2/users").await.status });
    }
    assert_eq!(readers.join_all().await, [200; 8]);
    world.admin("/livez").await.is(200);
    // All that may need attention is the log itself.
    let status = world.status().await;
    let mut troubles = status["troubles"].as_array().unwrap().iter();
    assert!(troubles.all(|it| it["kind"] == "log-failing"), "{status}");

    let began = Instant::now();
    world.end().await;
    let took = began.elapsed();
    assert!(took < STOP_MAX, "{took:?}");
}

/// A pipe in which there is no room for a byte, and its reader.
fn full_pipe() -> (PipeReader, Stderr) {
    let (reader, mut writer) = pipe().unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    for chunk in [4096, 1] {
        let full = loop {
            if let Err(error) = writer.write(&vec![b'.'; chunk]) {
                break error;
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    }
    fcntl_setfl(&writer, flags).unwrap();
    (reader, Stderr::Other(writer.into()))
}

async fn lost_lines(world: &World) -> u64 {
    let page = world.admin("/metrics").await.text();
    let name = "ninjaone_proxy_log_lines_lost_total ";
    let value = page.lines().find_map(|it| it.strip_prefix(name));
    value.expect("the metric").parse().unwrap()
}

/// The library tells of every frame that comes and goes, at `debug`.
async fn ping_over_http2(world: &World, count: usize) {
    let ping = frame(PING, 0, 0, &[1, 2, 3, 4, 5, 6, 7, 8]);
    let stream = TcpStream::connect(world.callers).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    let asked = [PREFACE, &frame(SETTINGS, 0, 0, &[]), &ping.repeat(count)].concat();
    let asking = tokio::spawn(async move {
        to.write_all(&asked).await.unwrap();
        to
    });
    // As many come back, beside what the other end says of itself.
    let (mut came, mut chunk) = (0, vec![0; 64 * 1024]);
    while came < ping.len() * count {
        let length = from.read(&mut chunk).await.unwrap();
        assert!(length > 0, "the connection was ended after {came} bytes");
        came += length;
    }
    asking.await.unwrap();
}

#[tokio::test]
async fn a_full_pipe_that_nobody_reads_holds_up_nobody() {
    let (reader, stderr) = full_pipe();
    let world = plan(stderr).start().await;
    nobody_waits(world).await;
    drop(reader);
}

#[tokio::test]
async fn a_full_pipe_that_nobody_reads_is_said_until_somebody_does() {
    let (mut reader, stderr) = full_pipe();
    let world = plan(stderr)
        .set("admin", "watchdog", "\"1s\"")
        .start()
        .await;
    let text = trouble(&world, "log-failing").await;
    assert!(text.contains("has not been written for"), "{text}");
    assert_eq!(
        world.metric("troubles{kind=\"log-failing\"}").await,
        Some(1.0)
    );
    let log = &world.status().await["log"];
    assert_eq!(log["state"], "failing");
    assert!(log["lines_waiting"].as_u64() > Some(0), "{log}");
    world.admin("/livez").await.is(200);
    world.admin("/readyz").await.is(200);

    let reading = std::thread::spawn(move || {
        let mut text = Vec::new();
        reader.read_to_end(&mut text).map(|_| text)
    });
    until("a log that is written again", async || {
        let status = world.status().await;
        status["log"]["state"] == "writing" && status["health"] == "healthy"
    })
    .await;
    world.end().await;
    let text = reading.join().unwrap().unwrap();
    assert!(String::from_utf8_lossy(&text).contains("\"ready\""));
}

#[tokio::test]
async fn lines_that_find_no_room_are_counted_and_told_of_when_there_is_some() {
    let (mut reader, stderr) = full_pipe();
    let world = plan(stderr).start().await;
    until("lost lines", async || {
        ping_over_http2(&world, 2000).await;
        lost_lines(&world).await > 0
    })
    .await;

    let told = std::thread::spawn(move || {
        let (mut text, mut chunk) = (String::new(), vec![0; 64 * 1024]);
        while !text.contains("log lines were lost") {
            let length = reader.read(&mut chunk).unwrap();
            assert!(length > 0, "the end, and not a word of what was lost");
            text.push_str(&String::from_utf8_lossy(&chunk[..length]));
        }
        // The pipe stays open, and is read no more.
        reader
    });
    until("a line about it", async || told.is_finished()).await;
    let reader = told.join().unwrap();
    nobody_waits(world).await;
    drop(reader);
}

#[tokio::test]
async fn a_pipe_whose_reader_is_gone_holds_up_nobody() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let world = plan(Stderr::Other(writer.into())).start().await;
    let text = trouble(&world, "log-failing").await;
    assert!(
        text.starts_with("Lines of the program's log are lost"),
        "{text}"
    );
    nobody_waits(world).await;
}

/// `2>&-`: the program starts without a descriptor 2.
#[tokio::test]
async fn a_stderr_that_is_closed_holds_up_nobody() {
    let world = plan(Stderr::Closed).start().await;
    nobody_waits(world).await;
}

#[tokio::test]
async fn a_terminal_that_was_stopped_holds_up_nobody() {
    let world = plan(Stderr::StoppedTerminal).start().await;
    nobody_waits(world).await;
}

#[tokio::test]
async fn where_stderr_takes_nothing_the_lines_about_lost_lines_are_not_lost_over_and_over() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let world = World::plan()
        .set("telemetry.log", "level", "\"warn\"")
        .stderr(Stderr::Other(full.unwrap().into()))
        .start()
        .await;
    world.rewrite(|_| "wrong".to_owned());
    until("a lost line", async || lost_lines(&world).await > 0).await;
    let before = lost_lines(&world).await;
    // Several times as long as the looks that tell of lost lines are apart.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(lost_lines(&world).await <= before + 2, "{before} before");
    world.end().await;
}
