//! A token endpoint over TCP that says what a test tells it to, and a token cell that uses it.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ninjaone_proxy::{
    credentials::{
        grant::{
            application::{Application, ClientAuthMethod},
            client_credentials::ClientCredentials,
        },
        login::renewal_error::RenewalError,
        token::{
            cell::TokenCell,
            event::{TokenEvent, TokenEventKind},
            renewer::{RenewerHandle, RenewerOptions},
            schedule::RenewalSchedule,
            service_renewer::ServiceRenewer,
            snapshot::TokenState,
        },
    },
    net::client::endpoint::Endpoint,
    secret::Secret,
    tasks::Tasks,
    watchdog::Watchdog,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    time::timeout,
};

pub(crate) const SECRET: &str = "canary secret+/=&";
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// The default of the setting.
pub(crate) const USUAL: RenewalSchedule = RenewalSchedule::AtLifetimePercent(80);

type Script = Arc<dyn Fn(usize) -> Vec<u8> + Send + Sync>;

/// A token endpoint that counts its calls. Each answer needs a turn; there are plenty unless a test takes them away.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) calls: Arc<AtomicUsize>,
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
    pub(crate) turns: Arc<Semaphore>,
    pub(crate) tasks: Tasks,
}

impl Server {
    /// `script` gives the raw answer to the call with this number, counted from 1.
    pub(crate) async fn start(script: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            calls: Arc::default(),
            seen: Arc::default(),
            turns: Arc::new(Semaphore::new(1_000)),
            tasks: Tasks::new(),
        };
        let script: Script = Arc::new(script);
        let (calls, seen) = (Arc::clone(&server.calls), Arc::clone(&server.seen));
        let (turns, tasks) = (Arc::clone(&server.turns), server.tasks.clone());
        server.tasks.spawn_until_shutdown(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = calls.fetch_add(1, Ordering::SeqCst) + 1;
                let (script, seen) = (Arc::clone(&script), Arc::clone(&seen));
                let turns = Arc::clone(&turns);
                tasks.spawn_until_shutdown(async move {
                    answer(stream, number, &script, &seen, &turns).await;
                });
            }
        });
        server
    }

    pub(crate) async fn that_says(raw: impl Into<Vec<u8>>) -> Self {
        let raw = raw.into();
        Self::start(move |_| raw.clone()).await
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint {
            tls: false,
            host: "127.0.0.1".to_owned(),
            port: self.port,
            ca: None,
            proxy: None,
            resolve_timeout: Duration::from_secs(10),
        }
    }

    pub(crate) fn keep(&self, refresh_at: RenewalSchedule) -> Kept {
        let credentials = ClientCredentials {
            application: Application {
                endpoint: self.endpoint(),
                client_id: "client 1".to_owned(),
                client_secret: Some(Secret::new(SECRET.to_owned())),
                client_auth: ClientAuthMethod::ClientSecretPost,
            },
            scopes: vec!["monitoring".to_owned(), "management".to_owned()],
        };
        Kept::start(refresh_at, |keeping, tasks| {
            ServiceRenewer::start(keeping, credentials, tasks)
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.request_shutdown();
    }
}

/// A token cell with its renewer, and what the renewer reports.
pub(crate) struct Kept {
    pub(crate) cell: Arc<TokenCell>,
    pub(crate) handle: Option<RenewerHandle>,
    pub(crate) events: mpsc::Receiver<TokenEvent>,
    pub(crate) tasks: Tasks,
}

impl Kept {
    pub(crate) fn start(
        refresh_at: RenewalSchedule,
        start: impl FnOnce(RenewerOptions, &Tasks) -> (Arc<TokenCell>, RenewerHandle),
    ) -> Self {
        let (sender, events) = mpsc::channel(64);
        let tasks = Tasks::new();
        let keeping = RenewerOptions {
            tenant: "acme".parse().unwrap(),
            schedule: refresh_at,
            observer: Arc::new(move |event| drop(sender.try_send(event))),
            heartbeat: Watchdog::new(LONG).watch("renewer"),
        };
        let (cell, handle) = start(keeping, &tasks);
        Self {
            cell,
            handle: Some(handle),
            events,
            tasks,
        }
    }

    pub(crate) async fn next(&mut self) -> TokenEvent {
        timeout(LONG, self.events.recv()).await.unwrap().unwrap()
    }

    pub(crate) async fn refused(&mut self) -> RenewalError {
        match self.next().await.kind {
            TokenEventKind::Failed(error) => error,
            other => panic!("not refused: {}", other.as_str()),
        }
    }

    /// Until the cell looks as described; the renewer reports before it rests.
    pub(crate) async fn until(&self, state: TokenState) {
        let reached = async {
            while self.cell.snapshot().state != state {
                tokio::task::yield_now().await;
            }
        };
        timeout(LONG, reached).await.unwrap();
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.tasks.request_shutdown();
    }
}

async fn answer(
    mut stream: TcpStream,
    number: usize,
    script: &Script,
    seen: &Mutex<Vec<String>>,
    turns: &Semaphore,
) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !is_whole(&request) {
        match stream.read(&mut buffer).await {
            Ok(length) if length > 0 => request.extend_from_slice(&buffer[..length]),
            _ => return,
        }
    }
    seen.lock()
        .unwrap()
        .push(String::from_utf8(request).unwrap());
    turns.acquire().await.unwrap().forget();
    // The other side may have heard enough already.
    let _ = stream.write_all(&script(number)).await;
    let _ = stream.shutdown().await;
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|length| body.len() >= length.parse().unwrap())
}

pub(crate) fn reply(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

pub(crate) fn json(status: &str, body: &str) -> Vec<u8> {
    reply(status, "Content-Type: application/json\r\n", body)
}

pub(crate) fn token(text: &str, life: &str) -> Vec<u8> {
    let body = format!(
        r#"{{"access_token":"{text}","expires_in":{life},"scope":"monitoring management","token_type":"Bearer"}}"#
    );
    json("200 OK", &body)
}

pub(crate) fn numbered(number: usize) -> Vec<u8> {
    token(&format!("canary-{number}"), "3600")
}
