//! The built program with a user's login, started, asked and killed.

use std::{
    ops::{Deref, DerefMut},
    path::Path,
    process::Command,
};

use serde_json::Value;
use tokio::net::TcpStream;

use crate::{
    answer::Answer,
    audit_log,
    program::{PROGRAM, Program},
    proxy::{self, Proxy},
    wire::Wire,
};

use super::world::{House, KEY, WAIT_MAX, until};

/// As the user: what the service identity may not do.
const USER_REQUEST: (&str, &str) = ("POST", "/v2/device/101/script/run");

/// A running program, killed when dropped.
pub(crate) struct Running(Proxy);

impl Deref for Running {
    type Target = Proxy;

    fn deref(&self) -> &Proxy {
        &self.0
    }
}

impl DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Proxy {
        &mut self.0
    }
}

impl Running {
    pub(crate) async fn start(house: &House) -> Self {
        let started = Self::start_by(Command::new(PROGRAM), house).await;
        started.unwrap_or_else(|log| panic!("it did not start: {log}"))
    }

    /// `command` runs the program, or a program that runs it. Gives the log if that ended before it listened.
    pub(crate) async fn start_by(command: Command, house: &House) -> Result<Self, String> {
        let directory = house.write();
        let program = Program::start_by(command, &directory.config());
        Ok(Self(Proxy::listening_or_over(program, directory).await?))
    }

    pub(crate) fn log(&self) -> String {
        self.program.log.text()
    }

    pub(crate) fn callers(&self) -> Callers {
        Callers(self.addresses)
    }

    pub(crate) async fn succeeds_as_user(&self) -> bool {
        self.callers().succeeds_as_user().await
    }

    pub(crate) async fn kill(mut self) {
        self.program.kill().await;
    }

    /// Asks it to end, and waits until it has.
    pub(crate) async fn stop(self) {
        self.0.stop().await;
    }

    /// What `ninjaone-proxy status` ends with.
    pub(crate) async fn exit_code_of_status(&self) -> Option<i32> {
        let admin = self.admin.to_string();
        let run = move || {
            let mut status = Command::new(PROGRAM);
            status.args(["status", "--admin", &admin]);
            status.output().unwrap().status.code()
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    }

    pub(crate) async fn has_on_record(&self, event: &str) {
        until(event, async || {
            let told = token_events(&self.directory.audit());
            told.iter().any(|it| it == event)
        })
        .await;
    }
}

/// The way in for callers: copies go to tasks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Callers(proxy::ListenerAddresses);

impl Callers {
    /// None if the connection breaks off.
    pub(crate) async fn user_request(self) -> Option<Answer> {
        self.ask(USER_REQUEST.0, USER_REQUEST.1).await
    }

    pub(crate) async fn succeeds_as_user(self) -> bool {
        let answer = self.user_request().await;
        answer.is_some_and(|it| it.status == 204)
    }

    /// As the machine.
    pub(crate) async fn read(self) -> Option<Answer> {
        self.ask("GET", "/v2/users").await
    }

    /// None if the connection breaks off, or is not taken.
    async fn ask(self, method: &str, target: &str) -> Option<Answer> {
        let address = self.0.callers;
        let stream = TcpStream::connect(address).await.ok()?;
        let mut wire = Wire::over(stream).patient(WAIT_MAX);
        let body = if method == "POST" { "{}" } else { "" };
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: {address}\r\nX-Api-Key: {KEY}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        wire.try_send(request).await;
        wire.answer().await
    }
}

/// What is on record about tokens, oldest first: the result, or the error if there is one.
pub(crate) fn token_events(audit: &Path) -> Vec<String> {
    let lines = if audit.exists() {
        audit_log::texts(audit)
    } else {
        Vec::new()
    };
    // What a kill has cut is no line.
    let read = lines.iter().filter_map(|it| serde_json::from_str(it).ok());
    let tokens = read.filter(|it: &Value| it["type"] == "token");
    let events = tokens.map(|it| {
        let told = it["error"].as_str().or(it["result"].as_str());
        told.unwrap_or_default().to_owned()
    });
    events.collect()
}
