//! The program as its users start it: the built binary with a configuration file of its own, its log, signals, and its
//! exit code.

use std::{
    fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::time::Instant;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_ninjaone-proxy");

/// Longest that a test waits for the program to listen. A busy machine takes its time.
const START_MAX: Duration = Duration::from_secs(30);
/// Longest that it waits for its end: a renewal that was sent may take 15 s.
const END_MAX: Duration = Duration::from_secs(40);
const LOOK_AGAIN: Duration = Duration::from_millis(3);

/// What the program says on stderr, all of it, as it comes.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// A thread reads until the other end is closed.
    fn read_on(&self, mut from: impl Read + Send + 'static) -> JoinHandle<()> {
        let log = self.clone();
        thread::spawn(move || {
            let mut chunk = vec![0; 64 * 1024];
            while let Ok(length @ 1..) = from.read(&mut chunk) {
                log.0.lock().unwrap().extend_from_slice(&chunk[..length]);
            }
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    /// The lines of the log that are JSON, which all are unless a test asked for text.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let text = self.text();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let read = whole.lines().map(serde_json::from_str);
        read.filter_map(Result::ok).collect()
    }

    /// The lines that hold all of `words`.
    pub(crate) fn with(&self, words: &[&str]) -> Vec<String> {
        let text = self.text();
        let holds = |line: &&str| words.iter().all(|word| line.contains(word));
        text.lines().filter(holds).map(str::to_owned).collect()
    }

    /// How many lines say this, word for word.
    pub(crate) fn count(&self, message: &str) -> usize {
        let lines = self.lines();
        lines.iter().filter(|it| it["message"] == message).count()
    }
}

/// What the program gets as its stderr.
pub(crate) enum Stderr {
    /// A pipe that is read on into its log.
    Read,
    Other(Stdio),
    /// Nothing: descriptor 2 is closed.
    Closed,
    /// A terminal at which somebody has typed Ctrl-S.
    StoppedTerminal,
}

const ON_A_STOPPED_TERMINAL: &str = r#"
import os, sys
typed_at, terminal = os.openpty()
os.write(typed_at, b"\x13")
os.set_inheritable(typed_at, True)
os.dup2(terminal, 2)
os.execv(sys.argv[1], sys.argv[1:])
"#;

/// A process of the program; it is killed when dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) log: Log,
    reader: Option<JoinHandle<()>>,
}

impl Program {
    /// `run` with this configuration; its stderr is read on.
    pub(crate) fn start(config: &Path) -> Self {
        Self::start_with(config, Stderr::Read, &[])
    }

    /// The same with another stderr, and more in its environment.
    pub(crate) fn start_with(
        config: &Path,
        stderr: Stderr,
        environment: &[(String, String)],
    ) -> Self {
        // Either becomes the program: its process is the child.
        let become_it = |by: &str, script: &str| {
            let mut command = Command::new(by);
            command.args(["-c", script, PROGRAM]);
            command
        };
        let mut command = match stderr {
            Stderr::Closed => become_it("sh", "exec \"$0\" \"$@\" 2>&-"),
            Stderr::StoppedTerminal => become_it("python3", ON_A_STOPPED_TERMINAL),
            Stderr::Read | Stderr::Other(_) => Command::new(PROGRAM),
        };
        command.stderr(match stderr {
            Stderr::Read => Stdio::piped(),
            Stderr::Other(stderr) => stderr,
            Stderr::Closed | Stderr::StoppedTerminal => Stdio::null(),
        });
        let environment = environment.iter().map(|(name, value)| (name, value));
        command.envs(environment);
        Self::spawn(command, config)
    }

    /// The same by a command that is the program, or becomes it; its stderr is read on.
    pub(crate) fn start_by(mut command: Command, config: &Path) -> Self {
        command.stderr(Stdio::piped());
        Self::spawn(command, config)
    }

    fn spawn(mut command: Command, config: &Path) -> Self {
        command.args(["run", "--config"]).arg(config);
        let child = command.stdin(Stdio::null()).spawn();
        let mut child = child.expect("the built program starts");
        let log = Log::default();
        let reader = child.stderr.take().map(|stderr| log.read_on(stderr));
        Self { child, log, reader }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Role and address of every listener that the log names, in its order, once one of `role` is named; the admin
    /// listener comes after those of callers. The log has to be at `info` or `debug`.
    pub(crate) fn listens(&mut self, role: &str) -> Vec<(String, String)> {
        let began = Instant::now();
        loop {
            if let Some(found) = self.look_for(role, began) {
                return found.unwrap_or_else(|log| panic!("it ended before it listened:\n{log}"));
            }
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// The same for a program that may end before: gives its log then. Others on the test's thread go on meanwhile.
    pub(crate) async fn listens_or_ends(
        &mut self,
        role: &str,
    ) -> Result<Vec<(String, String)>, String> {
        let began = Instant::now();
        loop {
            if let Some(found) = self.look_for(role, began) {
                return found;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// None as long as it neither listens nor has ended.
    fn look_for(
        &mut self,
        role: &str,
        began: Instant,
    ) -> Option<Result<Vec<(String, String)>, String>> {
        // Asked first, so that nothing that it said is missed.
        let is_over = !self.is_running();
        if is_over {
            self.read_out();
        }
        let lines = self.log.lines();
        let listening = lines.iter().filter(|it| it["message"] == "listening");
        let found: Vec<_> = listening
            .filter_map(|it| {
                let text = |name: &str| it[name].as_str().map(str::to_owned);
                Some((text("role")?, text("address")?))
            })
            .collect();
        if found.iter().any(|(known, _)| known == role) {
            return Some(Ok(found));
        }
        let waited = began.elapsed();
        assert!(
            is_over || waited < START_MAX,
            "it does not listen:\n{}",
            self.log.text()
        );
        is_over.then(|| Err(self.log.text()))
    }

    /// The first plain HTTP address of `role`.
    pub(crate) fn address(&mut self, role: &str) -> SocketAddr {
        let all = self.listens(role);
        plain_http(&all, role).expect("a plain HTTP listener")
    }

    /// Waits for an answer of the admin listener, which comes when all listeners are open: its own is the first of them.
    pub(crate) fn answers_at(&mut self, admin: SocketAddr) {
        let began = Instant::now();
        while !answers(admin) {
            if !self.is_running() {
                self.read_out();
                panic!("it ended before it listened:\n{}", self.log.text());
            }
            assert!(began.elapsed() < START_MAX, "nobody answers at {admin}");
            thread::sleep(LOOK_AGAIN);
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Whether the process is there.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Resident memory in KiB, as the kernel counts it.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|it| it.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Kills it, if it is still there, and waits for its end.
    pub(crate) async fn kill(&mut self) {
        let _ = self.child.kill();
        self.ends().await;
    }

    /// Waits for the end, and for the last line of the log.
    pub(crate) async fn ends(&mut self) -> ExitStatus {
        self.ends_within(END_MAX).await
    }

    pub(crate) async fn ends_within(&mut self, longest: Duration) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.read_out();
                return status;
            }
            let waited = began.elapsed();
            assert!(
                waited < longest,
                "still there after {waited:?}:\n{}",
                self.log.text()
            );
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// SIGTERM, and exit code 0.
    pub(crate) async fn terminate(&mut self) {
        self.signal(Signal::TERM);
        let status = self.ends().await;
        assert_eq!(status.code(), Some(0), "{status}:\n{}", self.log.text());
    }

    fn read_out(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            // Shown with the failed test.
            #[allow(clippy::print_stderr)]
            {
                eprintln!("the log of the program:\n{}", self.log.text());
            }
        }
    }
}

fn answers(admin: SocketAddr) -> bool {
    let asked = || -> io::Result<usize> {
        let mut stream = TcpStream::connect(admin)?;
        stream.set_read_timeout(Some(START_MAX))?;
        write!(stream, "GET /livez HTTP/1.1\r\nHost: {admin}\r\n\r\n")?;
        stream.read(&mut [0; 1024])
    };
    asked().is_ok_and(|length| length > 0)
}

/// How much the programs of all tests say, unless a test wants it otherwise: as much as they do by default, or what
/// `NJP_TEST_LOG` asks for.
pub(crate) fn log_level() -> String {
    std::env::var("NJP_TEST_LOG").unwrap_or_else(|_| "info".to_owned())
}

/// Whether the log says where the program listens at this level.
pub(crate) fn says_where_it_listens(level: &str) -> bool {
    matches!(level, "info" | "debug")
}

/// The first plain HTTP address of `role` among what the program said.
pub(crate) fn plain_http(listeners: &[(String, String)], role: &str) -> Option<SocketAddr> {
    let of_role = listeners.iter().filter(|(known, _)| known == role);
    let mut addresses = of_role.filter_map(|(_, address)| address.strip_prefix("http://"));
    addresses.next()?.parse().ok()
}

/// An address that nobody uses, for a program whose log does not say where it listens. Below the ports that the system
/// gives to others, and no other test of this process gets it, so that it stays free until it is taken.
pub(crate) fn free_address() -> SocketAddr {
    const FIRST: u64 = 12_000;
    const COUNT: u64 = 18_000;
    static NEXT: LazyLock<AtomicU64> =
        LazyLock::new(|| AtomicU64::new(ninjaone_proxy::random::random_u64() % COUNT));
    loop {
        let port = FIRST + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(port).unwrap()));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
