//! The built program in front of a NinjaOne that sends at the pace of a test, with two callers.

use std::{net::SocketAddr, ops::Deref, path::PathBuf, process::Command};

use serde_json::Value;

use crate::{
    answer::Answer,
    directory::Directory,
    key::hash,
    program::{PROGRAM, Program},
    proxy::Proxy,
    settings::Settings,
    wait::until,
};

pub(crate) const CLIENT_ID: &str = "strangers-client";
pub(crate) const CLIENT_SECRET: &str = "a client secret of the tests";
/// Of the caller `main`, who may do everything.
pub(crate) const KEY: &str = "njp_main_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
/// Of another caller with the same rights.
pub(crate) const OTHER_KEY: &str = "njp_other_123456789abcdefghijklmnopqrstuvwxyzABCDEFGH";

/// Of somebody who may log people in.
pub(crate) const OPERATOR_KEY: &str = "njp_operator_3456789abcdefghijklmnopqrstuvwxyzABCDEFGHI";

/// A program that is not yet started.
pub(crate) struct Plan {
    settings: Settings,
    /// Most file descriptors that the process may have.
    files: Option<u32>,
}

impl Plan {
    /// In front of the NinjaOne at `ninja`.
    pub(crate) fn before(ninja: SocketAddr) -> Self {
        let operator = hash(OPERATOR_KEY);
        let access = format!("[{{ key = \"{operator}\", role = \"operator\" }}]");
        let mut settings = Settings::usual().with(&[
            ("admin", "probes", "\"127.0.0.1:0\""),
            ("admin", "access", &access),
            // What is said is looked at, and where it listens.
            ("telemetry.log", "level", "\"info\""),
            ("limits.upstream", "concurrency", "64"),
        ]);
        settings.tenant(ninja, CLIENT_ID);
        settings.caller("main", KEY, "allow = [\"all\"]");
        settings.caller("other", OTHER_KEY, "allow = [\"all\"]");
        Self {
            settings,
            files: None,
        }
    }

    /// A setting of a section.
    pub(crate) fn set(mut self, section: &str, key: &str, value: &str) -> Self {
        self.settings.set(section, key, value);
        self
    }

    pub(crate) fn listen(self, key: &str, value: &str) -> Self {
        self.set("listen", key, value)
    }

    pub(crate) fn timeouts(self, key: &str, value: &str) -> Self {
        self.set("timeouts", key, value)
    }

    /// Requests that may be at NinjaOne at a time.
    pub(crate) fn concurrency(self, concurrency: u32) -> Self {
        self.set("limits.upstream", "concurrency", &concurrency.to_string())
    }

    pub(crate) fn files(mut self, files: u32) -> Self {
        self.files = Some(files);
        self
    }

    pub(crate) async fn start(self) -> Running {
        let directory = Directory::new();
        directory.write("acme.secret", CLIENT_SECRET);
        directory.configure(&self.settings.toml());
        let limit = self.files.map(|it| format!("ulimit -n {it}; "));
        let script = format!("{}exec \"$0\" \"$@\"", limit.unwrap_or_default());
        let mut command = Command::new("sh");
        command.args(["-c", &script, PROGRAM]);
        let mut program = Program::start_by(command, &directory.config());
        // The last that the log names.
        let probes = program.address("probes");
        let proxy = Proxy::listening(program, directory, &self.settings);
        let running = Running { proxy, probes };
        until("the first answer", async || {
            running.get().await.is_some_and(|it| it.status == 200)
        })
        .await;
        running
    }
}

/// The program, killed when dropped.
pub(crate) struct Running {
    proxy: Proxy,
    pub(crate) probes: SocketAddr,
}

impl Deref for Running {
    type Target = Proxy;

    fn deref(&self) -> &Proxy {
        &self.proxy
    }
}

impl Running {
    /// None if the connection was closed instead.
    pub(crate) async fn get(&self) -> Option<Answer> {
        let mut wire = self.wire().await;
        wire.try_send(get("/v2/users", KEY)).await;
        wire.answer().await
    }

    /// A count, by its name and labels.
    pub(crate) async fn count(&self, series: &str) -> u64 {
        let value = self.metric(series).await;
        let value = value.unwrap_or_else(|| panic!("no {series}"));
        value.to_string().parse().unwrap()
    }

    /// The lines of the audit log after a stop.
    pub(crate) async fn lines_at_its_end(mut self) -> Vec<Value> {
        self.proxy.program.terminate().await;
        self.proxy.lines()
    }

    /// Ends it as an operator does.
    pub(crate) async fn stop(self) {
        self.proxy.stop().await;
    }

    /// The lines of the log that hold all of `words`.
    pub(crate) fn told(&self, words: &[&str]) -> Vec<String> {
        self.program.log.with(words)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

pub(crate) fn get(target: &str, key: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\n\r\n")
}

/// The head of a request that brings a body.
pub(crate) fn post(target: &str, key: &str, framing: &str) -> String {
    format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\n{framing}\r\n\r\n")
}
