//! Load tools that hold a fixed rate without coordinated omission.
//!
//! load paced --target NAME=URL [--target NAME=URL ...] [-H 'K: V'] [--direct-header 'K: V']
//!            --rate R --requests N --conns C
//!     Sends N requests to each target at R requests/s per target, the targets
//!     taking turns request by request, so that noise on the machine hits all
//!     of them alike. Every connection is a thread with blocking I/O. A request
//!     is timed from the moment it was due if its connection was still busy
//!     then (queueing is counted), else from the moment the idle thread woke
//!     (the generator's own timer lateness is not).
//! load hold --target NAME=URL [-H 'K: V'] --conns C --seconds S
//!     Opens C connections, sends one request on each, prints "held C", keeps
//!     them open for S seconds or until standard input closes, then exits.
//!
//! -H goes to every target; --direct-header only to the target named "direct",
//! which has no proxy to add the credential. One line of JSON per target.
//! Only loopback addresses are accepted, and N, C and S bound every run.

use std::{
    collections::BTreeMap,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, Barrier},
    time::{Duration, Instant},
};

use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio_rustls::rustls;

enum Conn {
    Plain(TcpStream),
    Tls(Box<rustls::StreamOwned<rustls::ClientConnection, TcpStream>>),
}

impl Read for Conn {
    fn read(&mut self, b: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Conn::Plain(s) => s.read(b),
            Conn::Tls(s) => s.read(b),
        }
    }
}

impl Write for Conn {
    fn write(&mut self, b: &[u8]) -> std::io::Result<usize> {
        match self {
            Conn::Plain(s) => s.write(b),
            Conn::Tls(s) => s.write(b),
        }
    }
    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Conn::Plain(s) => s.flush(),
            Conn::Tls(s) => s.flush(),
        }
    }
}

#[derive(Clone)]
struct Target {
    name: String,
    addr: SocketAddr,
    request: Arc<Vec<u8>>,
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Target {
    fn new(spec: &str, headers: &[String], ca: Option<&str>) -> Target {
        let (name, url) = spec.split_once('=').expect("--target NAME=URL");
        let (tls, rest) = match url.split_once("://") {
            Some(("https", r)) => (true, r),
            Some(("http", r)) => (false, r),
            _ => panic!("URL must be http:// or https://"),
        };
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let addr: SocketAddr = host
            .replace("localhost", "127.0.0.1")
            .parse()
            .expect("host:port");
        assert!(addr.ip().is_loopback(), "loopback only");
        let mut req = format!(
            "GET /{path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bench/1\r\nAccept: application/json\r\n"
        );
        for h in headers {
            req += &format!("{h}\r\n");
        }
        req += "\r\n";
        let tls = tls.then(|| {
            let mut roots = rustls::RootCertStore::empty();
            for c in CertificateDer::pem_file_iter(ca.expect("--ca for https")).unwrap() {
                roots.add(c.unwrap()).unwrap();
            }
            Arc::new(
                rustls::ClientConfig::builder()
                    .with_root_certificates(roots)
                    .with_no_client_auth(),
            )
        });
        Target {
            name: name.into(),
            addr,
            request: Arc::new(req.into_bytes()),
            tls,
        }
    }

    fn connect(&self) -> std::io::Result<Client> {
        let s = TcpStream::connect(self.addr)?;
        s.set_nodelay(true)?;
        s.set_read_timeout(Some(Duration::from_secs(30)))?;
        let io = match &self.tls {
            None => Conn::Plain(s),
            Some(cfg) => {
                let c = rustls::ClientConnection::new(
                    cfg.clone(),
                    ServerName::try_from("localhost").unwrap(),
                )
                .unwrap();
                Conn::Tls(Box::new(rustls::StreamOwned::new(c, s)))
            }
        };
        Ok(Client {
            io,
            buf: Vec::new(),
        })
    }
}

struct Client {
    io: Conn,
    buf: Vec<u8>,
}

impl Client {
    /// One request and its whole response; the status. An error means the connection is of no more use.
    fn get(&mut self, request: &[u8]) -> std::io::Result<u16> {
        self.io.write_all(request)?;
        self.io.flush()?;
        self.buf.clear();
        let head = loop {
            self.more()?;
            if let Some(i) = find(&self.buf, b"\r\n\r\n") {
                break i + 4;
            }
        };
        let status = std::str::from_utf8(&self.buf[9..12])
            .ok()
            .and_then(|s| s.parse().ok())
            .unwrap_or(0);
        let text = String::from_utf8_lossy(&self.buf[..head]).to_ascii_lowercase();
        let close = text.contains("\r\nconnection: close");
        if text.contains("\r\ntransfer-encoding: chunked") {
            self.drain_chunks(head)?;
        } else {
            let len: usize = text
                .split("\r\ncontent-length:")
                .nth(1)
                .and_then(|s| s.split("\r\n").next())
                .and_then(|s| s.trim().parse().ok())
                .unwrap_or(0);
            let mut have = self.buf.len() - head;
            let mut sink = [0u8; 64 * 1024];
            while have < len {
                match self.io.read(&mut sink)? {
                    0 => return Err(ErrorKind::UnexpectedEof.into()),
                    n => have += n,
                }
            }
        }
        if close {
            return Err(std::io::Error::other(format!(
                "status {status}, connection closed"
            )));
        }
        Ok(status)
    }

    fn more(&mut self) -> std::io::Result<()> {
        let at = self.buf.len();
        self.buf.resize(at + 64 * 1024, 0);
        let r = self.io.read(&mut self.buf[at..]);
        self.buf.truncate(at + *r.as_ref().unwrap_or(&0));
        match r? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    fn drain_chunks(&mut self, mut at: usize) -> std::io::Result<()> {
        loop {
            let line = loop {
                if let Some(i) = find(&self.buf[at..], b"\r\n") {
                    break at + i;
                }
                self.more()?;
            };
            let size = std::str::from_utf8(&self.buf[at..line])
                .unwrap_or("")
                .split(';')
                .next()
                .unwrap_or("");
            let size =
                usize::from_str_radix(size.trim(), 16).map_err(|_| ErrorKind::InvalidData)?;
            let end = line + 2 + size + 2;
            while self.buf.len() < end {
                self.more()?;
            }
            if size == 0 {
                return Ok(());
            }
            self.buf.drain(..end);
            at = 0;
        }
    }
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|w| w == needle)
}

#[derive(Default)]
struct Tally {
    nanos: Vec<u64>,
    status: BTreeMap<u16, u64>,
    errors: u64,
}

impl Tally {
    fn join(&mut self, o: Tally) {
        self.nanos.extend(o.nanos);
        self.errors += o.errors;
        for (k, v) in o.status {
            *self.status.entry(k).or_default() += v;
        }
    }

    fn print(mut self, name: &str, secs: f64) {
        self.nanos.sort_unstable();
        let n = self.nanos.len();
        let q = |p: f64| {
            if n == 0 {
                0.0
            } else {
                self.nanos[((n - 1) as f64 * p) as usize] as f64 / 1e3
            }
        };
        let mean = self.nanos.iter().sum::<u64>() as f64 / 1e3 / n.max(1) as f64;
        let status: Vec<String> = self
            .status
            .iter()
            .map(|(k, v)| format!("\"{k}\":{v}"))
            .collect();
        println!(
            "{{\"name\":\"{name}\",\"requests\":{n},\"secs\":{secs:.4},\"rps\":{:.1},\"errors\":{},\"status\":{{{}}},\
             \"mean_us\":{mean:.1},\"p50_us\":{:.1},\"p90_us\":{:.1},\"p99_us\":{:.1},\"p999_us\":{:.1},\"max_us\":{:.1}}}",
            n as f64 / secs,
            self.errors,
            status.join(","),
            q(0.5),
            q(0.9),
            q(0.99),
            q(0.999),
            q(1.0)
        );
    }
}

/// Sends `count` requests on one connection; `due(k)` is when the k-th is due, None for "at once".
fn drive(t: &Target, count: usize, due: impl Fn(usize) -> Option<Instant>) -> Tally {
    let mut tally = Tally {
        nanos: Vec::with_capacity(count),
        ..Tally::default()
    };
    let mut client = t.connect().expect("connect");
    for k in 0..count {
        let start = match due(k) {
            None => Instant::now(),
            Some(at) => {
                let now = Instant::now();
                if now < at {
                    std::thread::sleep(at - now);
                    Instant::now()
                } else {
                    at
                }
            }
        };
        match client.get(&t.request) {
            Ok(s) => {
                tally.nanos.push(start.elapsed().as_nanos() as u64);
                *tally.status.entry(s).or_default() += 1;
            }
            Err(_) => {
                tally.errors += 1;
                if let Ok(c) = t.connect() {
                    client = c;
                }
            }
        }
    }
    tally
}

fn main() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
    let args: Vec<String> = std::env::args().collect();
    let all = |name: &str| -> Vec<String> {
        args.windows(2)
            .filter(|w| w[0] == name)
            .map(|w| w[1].clone())
            .collect()
    };
    let one = |name: &str| all(name).pop();
    let num = |name: &str, d: usize| one(name).map_or(d, |v| v.parse().expect(name));
    let ca = one("--ca");
    let common = all("-H");
    let targets: Vec<Target> = all("--target")
        .iter()
        .map(|s| {
            let mut h = common.clone();
            if s.starts_with("direct=") {
                h = all("--direct-header");
            }
            Target::new(s, &h, ca.as_deref())
        })
        .collect();
    assert!(!targets.is_empty(), "--target NAME=URL");
    let conns = num("--conns", 16).clamp(1, 20_000);
    let n = num("--requests", 1000).clamp(1, 5_000_000);
    let mode = args.get(1).map(String::as_str).unwrap_or("");

    if mode == "hold" {
        let mut held = Vec::new();
        for _ in 0..conns {
            let mut c = targets[0].connect().expect("connect");
            c.get(&targets[0].request).expect("request");
            c.buf = Vec::new();
            held.push(c);
        }
        println!("held {}", held.len());
        let secs = num("--seconds", 30).min(300) as u64;
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(secs));
            std::process::exit(0);
        });
        let _ = std::io::stdin().read(&mut [0u8; 1]);
        return;
    }

    assert!(mode == "paced", "first argument: paced or hold");
    let rate = num("--rate", 500) as f64;
    let k = targets.len();
    let gate = Arc::new(Barrier::new(k * conns));
    let warm = num("--warm", 3);
    let begun = Instant::now();
    let threads: Vec<_> = (0..conns)
        .flat_map(|c| (0..k).map(move |t| (c, t)))
        .map(|(c, t)| {
            let (target, gate) = (targets[t].clone(), gate.clone());
            std::thread::Builder::new()
                .stack_size(256 * 1024)
                .spawn(move || {
                    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
                    drive(&target, warm, |_| None);
                    gate.wait();
                    let t0 = Instant::now() + Duration::from_millis(20);
                    let mine = n / conns + usize::from(c < n % conns);
                    let tally = drive(&target, mine, |j| {
                        // Request j of connection c is number j*conns+c of its target; targets are offset evenly.
                        let i = (j * conns + c) as f64 + t as f64 / k as f64;
                        Some(t0 + Duration::from_secs_f64(i / rate))
                    });
                    (t, tally, t0.elapsed().as_secs_f64())
                })
                .unwrap()
        })
        .collect();
    let mut total: Vec<(Tally, f64)> = (0..k).map(|_| (Tally::default(), 0.0)).collect();
    for th in threads {
        let (t, tally, secs) = th.join().unwrap();
        total[t].0.join(tally);
        total[t].1 = total[t].1.max(secs);
    }
    eprintln!("took {:.2} s in all", begun.elapsed().as_secs_f64());
    for (t, (tally, secs)) in total.into_iter().enumerate() {
        tally.print(&targets[t].name, secs);
    }
}
