//! The audit log is taken away from the running program: while that lasts, writes are refused and the state is logged and
//! shown; then the program recovers by itself.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use ninjaone_proxy::audit::verify::verify;
use rustix::process::Signal;
use serde_json::Value;

use crate::{audit_log, program::log_level, small_disk::SmallDisk, wait::until, wire::Wire};

use super::world::{Plan, World};

const MADE: &str = "{\"name\":\"On record\"}";
/// What the log says, once each.
const BROKEN: &str = "the audit log cannot be written: everything but reads is refused";
const WELL: &str = "the audit log can be written again";
const LEVELS: [&str; 4] = ["error", "warn", "info", "debug"];

/// The file that is being written.
fn newest(world: &World) -> PathBuf {
    let entries = fs::read_dir(world.audit_path()).unwrap();
    let paths = entries.map(|it| it.unwrap().path());
    let files = paths.filter(|it| it.extension().is_some_and(|it| it == "jsonl"));
    files.max().expect("a file of the log")
}

async fn write(world: &World) -> u16 {
    let answer = world.post("operator", "/v2/organizations", MADE).await;
    if answer.status != 200 {
        answer.refuses(503, "audit-unavailable").retry_after();
    }
    answer.status
}

/// The number of a metric that has no labels.
async fn metric(world: &World, name: &str) -> u64 {
    let page = world.admin("/metrics").await.text();
    let mut lines = page.lines();
    let value = lines.find_map(|it| it.strip_prefix(name)?.strip_prefix(' '));
    value.expect("the metric").parse().unwrap()
}

/// That the log was lost, and that it is back: the second only in a log that has warnings.
async fn tells_of_each_turn_once(world: &World, tells_warnings: bool) {
    let log = world.log();
    until("the trouble to be told", async || log.count(BROKEN) > 0).await;
    let is_back = async || !tells_warnings || log.count(WELL) > 0;
    until("the end of the trouble to be told", is_back).await;
    assert_eq!(log.count(BROKEN), 1, "{}", log.text());
    let told = usize::from(tells_warnings);
    assert_eq!(log.count(WELL), told, "{}", log.text());
}

/// A plan at this level, and whether its log tells of warnings.
fn plan_at(level: &str) -> (Plan, bool) {
    let plan = World::plan().set("telemetry.log", "level", &format!("\"{level}\""));
    (plan, tells_warnings(level))
}

fn tells_warnings(level: &str) -> bool {
    level != "error"
}

/// Somebody has changed the log: it is written again, and stays degraded.
async fn is_not_forgotten(world: &World) {
    let status = world.status().await;
    assert_eq!(status["audit"]["state"], "writing", "{status}");
    assert_eq!(status["health"], "degraded", "{status}");
    assert_eq!(status["troubles"][0]["kind"], "audit-gap", "{status}");
}

/// What callers do before the trouble is noticed.
#[derive(PartialEq, Eq)]
enum Meanwhile {
    /// They read and write; what was written to a file that is lost is lost with it.
    Traffic,
    Silence,
}

/// Does `trouble` to the file that is being written, sees the program through it, and lets `repair` put back what the
/// verifier of the whole log needs. The log is where it was all the time, so the program helps itself.
async fn survives(
    level: &str,
    meanwhile: Meanwhile,
    trouble: impl FnOnce(&Path),
    repair: impl FnOnce(&Path),
) {
    let (plan, tells_warnings) = plan_at(level);
    let world = plan.start().await;
    assert_eq!(write(&world).await, 200);
    // All that was answered is in the file.
    world.lines().await;
    let file = newest(&world);

    trouble(&file);
    let failures = async || metric(&world, "ninjaone_proxy_audit_failures_total").await;
    if meanwhile == Meanwhile::Silence {
        until("the writer to look", async || failures().await > 0).await;
    }
    until("writes after the trouble", async || {
        world.get("reports", "/v2/users").await.is(200);
        write(&world).await == 200 && failures().await > 0
    })
    .await;
    is_not_forgotten(&world).await;
    for _ in 0..5 {
        assert_eq!(write(&world).await, 200);
    }
    tells_of_each_turn_once(&world, tells_warnings).await;
    assert_ne!(newest(&world), file, "another file was begun");
    repair(&file);
    let lines = world.lines().await;
    assert!(lines.iter().any(|it| it["type"] == "gap"));
    world.end().await;
}

#[tokio::test]
async fn a_file_that_is_deleted_costs_a_moment_at_every_level() {
    for level in LEVELS {
        // Whatever is written to it before that is noticed.
        let kept = |file: &Path| file.with_extension("kept");
        let delete = |file: &Path| {
            fs::hard_link(file, kept(file)).unwrap();
            fs::remove_file(file).unwrap();
        };
        survives(level, Meanwhile::Traffic, delete, |file| {
            fs::rename(kept(file), file).unwrap();
        })
        .await;
    }
}

/// As `logrotate` does without `copytruncate`.
#[tokio::test]
async fn a_file_that_is_moved_away_costs_a_moment() {
    let away = |file: &Path| file.with_extension("jsonl.1");
    let moves = |file: &Path| fs::rename(file, away(file)).unwrap();
    survives("info", Meanwhile::Traffic, moves, |file| {
        fs::rename(away(file), file).unwrap();
    })
    .await;
}

/// As `logrotate` does with `copytruncate`.
#[tokio::test]
async fn a_file_that_is_cut_costs_a_moment_at_every_level() {
    for level in LEVELS {
        let kept = tempfile::tempdir().unwrap();
        let copy = kept.path().join("copy");
        let cut = |file: &Path| {
            fs::copy(file, &copy).unwrap();
            File::options()
                .write(true)
                .open(file)
                .unwrap()
                .set_len(0)
                .unwrap();
        };
        survives(level, Meanwhile::Silence, cut, |file| {
            assert_eq!(fs::read(file).unwrap(), b"", "left alone");
            fs::copy(&copy, file).unwrap();
        })
        .await;
    }
}

#[tokio::test]
async fn a_file_that_is_replaced_costs_a_moment() {
    let replace = |file: &Path| {
        let text = fs::read(file).unwrap();
        fs::remove_file(file).unwrap();
        fs::write(file, text).unwrap();
    };
    survives("info", Meanwhile::Silence, replace, |_| ()).await;
}

#[tokio::test]
async fn a_line_of_somebody_else_costs_a_moment() {
    const FORGED: &[u8] = b"{\"forged\":true}\n";
    let forge = |file: &Path| {
        let mut file = File::options().append(true).open(file).unwrap();
        file.write_all(FORGED).unwrap();
    };
    survives("info", Meanwhile::Silence, forge, |file| {
        let text = fs::read(file).unwrap();
        let own = text.strip_suffix(FORGED).expect("nothing came after it");
        fs::write(file, own).unwrap();
    })
    .await;
}

/// While the log cannot be written, by whatever: reads go on, writes do not, and the state is shown. Gives back the ids of
/// the reads, in their order.
async fn is_shown_while_it_lasts(
    world: &World,
    wire: &mut Wire,
    at_least: Duration,
) -> Vec<String> {
    until("the trouble to be noticed", async || {
        write(world).await == 503
    })
    .await;
    let before = world.saw().len();
    let mut reads = Vec::new();
    let began = Instant::now();
    while began.elapsed() < at_least || reads.len() < 10 {
        let ask = world.ask("reports", "GET", "/v2/users");
        let answer = ask.send_on(wire).await.unwrap();
        reads.push(answer.is(200).id().to_owned());
        assert_eq!(write(world).await, 503);
        let status = world.status().await;
        assert_eq!(status["health"], "degraded", "{status}");
        assert_eq!(status["audit"]["state"], "failing", "{status}");
        assert!(status["degraded"].to_string().contains("audit"), "{status}");
    }
    world.admin("/livez").await.is(200);
    assert!(metric(world, "ninjaone_proxy_audit_failures_total").await > 0);
    let saw: Vec<_> = world.saw().drain(before..).collect();
    assert!(saw.iter().all(|it| it.starts_with("GET ")), "{saw:?}");
    reads
}

/// Afterwards: writes again, health, one line about each turn, and what was queued is on record in its order.
async fn goes_on(world: &World, reads: &[String]) {
    until("writes again", async || write(world).await == 200).await;
    until("health", async || {
        world.status().await["health"] == "healthy"
    })
    .await;
    tells_of_each_turn_once(world, tells_warnings(&log_level())).await;
    let lines = world.lines().await;
    let is_read = |it: &&Value| reads.iter().any(|id| it["request"] == id.as_str());
    let written: Vec<_> = lines.iter().filter(is_read).collect();
    let ids: Vec<_> = written.iter().map(|it| &it["request"]).collect();
    assert_eq!(ids, reads.iter().collect::<Vec<_>>(), "in order");
    let gap = lines.iter().rfind(|it| it["type"] == "gap");
    assert_eq!(gap.expect("a gap")["lost"], 0);
}

#[tokio::test]
async fn a_directory_that_is_gone_is_made_again() {
    let world = World::new().await;
    assert_eq!(write(&world).await, 200);
    world.lines().await;
    let (here, away) = (world.audit_path(), world.directory().join("away"));

    fs::rename(&here, &away).unwrap();

    until("another directory", async || {
        world.get("reports", "/v2/users").await.is(200);
        write(&world).await == 200 && here.is_dir()
    })
    .await;
    is_not_forgotten(&world).await;
    tells_of_each_turn_once(&world, tells_warnings(&log_level())).await;
    // With its first files put back, the chain is whole.
    for file in fs::read_dir(&away).unwrap() {
        let file = file.unwrap();
        if file.path().extension().is_some_and(|it| it == "jsonl") {
            fs::rename(file.path(), here.join(file.file_name())).unwrap();
        }
    }
    world.end().await;
}

#[tokio::test]
async fn something_in_the_way_of_the_log_is_shown_while_it_lasts() {
    let world = World::new().await;
    let mut wire = world.wire().await;
    assert_eq!(write(&world).await, 200);
    world.lines().await;
    let (here, away) = (world.audit_path(), world.directory().join("away"));

    fs::rename(&here, &away).unwrap();
    fs::write(&here, "in the way").unwrap();
    let reads = is_shown_while_it_lasts(&world, &mut wire, Duration::from_millis(600)).await;
    fs::remove_file(&here).unwrap();
    fs::rename(&away, &here).unwrap();

    goes_on(&world, &reads).await;
    drop(wire);
    world.end().await;
}

#[tokio::test]
async fn a_disk_that_is_full_for_two_seconds_loses_nothing() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let path = format!("{:?}", disk.log());
    let world = World::plan().set("audit", "path", &path).start().await;
    let mut wire = world.wire().await;
    assert_eq!(write(&world).await, 200);

    disk.fill(64 * 1024);
    let reads = is_shown_while_it_lasts(&world, &mut wire, Duration::from_secs(2)).await;
    disk.enlarge();

    goes_on(&world, &reads).await;
    drop(wire);
    world.end().await;
}

/// A world whose audit log has something in its way, and two lines that wait for it to go. The program tells of its stop,
/// whatever `NJP_TEST_LOG` asks for.
async fn with_lines_that_wait() -> (World, PathBuf, PathBuf) {
    let world = plan_at("info").0.start().await;
    assert_eq!(write(&world).await, 200);
    world.lines().await;
    let (here, away) = (world.audit_path(), world.directory().join("away"));
    fs::rename(&here, &away).unwrap();
    fs::write(&here, "in the way").unwrap();
    until("the trouble to be noticed", async || {
        write(&world).await == 503
    })
    .await;
    world.get("reports", "/v2/users").await.is(200);
    (world, here, away)
}

#[tokio::test]
async fn a_stop_while_the_log_cannot_be_written_ends_in_time_and_fails() {
    let (mut world, ..) = with_lines_that_wait().await;
    // The drain of the world, which has nothing to wait for, and five seconds.
    let longest = Duration::from_secs(10);

    world.signal(Signal::TERM);
    let status = world.program().ends_within(longest).await;

    let log = world.log().text();
    assert_eq!(status.code(), Some(1), "{log}");
    let told = "lines of the audit log are lost: its end could not be written";
    assert_eq!(world.log().count(told), 1, "{log}");
    world.gone();
}

#[tokio::test]
async fn a_log_that_comes_back_during_the_stop_is_written_to_its_end() {
    let (mut world, here, away) = with_lines_that_wait().await;

    world.signal(Signal::TERM);
    until("the stop", async || world.log().count("draining") > 0).await;
    fs::remove_file(&here).unwrap();
    fs::rename(&away, &here).unwrap();
    let status = world.program().ends().await;

    assert_eq!(status.code(), Some(0), "{}", world.log().text());
    let report = verify(&here, &[]).unwrap();
    assert!(
        report.is_intact() && report.remarks.is_empty(),
        "{report:?}"
    );
    let lines = audit_log::lines(&here);
    for id in world.answered.all() {
        let is_its = |it: &&Value| it["type"] == "outcome" && it["request"] == id.as_str();
        assert_eq!(lines.iter().filter(is_its).count(), 1, "{id}");
    }
    let last: Vec<_> = lines.iter().rev().take(2).map(|it| &it["type"]).collect();
    assert_eq!(
        last,
        ["stop", "gap"],
        "what the writer says of the outage comes before the end"
    );
    world.gone();
}

#[tokio::test]
async fn the_outcome_of_a_write_that_is_under_way_when_the_log_is_deleted_is_on_record() {
    let mut world = World::new().await;
    world.trouble(r#"{"slow_ms":1500,"count":1}"#);
    let client = world.client();
    let asked =
        tokio::spawn(async move { client.post("operator", "/v2/organizations", MADE).await });
    until("the write at NinjaOne", async || !world.saw().is_empty()).await;

    fs::remove_file(newest(&world)).unwrap();
    let answer = asked.await.unwrap();

    answer.is(200);
    let outcome = world.outcome(answer.id()).await;
    assert_eq!(outcome["decision"], "allowed");
    // Its intent went with the file: the chain is not whole, and says so.
    world.signal(Signal::TERM);
    let status = world.program().ends().await;
    assert_eq!(status.code(), Some(0), "{}", world.log().text());
    world.gone();
}
