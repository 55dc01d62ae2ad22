//! The built program: started, asked, signalled, killed.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
};

use super::world::{House, KEY, until};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_ninjaone-proxy");

/// As a person: what the machine's identity may not do.
const USER_REQUEST: (&str, &str) = ("POST", "/v2/device/101/script/run");

/// A running program, killed when dropped.
pub(crate) struct Proxy {
    child: Child,
    pub(crate) place: Place,
    audit: PathBuf,
    log: Arc<Mutex<String>>,
}

/// Where a program listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    callers: SocketAddr,
    admin: SocketAddr,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    /// A refusal of ours with this code.
    #[track_caller]
    pub(crate) fn refuses(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.json()["code"], code);
    }
}

impl Proxy {
    pub(crate) async fn start(house: &House) -> Self {
        let started = Self::start_by(Command::new(PROGRAM), house).await;
        started.unwrap_or_else(|log| panic!("it did not start: {log}"))
    }

    /// `command` runs the program, or a program that runs it. Gives the log if that ended before it listened.
    pub(crate) async fn start_by(mut command: Command, house: &House) -> Result<Self, String> {
        command.arg("run").arg("--config").arg(house.write());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::<Mutex<String>>::default();
        let mut listening = read(child.stderr.take().unwrap(), &log);
        let places = listening
            .wait_for(|it| it.0.is_some() && it.1.is_some())
            .await;
        let places = places.map(|it| *it);
        let Ok((Some(callers), Some(admin))) = places else {
            // The end of the log is the end of the program.
            child.wait().unwrap();
            return Err(log.lock().unwrap().clone());
        };
        Ok(Self {
            child,
            place: Place { callers, admin },
            audit: house.audit(),
            log,
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    pub(crate) async fn kill(mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        self.ends().await;
    }

    pub(crate) async fn ends(&mut self) -> ExitStatus {
        let mut status = None;
        until("the end of the program", async || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }

    /// Asks it to end, and waits until it has.
    pub(crate) async fn stop(mut self) {
        self.signal("TERM");
        let status = self.ends().await;
        assert_eq!(status.code(), Some(0), "{}", self.log());
    }

    pub(crate) async fn status(&self) -> Value {
        self.admin("/status").await.json()
    }

    /// A metric without labels or with any, by the end of its name.
    pub(crate) async fn metric(&self, name: &str) -> Option<f64> {
        let metrics = self.admin("/metrics").await.body;
        let mut lines = metrics.lines().filter(|line| !line.starts_with('#'));
        let line = lines.find(|line| line.contains(name))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    async fn admin(&self, path: &str) -> Answer {
        let answer = ask(self.place.admin, "GET", path).await;
        answer.unwrap_or_else(|| panic!("no answer: {}", self.log()))
    }

    /// What `ninjaone-proxy status` ends with.
    pub(crate) async fn exit_code_of_status(&self) -> Option<i32> {
        let admin = self.place.admin.to_string();
        let run = move || {
            let mut status = Command::new(PROGRAM);
            status.args(["status", "--admin", &admin]);
            status.output().unwrap().status.code()
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    }

    pub(crate) fn audit_lines(&self) -> Vec<Value> {
        audit_lines(&self.audit)
    }

    pub(crate) async fn has_on_record(&self, news: &str) {
        until(news, async || {
            token_news(&self.audit).iter().any(|it| it == news)
        })
        .await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Place {
    /// None if the connection breaks off.
    pub(crate) async fn user_request(self) -> Option<Answer> {
        ask(self.callers, USER_REQUEST.0, USER_REQUEST.1).await
    }

    pub(crate) async fn succeeds_as_user(self) -> bool {
        let answer = self.user_request().await;
        answer.is_some_and(|it| it.status == 204)
    }

    /// As the machine.
    pub(crate) async fn read(self) -> Option<Answer> {
        ask(self.callers, "GET", "/v2/users").await
    }
}

/// Where it listens for callers and for its operator, as far as it has said.
type Listening = (Option<SocketAddr>, Option<SocketAddr>);

/// Reads the log to its end on a thread of its own, so that a full pipe never stops the program.
fn read(log: ChildStderr, into: &Arc<Mutex<String>>) -> watch::Receiver<Listening> {
    let (sender, receiver) = watch::channel((None, None));
    let into = Arc::clone(into);
    std::thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            if let Some(address) = listening_at(&line) {
                sender.send_modify(|it| {
                    if line.contains("callers") {
                        it.0 = Some(address);
                    } else {
                        it.1 = Some(address);
                    }
                });
            }
            let mut into = into.lock().unwrap();
            into.push_str(&line);
            into.push('\n');
        }
    });
    receiver
}

fn listening_at(line: &str) -> Option<SocketAddr> {
    let (_, address) = line
        .contains("listening")
        .then(|| line.split_once("http://"))??;
    address.split('"').next()?.parse().ok()
}

pub(crate) fn signal(process: u32, name: &str) {
    let sent = Command::new("kill")
        .args(["-s", name, &process.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// None if the connection breaks off, or is not taken.
async fn ask(address: SocketAddr, method: &str, target: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let body = if method == "POST" { "{}" } else { "" };
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: {address}\r\nX-Api-Key: {KEY}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some(Answer {
        status: head.get(9..12)?.parse().ok()?,
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    })
}

/// What is on record about tokens, oldest first: the result, or the error if there is one.
pub(crate) fn token_news(audit: &Path) -> Vec<String> {
    let lines = audit_lines(audit);
    let tokens = lines.iter().filter(|it| it["type"] == "token");
    let news = tokens.map(|it| it["error"].as_str().or(it["result"].as_str()));
    news.map(|it| it.unwrap_or_default().to_owned()).collect()
}

/// Every line of an audit log that is whole.
fn audit_lines(directory: &Path) -> Vec<Value> {
    let Ok(items) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut files: Vec<_> = items.map(|it| it.unwrap().path()).collect();
    files.sort();
    let texts = files.iter().filter_map(|it| fs::read_to_string(it).ok());
    texts
        .flat_map(|text| {
            let lines = text.lines().map(serde_json::from_str);
            lines.filter_map(Result::ok).collect::<Vec<_>>()
        })
        .collect()
}
