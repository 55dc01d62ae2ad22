//! Parts of the program that stop turning: what its health says then, what still works, and that a stop ends it all the same.
//!
//! Test builds have a switch: a file named by `NJP_STALL` says which part stops, see `watchdog.rs`.

use std::{
    fs,
    os::unix::net::UnixDatagram,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::{program::PROGRAM, wait::until};

use super::{
    user_login::UserLogin,
    world::{Plan, World},
};

const SWITCH: &str = "stalled";
/// The shortest that `admin.watchdog` may be.
const SILENCE_MAX: &str = "\"1s\"";
/// As long as a disk call takes that is slow: longer than the silence, shorter than what ends in a restart.
const SLOW_DISK_US: u64 = 6_000_000;
/// The drain time of these worlds, and what the end of the program may take after it.
const DRAIN: Duration = Duration::from_secs(1);
const END_MAX: Duration = Duration::from_secs(5);

/// A world whose parts can be stopped, and the directory of the file that says which.
struct Stallable {
    world: World,
    home: TempDir,
}

impl Stallable {
    async fn start(plan: Plan) -> Self {
        let home = tempfile::tempdir().unwrap();
        let switch = home.path().join(SWITCH);
        let plan = plan
            .set("admin", "watchdog", SILENCE_MAX)
            .set("listen", "drain", &format!("\"{}s\"", DRAIN.as_secs()))
            .environment("NJP_STALL", switch.to_str().unwrap());
        Self {
            world: plan.start().await,
            home,
        }
    }

    /// Stops a part: `thread worker-0`, `task renewer acme/service`.
    fn stop(&self, part: &str) {
        fs::write(self.home.path().join(SWITCH), part).unwrap();
    }

    async fn livez(&self) -> (u16, String) {
        let answer = self.world.admin("/livez").await;
        (answer.status, answer.text())
    }

    /// `/livez` fails, and names this part.
    async fn is_named(&self, name: &str) {
        let line = format!("[-]{name} failed");
        until("the stalled part is named", async || {
            let (status, text) = self.livez().await;
            status == 503 && text.contains(&line)
        })
        .await;
    }

    async fn is_well(&self) {
        until("every part turns", async || self.livez().await.0 == 200).await;
    }

    fn status_exit_code(&self) -> Option<i32> {
        let asked = Command::new(PROGRAM)
            .args(["status", "--admin", &self.world.admin.to_string()])
            .stdout(Stdio::null())
            .status();
        asked.unwrap().code()
    }
}

/// Stops a part of a running program: the probe, the status, its exit code and the metric name it, and all is well again
/// when it goes on.
async fn a_stopped_part_is_seen(plan: Plan, kind: &str, name: &str) {
    let stallable = Stallable::start(plan).await;
    stallable.is_well().await;
    assert_eq!(stallable.status_exit_code(), Some(0));

    stallable.stop(&format!("{kind} {name}"));
    stallable.is_named(name).await;
    let status = stallable.world.status().await;
    let stalled = status["stalled"].as_array().unwrap();
    let own = stalled.iter().find(|it| it["part"] == name);
    assert_eq!(own.unwrap()["is_fatal"], true, "{status}");
    assert_eq!(status["health"], "degraded");
    assert_eq!(stallable.status_exit_code(), Some(6));
    let metrics = stallable.world.admin("/metrics").await.text();
    let sample = format!("ninjaone_proxy_stalled{{part=\"{name}\"}} 1");
    assert!(metrics.contains(&sample), "{metrics}");

    stallable.stop("nothing");
    if kind == "thread" {
        stallable.is_well().await;
        stallable.world.end().await;
    } else {
        // A task that waits for ever is not woken again.
        stallable.world.ends_by_signal(DRAIN + END_MAX).await;
    }
}

#[tokio::test]
async fn a_worker_that_stops_is_seen_and_the_others_serve() {
    let stallable = Stallable::start(World::plan()).await;
    stallable.stop("thread worker-0");
    stallable.is_named("worker-0").await;
    for _ in 0..20 {
        let read = stallable.world.get("reports", "/v2/organizations").await;
        assert_eq!(
            read.status, 200,
            "no connection goes to the worker that stopped"
        );
    }
    stallable.stop("nothing");
    stallable.is_well().await;
    stallable.world.end().await;
}

#[tokio::test]
async fn a_worker_that_stops_is_seen() {
    a_stopped_part_is_seen(World::plan(), "thread", "worker-1").await;
}

#[tokio::test]
async fn an_audit_writer_that_stops_outside_a_disk_call_is_seen() {
    a_stopped_part_is_seen(World::plan(), "thread", "audit").await;
}

#[tokio::test]
async fn the_renewer_of_a_service_that_stops_is_seen() {
    a_stopped_part_is_seen(World::plan(), "task", "renewer acme/service").await;
}

#[tokio::test]
async fn the_renewer_of_a_login_that_stops_is_seen() {
    let plan = World::plan().user(UserLogin::LoggedIn);
    a_stopped_part_is_seen(plan, "task", "renewer acme/user").await;
}

#[tokio::test]
async fn a_reload_watcher_that_stops_is_seen() {
    a_stopped_part_is_seen(World::plan(), "thread", "reload").await;
}

#[tokio::test]
async fn a_control_loop_that_stops_is_seen() {
    a_stopped_part_is_seen(World::plan(), "thread", "control").await;
}

#[tokio::test]
async fn every_thread_and_every_task_that_lasts_is_watched() {
    let plan = World::plan().set("admin", "socket", "\"admin.sock\"");
    // Only a store has revocations of other processes.
    let world = plan.store().start().await;
    let parts = [
        "control",
        "worker-0",
        "audit",
        "reload",
        "deadline",
        "revocations",
        "rejections",
        "renewer acme/service",
        "admin socket",
        &format!("listener {}", world.admin),
        &format!("listener {}", world.callers),
    ];
    until("all of them", async || {
        let text = world.admin("/livez?verbose").await.text();
        parts
            .iter()
            .all(|it| text.contains(&format!("[+]{it} ok\n")))
    })
    .await;
    world.end().await;
}

/// Whoever still has the end of a stop in its hands is a part like others.
#[tokio::test]
async fn a_deadline_of_the_stop_that_stops_is_seen() {
    a_stopped_part_is_seen(World::plan(), "thread", "deadline").await;
}

/// Long before the watchdog calls the writer stalled.
#[tokio::test]
async fn a_write_that_is_refused_behind_a_slow_disk_finds_the_log_called_failing() {
    let world = World::plan().start().await;
    let slow = SlowDisk::attach(world.program_id(), 4_000_000);
    until("a refused write and a status that says why", async || {
        let made = world.post("operator", "/v2/organizations", "{\"name\":\"Late\"}");
        let status = made.await.status;
        status == 503 && world.status().await["audit"]["state"] == "failing"
    })
    .await;
    let status = world.status().await;
    assert!(status["stalled"].as_array().unwrap().is_empty(), "{status}");
    assert_eq!(status["audit"]["refuses_reads"], false, "{status}");
    let ready = world.admin("/readyz?verbose").await;
    assert_eq!(ready.status, 200);
    let text = ready.text();
    assert!(text.contains("[+]audit degraded"), "{text}");
    world.get("reports", "/v2/organizations").await.is(200);
    drop(slow);
    until("a disk as fast as before", async || {
        world.status().await["audit"]["state"] == "writing"
    })
    .await;
    world.end().await;
}

/// Delays each sync of the audit log, until it is dropped.
struct SlowDisk(Child);

impl SlowDisk {
    fn attach(program: u32, delay_us: u64) -> Self {
        let traced = ["-e", "trace=fdatasync", "-e"];
        let strace = Command::new("strace")
            .args(["-f", "-qq", "-o", "/dev/null"])
            .args(traced)
            .arg(format!("inject=fdatasync:delay_enter={delay_us}"))
            .arg("-p")
            .arg(thread_id(program, "audit"))
            .spawn();
        Self(strace.unwrap())
    }
}

impl Drop for SlowDisk {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn an_audit_writer_inside_a_slow_disk_call_degrades_and_does_not_fail_the_probe() {
    let stallable = Stallable::start(World::plan()).await;
    let slow = SlowDisk::attach(stallable.world.program_id(), SLOW_DISK_US);
    until("a slow disk", async || {
        // Each read leaves a line, and each line is synced within a second.
        let _ = stallable.world.get("reports", "/v2/organizations").await;
        let status = stallable.world.status().await;
        let stalled = status["stalled"].as_array().unwrap();
        stalled
            .iter()
            .any(|it| it["part"] == "audit" && it["is_fatal"] == false)
    })
    .await;
    assert_eq!(
        stallable.livez().await.0,
        200,
        "a slow disk is no reason to restart"
    );
    assert_eq!(stallable.status_exit_code(), Some(6));
    let read = stallable.world.get("reports", "/v2/organizations").await;
    assert_eq!(read.status, 200, "reads do not wait for the disk");
    drop(slow);
    until("a disk as fast as before", async || {
        let status = stallable.world.status().await;
        status["stalled"].as_array().unwrap().is_empty()
    })
    .await;
    stallable.world.end().await;
}

/// The thread of this name, which the kernel shows.
fn thread_id(process: u32, name: &str) -> String {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let of_name = |task: &Path| {
        let own = fs::read_to_string(task.join("comm")).unwrap_or_default();
        own.trim() == name
    };
    let mut tasks = tasks.map(|it| it.unwrap().path());
    let found = tasks.find(|it| of_name(it)).expect("a thread of this name");
    found.file_name().unwrap().to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_process_that_was_stopped_as_a_whole_is_well_when_it_goes_on() {
    let stallable = Stallable::start(World::plan()).await;
    stallable.world.signal(Signal::STOP);
    // Longer than any part may be silent. There is nothing to wait for but the time itself.
    tokio::time::sleep(Duration::from_secs(3)).await;
    stallable.world.signal(Signal::CONT);
    assert_eq!(stallable.livez().await.0, 200);
    stallable.world.end().await;
}

#[tokio::test]
async fn systemd_hears_that_all_is_well_until_a_part_stops() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    systemd
        .set_read_timeout(Some(Duration::from_secs(15)))
        .unwrap();
    let plan = World::plan()
        .environment("NOTIFY_SOCKET", path.to_str().unwrap())
        .environment("WATCHDOG_USEC", "600000");
    let stallable = Stallable::start(plan).await;
    let heard = || {
        let mut room = [0; 256];
        let length = systemd.recv(&mut room).expect("systemd hears something");
        String::from_utf8_lossy(&room[..length]).trim().to_owned()
    };
    assert!((0..20).any(|_| heard() == "READY=1"));
    assert!((0..20).any(|_| heard() == "WATCHDOG=1"));

    stallable.stop("thread worker-0");
    stallable.is_named("worker-0").await;
    systemd.set_nonblocking(true).unwrap();
    while systemd.recv(&mut [0; 256]).is_ok() {}
    systemd.set_nonblocking(false).unwrap();
    systemd
        .set_read_timeout(Some(Duration::from_millis(1_200)))
        .unwrap();
    let silence = systemd.recv(&mut [0; 256]);
    assert!(
        silence.is_err(),
        "twice the time-out of the service manager without a sign"
    );

    stallable.stop("nothing");
    systemd
        .set_read_timeout(Some(Duration::from_secs(15)))
        .unwrap();
    assert!((0..20).any(|_| heard() == "WATCHDOG=1"));
    stallable.world.end().await;
}

#[tokio::test]
async fn sigterm_ends_the_program_whatever_part_has_stopped() {
    let parts = [
        "thread worker-0",
        "thread audit",
        "thread control",
        "thread reload",
        "thread deadline",
        "task renewer acme/service",
    ];
    for part in parts {
        let stallable = Stallable::start(World::plan()).await;
        stallable.stop(part);
        let (_, name) = part.split_once(' ').unwrap();
        stallable.is_named(name).await;
        stallable.world.ends_by_signal(DRAIN + END_MAX).await;
    }
}

#[tokio::test]
async fn a_drain_over_the_socket_ends_the_program_though_its_control_loop_has_stopped() {
    let plan = World::plan().set("admin", "socket", "\"admin.sock\"");
    let mut stallable = Stallable::start(plan).await;
    stallable.stop("thread control");
    stallable.is_named("control").await;
    let asked = Command::new(PROGRAM)
        .args(["drain", "--admin"])
        .arg(stallable.world.directory().join("admin.sock"))
        .stdout(Stdio::null())
        .status();
    assert!(asked.unwrap().success());
    let program = stallable.world.program();
    program.ends_within(DRAIN + END_MAX).await;
    stallable.world.gone();
}

#[tokio::test]
async fn no_renewal_begins_after_sigterm_while_requests_are_still_answered() {
    const TOKEN_LIFE: Duration = Duration::from_secs(2);
    let plan = World::plan().user(UserLogin::LoggedIn);
    let world = plan.token_life(TOKEN_LIFE).start().await;
    until("renewals", async || world.ninja().counts().rotations > 0).await;
    world.trouble(r#"{"slow_ms":4000}"#);
    let client = world.client();
    let asked = tokio::spawn(async move { client.get("reports", "/v2/organizations").await });
    until("the request at NinjaOne", async || !world.saw().is_empty()).await;

    world.signal(Signal::TERM);
    until("the drain", async || {
        world.status().await["draining"] == true
    })
    .await;
    let calls = world.ninja().token_calls();
    // Whatever NinjaOne says to it: its token has ended by then.
    assert!(asked.await.unwrap().whole);
    assert_eq!(
        world.ninja().token_calls(),
        calls,
        "its tokens have ended twice since"
    );
    world.ends_by_signal(END_MAX).await;
}

#[tokio::test]
async fn sigterm_ends_a_program_that_still_waits_for_a_secret() {
    let home = tempfile::tempdir().unwrap();
    let (config, began) = (home.path().join("config.toml"), home.path().join("began"));
    let command = format!("touch {}; sleep 9", began.display());
    let toml = format!(
        "[tenant.acme]\nurl = \"http://127.0.0.1:9\"\n\
         service = {{ client_id = \"it\", client_secret = {{ exec = [\"/bin/sh\", \"-c\", \"{command}\"] }} }}\n"
    );
    fs::write(&config, toml).unwrap();
    // As the first process of a container, which no signal ends by itself.
    let mut starting = Command::new("unshare")
        .args([
            "--fork",
            "--pid",
            "--kill-child",
            PROGRAM,
            "run",
            "--config",
        ])
        .arg(&config)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the secret to be asked for", async || began.exists()).await;
    let children = format!("/proc/{0}/task/{0}/children", starting.id());
    let first = fs::read_to_string(children).unwrap();

    let told = Command::new("kill")
        .args(["-s", "TERM", first.trim()])
        .status();
    assert!(told.unwrap().success());
    let before = std::time::Instant::now();
    until("the end", async || starting.try_wait().unwrap().is_some()).await;
    assert!(before.elapsed() < END_MAX, "{:?}", before.elapsed());
}
