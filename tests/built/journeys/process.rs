//! The installed program: starts, signals, exit codes.

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use ninjaone_proxy::audit::verify::verify;
use rustix::process::Signal;

use crate::{
    answer::Answer,
    audit_log,
    directory::Directory,
    key::{caller_toml, new_key},
    program::{PROGRAM, Program},
    proxy::Proxy,
    settings::{Setting, Settings},
    wait::until,
    wire::Wire,
};

use super::world::{CLIENT_ID, World};

/// A program that is not its world's: a test may end it in its own way.
struct Running {
    proxy: Proxy,
    key: String,
}

impl Running {
    /// In front of the NinjaOne of `world`.
    async fn start(world: &World, settings: &[Setting<'_>]) -> Self {
        let directory = Directory::new();
        directory.write("acme.secret", &world.secret);
        let key = new_key("main");
        // A program that is started again says where it listens.
        let info = ("telemetry.log", "level", "\"info\"");
        let mut settings = Settings::usual().with(&[info]).with(settings);
        settings.tenant(world.ninja().address(), CLIENT_ID);
        settings.caller("main", &key, "allow = [\"all\"]");
        let proxy = Proxy::start(directory, settings);
        let running = Self { proxy, key };
        until("the first answer", async || {
            running.get().await.status == 200
        })
        .await;
        running
    }

    async fn wire(&self) -> Wire {
        self.proxy.wire().await
    }

    fn program(&mut self) -> &mut Program {
        &mut self.proxy.program
    }

    fn audit(&self) -> PathBuf {
        self.proxy.directory.audit()
    }

    fn config(&self) -> PathBuf {
        self.proxy.directory.config()
    }

    fn request(&self, method: &str, target: &str) -> String {
        let (host, key) = (self.proxy.callers, &self.key);
        format!(
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\nX-Api-Key: {key}\r\nContent-Length: 0\r\n\r\n"
        )
    }

    async fn get(&self) -> Answer {
        let mut wire = self.wire().await;
        wire.send(self.request("GET", "/v2/users")).await;
        wire.answer().await.expect("an answer")
    }
}

#[tokio::test]
async fn sigterm_loses_nothing_that_was_accepted_and_ends_with_0() {
    let world = World::new().await;
    let mut running = Running::start(&world, &[]).await;
    world.trouble(r#"{"slow_ms":800}"#);
    let before = world.saw().len();
    let mut wires = Vec::new();
    for number in 0..40 {
        let mut wire = running.wire().await;
        let method = if number % 4 == 0 { "POST" } else { "GET" };
        wire.send(running.request(method, "/v2/contacts")).await;
        wires.push(wire);
    }
    // An open connection without a request does not hold the program back.
    let mut idle = running.wire().await;
    until("forty requests", async || world.saw().len() >= before + 40).await;

    running.program().signal(Signal::TERM);
    let began = Instant::now();

    for wire in &mut wires {
        let answer = wire.answer().await.expect("an answer");
        assert!(answer.status < 300 && answer.whole);
    }
    assert!(running.program().ends().await.success());
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    assert!(idle.is_closed().await);
    let audit = running.audit();
    let report = verify(&audit, &[]).unwrap();
    assert!(
        report.is_intact() && report.remarks.is_empty(),
        "{report:?}"
    );
    let lines = audit_log::lines(&audit);
    let outcomes = lines.iter().filter(|it| it["type"] == "outcome").count();
    assert!(outcomes >= 41, "{outcomes}");
    assert_eq!(lines.last().unwrap()["type"], "stop");
    assert_eq!(lines.last().unwrap()["why"], "SIGTERM");
    world.ninja().clear_requests();
    world.end().await;
}

#[tokio::test]
async fn the_sigterm_that_a_service_manager_sends_after_a_drain_cuts_nothing() {
    let plan = World::plan().set("admin", "socket", "\"admin.sock\"");
    let mut world = plan.start().await;
    world.trouble(r#"{"slow_ms":2000}"#);
    let client = world.client();
    let asked = tokio::spawn(async move { client.get("reports", "/v2/organizations").await });
    until("the request at NinjaOne", async || !world.saw().is_empty()).await;
    let drain = Command::new(PROGRAM)
        .args(["drain", "--admin"])
        .arg(world.directory().join("admin.sock"))
        .output();
    assert_eq!(drain.unwrap().stdout, b"draining\n");
    until("the drain", async || {
        world.status().await["draining"] == true
    })
    .await;
    world.signal(Signal::TERM);
    let answer = asked.await.unwrap();
    assert!(answer.whole && answer.status == 200, "{}", answer.head);
    assert!(world.program().ends().await.success());
    world.gone();
}

#[tokio::test]
async fn a_drain_that_takes_too_long_is_cut_and_what_was_open_is_on_record() {
    let world = World::new().await;
    let mut running = Running::start(&world, &[("listen", "drain", "\"300ms\"")]).await;
    world.trouble(r#"{"slow_ms":9000}"#);
    let before = world.saw().len();
    let mut wire = running.wire().await;
    wire.send(running.request("POST", "/v2/contacts")).await;
    until("the request", async || world.saw().len() > before).await;

    let began = Instant::now();
    running.program().signal(Signal::TERM);
    let status = running.program().ends().await;

    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(status.code(), Some(0));
    let audit = running.audit();
    let report = verify(&audit, &[]).unwrap();
    assert!(
        report.is_intact() && report.remarks.is_empty(),
        "{:?}",
        report.remarks
    );
    let lines = audit_log::lines(&audit);
    let line = lines
        .iter()
        .rev()
        .find(|it| it["type"] == "outcome")
        .unwrap();
    assert_eq!(line["error"], "abandoned");
    world.no_trouble();
    world.ninja().clear_requests();
    world.end().await;
}

#[tokio::test]
async fn sighup_and_a_changed_file_load_the_configuration_within_a_second() {
    let world = World::new().await;
    let mut running = Running::start(&world, &[]).await;
    let file = running.config();
    let good = std::fs::read_to_string(&file).unwrap();

    let without = &good[..good.find("[caller.main]").unwrap()];
    let other = caller_toml("other", &new_key("other"), "allow = [\"read\"]");
    std::fs::write(&file, format!("{without}{other}")).unwrap();
    let began = Instant::now();
    until("the caller to be gone", async || {
        running.get().await.status == 401
    })
    .await;
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );

    std::fs::write(&file, &good).unwrap();
    running.program().signal(Signal::HUP);
    let began = Instant::now();
    until("the caller to be back", async || {
        running.get().await.status == 200
    })
    .await;
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );

    std::fs::write(&file, "wrong").unwrap();
    running.program().signal(Signal::HUP);
    for _ in 0..20 {
        running.get().await.is(200);
    }
    running.program().signal(Signal::TERM);
    assert!(running.program().ends().await.success());
    world.ninja().clear_requests();
    world.end().await;
}

#[tokio::test]
async fn killed_without_mercy_the_log_goes_on_where_it_was() {
    let world = World::new().await;
    let mut running = Running::start(&world, &[]).await;
    for _ in 0..20 {
        running.get().await.is(200);
    }
    let mut wire = running.wire().await;
    wire.send(running.request("POST", "/v2/contacts")).await;
    wire.answer().await.unwrap();
    running.program().signal(Signal::KILL);
    running.program().ends().await;

    let mut again = Program::start(&running.config());
    again.address("callers");
    again.terminate().await;

    let audit = running.audit();
    let report = verify(&audit, &[]).unwrap();
    assert!(report.is_intact(), "{:?}", report.breaks);
    let starts = audit_log::lines(&audit);
    let starts = starts.iter().filter(|it| it["type"] == "start").count();
    assert_eq!(starts, 2);
    world.ninja().clear_requests();
    world.end().await;
}

#[test]
fn a_wrong_configuration_ends_with_78_and_its_place() {
    let directory = Directory::new();
    directory.configure("[listen]\nhtpp = [\"127.0.0.1:0\"]\n");

    let ended = Command::new(PROGRAM)
        .arg("run")
        .arg("--config")
        .arg(directory.config())
        .output()
        .unwrap();

    assert_eq!(ended.status.code(), Some(78));
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(told.contains("config.toml:2:1"), "{told}");
    assert!(told.contains("did you mean"), "{told}");
}

#[tokio::test]
async fn a_port_in_use_ends_with_1_and_is_named() {
    let world = World::new().await;
    let taken = world.callers;
    let file = world.directory().config();
    let directory = Directory::new();
    let toml = std::fs::read_to_string(file).unwrap();
    let toml = toml.replacen("127.0.0.1:0", &taken.to_string(), 2);
    // The admin listener is off: its address is in use as well, wherever the configuration says so.
    let admin = [taken, world.admin].map(|it| format!("listen = \"{it}\""));
    let toml = admin
        .iter()
        .fold(toml, |toml, it| toml.replace(it, "listen = \"\""));
    directory.configure(&toml);
    directory.write("acme.secret", "canary");

    let ended = Command::new(PROGRAM)
        .arg("run")
        .arg("--config")
        .arg(directory.config())
        .output()
        .unwrap();

    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(told.contains(&taken.to_string()), "{told}");
    assert!(told.contains("in use"), "{told}");
    world.ninja().clear_requests();
    world.end().await;
}
