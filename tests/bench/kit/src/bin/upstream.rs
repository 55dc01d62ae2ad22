//! A make-believe NinjaOne for the bench: static answers, so cheap that the proxy under test is what a run measures.
//!
//! HTTP/1.1 is answered from prebuilt bytes by a small loop; HTTP/2, where ALPN chose it, goes through hyper. It polices the
//! proxies' duties: a request is answered 200 only if it carries exactly `Authorization: Bearer <token>` and no `X-Api-Key`;
//! anything else is 418, which the load tools report as not OK.
//!
//! Paths: `/v2/organizations` (200 B), `/v2/devices` (20 KB), `/v2/queries/software` (2 MB, chunked), and
//! `POST /ws/oauth/token`, which hands out the token to whoever asks.
//!
//! usage: upstream [--http ADDR] [--https ADDR --cert PEM --key PEM] [--alpn h1|h2] [--token T] [--delay-ms N] [--no-check]
//!
//! `--alpn h2` offers h2 and http/1.1, as NinjaOne does; `h1` (the default) offers http/1.1 alone.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Body, Incoming},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, rustls};

const COMMON: &str = "Date: Sat, 21 Nov 2026 21:00:00 GMT\r\n\
    Content-Type: application/json\r\n\
    Cache-Control: no-cache, no-store, max-age=0, must-revalidate\r\n\
    Pragma: no-cache\r\n\
    Expires: 0\r\n\
    X-Content-Type-Options: nosniff\r\n\
    X-Frame-Options: DENY\r\n\
    Strict-Transport-Security: max-age=31536000 ; includeSubDomains\r\n\
    Set-Cookie: AWSALB=3cP0n2t9wTnGQ0l4e1Jr8sWqkzv5mXyB; Path=/; SameSite=None; Secure\r\n\
    X-Request-Id: 7f1c2f0e-3b1a-4c55-9f0e-0d5a2b7c9e11\r\n\
    Vary: Origin\r\n";

/// An answer in the form of either protocol.
struct Page {
    h1: Vec<u8>,
    h2: Bytes,
}

struct Site {
    organizations: Page,
    devices: Page,
    software: Page,
    token: Page,
    denied: Vec<u8>,
    bearer: String,
    check: bool,
    delay: Duration,
}

/// A JSON array of device-like objects, cut and padded to exactly `len` bytes.
fn device_list(len: usize) -> Vec<u8> {
    let mut out = b"[".to_vec();
    let mut id = 0;
    loop {
        let one = format!(
            "{{\"id\":{id},\"uid\":\"{:032x}\",\"organizationId\":{},\"locationId\":{},\
             \"nodeClass\":\"WINDOWS_WORKSTATION\",\"approvalStatus\":\"APPROVED\",\
             \"offline\":{},\"systemName\":\"WS-{id:06}\",\"dnsName\":\"ws-{id:06}.corp.example\",\
             \"created\":1700000000.{:03},\"lastContact\":1763750000.{:03},\
             \"publicIP\":\"203.0.113.{}\",\"ipAddresses\":[\"10.0.{}.{}\"]}},",
            id as u128 * 0x9e37_79b9_7f4a_7c15,
            id % 7,
            id % 31,
            id % 3 == 0,
            id % 1000,
            (id * 7) % 1000,
            id % 250,
            id % 200,
            id % 250
        );
        if out.len() + one.len() + 1 > len {
            break;
        }
        out.extend_from_slice(one.as_bytes());
        id += 1;
    }
    if out.last() == Some(&b',') {
        out.pop();
    }
    while out.len() < len - 1 {
        out.push(b' ');
    }
    out.push(b']');
    out
}

fn with_length(body: &[u8]) -> Vec<u8> {
    let mut v = format!(
        "HTTP/1.1 200 OK\r\n{COMMON}Content-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    v.extend_from_slice(body);
    v
}

fn chunked(body: &[u8]) -> Vec<u8> {
    let mut v =
        format!("HTTP/1.1 200 OK\r\n{COMMON}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for c in body.chunks(16 * 1024) {
        v.extend_from_slice(format!("{:x}\r\n", c.len()).as_bytes());
        v.extend_from_slice(c);
        v.extend_from_slice(b"\r\n");
    }
    v.extend_from_slice(b"0\r\n\r\n");
    v
}

/// The head's header lines that matter: exact bearer present, API key absent.
fn duties_done(site: &Site, head: &[u8]) -> bool {
    if !site.check {
        return true;
    }
    let (mut bearers, mut right, mut leaked) = (0, false, false);
    for line in head.split(|b| *b == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|b| *b == b':') else {
            continue;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"authorization") {
            bearers += 1;
            right = value == site.bearer.as_bytes();
        } else if name.eq_ignore_ascii_case(b"x-api-key") {
            leaked = true;
        }
    }
    bearers == 1 && right && !leaked
}

impl Site {
    fn page(&self, path: &str) -> &Page {
        match path.split('?').next().unwrap_or(path) {
            "/v2/devices" => &self.devices,
            "/v2/queries/software" => &self.software,
            _ => &self.organizations,
        }
    }
}

const TOKEN_PATH: &str = "/ws/oauth/token";

async fn h1<S: AsyncRead + AsyncWrite + Unpin>(mut io: S, site: Arc<Site>) -> std::io::Result<()> {
    let mut buf = vec![0u8; 16 * 1024];
    let mut have = 0;
    loop {
        // One request at a time is enough: no proxy under test pipelines.
        while let Some(end) = request_end(&buf[..have]) {
            let head = std::str::from_utf8(&buf[..end]).unwrap_or_default();
            let path = head.split(' ').nth(1).unwrap_or_default();
            let reply = if path == TOKEN_PATH {
                &site.token.h1
            } else if duties_done(&site, &buf[..end]) {
                &site.page(path).h1
            } else {
                &site.denied
            };
            if !site.delay.is_zero() {
                tokio::time::sleep(site.delay).await;
            }
            io.write_all(reply).await?;
            io.flush().await?;
            buf.copy_within(end..have, 0);
            have -= end;
        }
        if have == buf.len() {
            return Ok(()); // too long: drop the connection
        }
        match io.read(&mut buf[have..]).await? {
            0 => return Ok(()),
            n => have += n,
        }
    }
}

/// Where the first request ends, its body included; none while it is not whole.
fn request_end(buf: &[u8]) -> Option<usize> {
    let body = find(buf, b"\r\n\r\n")? + 4;
    if !buf.starts_with(b"POST ") {
        return Some(body);
    }
    let head = String::from_utf8_lossy(&buf[..body]).to_ascii_lowercase();
    let field = |name: &str| {
        let value = head.split(&format!("\r\n{name}:")).nth(1)?;
        Some(value.split("\r\n").next()?.trim().to_owned())
    };
    let end = if field("transfer-encoding").is_some() {
        body + find(&buf[body..], b"0\r\n\r\n")? + 5
    } else {
        body + field("content-length")
            .and_then(|it| it.parse().ok())
            .unwrap_or(0)
    };
    (end <= buf.len()).then_some(end)
}

fn find(buf: &[u8], what: &[u8]) -> Option<usize> {
    buf.windows(what.len()).position(|it| it == what)
}

async fn h2(
    site: Arc<Site>,
    req: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let path = req.uri().path().to_owned();
    let headers = req.headers();
    let bearers: Vec<_> = headers.get_all("authorization").iter().collect();
    let done = bearers.len() == 1
        && bearers[0].as_bytes() == site.bearer.as_bytes()
        && !headers.contains_key("x-api-key");
    let ok = !site.check || path == TOKEN_PATH || done;
    if !req.body().is_end_stream() {
        req.into_body().collect().await?;
    }
    if !site.delay.is_zero() {
        tokio::time::sleep(site.delay).await;
    }
    let mut resp = Response::builder().status(if ok { 200 } else { 418 });
    for (name, value) in COMMON
        .split("\r\n")
        .filter_map(|line| line.split_once(": "))
    {
        resp = resp.header(name, value);
    }
    let page = if path == TOKEN_PATH {
        &site.token
    } else {
        site.page(&path)
    };
    Ok(resp.body(Full::new(page.h2.clone())).unwrap())
}

fn listen(addr: &str) -> tokio::net::TcpListener {
    let addr: SocketAddr = addr.parse().expect("address");
    assert!(addr.ip().is_loopback(), "loopback only");
    let s = socket2::Socket::new(
        socket2::Domain::for_address(addr),
        socket2::Type::STREAM,
        None,
    )
    .unwrap();
    s.set_reuse_address(true).unwrap();
    s.bind(&addr.into()).unwrap();
    s.listen(4096).unwrap();
    s.set_nonblocking(true).unwrap();
    tokio::net::TcpListener::from_std(s.into()).unwrap()
}

fn main() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let args: Vec<String> = std::env::args().collect();
    let opt = |name: &str| {
        args.iter()
            .position(|a| a == name)
            .and_then(|i| args.get(i + 1))
            .cloned()
    };
    let token = opt("--token").unwrap_or_else(|| "upstream-token".into());
    let whole = |body: Vec<u8>| Page {
        h1: with_length(&body),
        h2: body.into(),
    };
    let software = device_list(2 * 1024 * 1024);
    let answer = format!(
        r#"{{"access_token":"{token}","expires_in":3600,"token_type":"Bearer","scope":"monitoring management control"}}"#
    );
    let site = Arc::new(Site {
        organizations: whole(device_list(200)),
        devices: whole(device_list(20 * 1024)),
        software: Page {
            h1: chunked(&software),
            h2: software.into(),
        },
        token: whole(answer.into_bytes()),
        denied: b"HTTP/1.1 418 No\r\nContent-Length: 0\r\n\r\n".to_vec(),
        bearer: format!("Bearer {token}"),
        check: !args.iter().any(|a| a == "--no-check"),
        delay: Duration::from_millis(opt("--delay-ms").map_or(0, |v| v.parse().unwrap())),
    });
    let offers_h2 = match opt("--alpn").as_deref() {
        Some("h2") => true,
        Some("h1") | None => false,
        Some(other) => panic!("--alpn {other}: h1 or h2"),
    };
    let tls = opt("--https").map(|addr| {
        let certs = CertificateDer::pem_file_iter(opt("--cert").expect("--cert"))
            .unwrap()
            .map(|c| c.unwrap())
            .collect();
        let key = PrivateKeyDer::from_pem_file(opt("--key").expect("--key")).unwrap();
        let mut cfg =
            rustls::ServerConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
                .with_no_client_auth()
                .with_single_cert(certs, key)
                .unwrap();
        if offers_h2 {
            cfg.alpn_protocols.push(b"h2".to_vec());
        }
        cfg.alpn_protocols.push(b"http/1.1".to_vec());
        (addr, TlsAcceptor::from(Arc::new(cfg)))
    });

    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async move {
            let mut tasks = Vec::new();
            if let Some(addr) = opt("--http") {
                let (l, site) = (listen(&addr), site.clone());
                tasks.push(tokio::spawn(async move {
                    loop {
                        let Ok((s, _)) = l.accept().await else {
                            continue;
                        };
                        let _ = s.set_nodelay(true);
                        tokio::spawn(h1(s, site.clone()));
                    }
                }));
            }
            if let Some((addr, acceptor)) = tls {
                let l = listen(&addr);
                tasks.push(tokio::spawn(async move {
                    loop {
                        let Ok((s, _)) = l.accept().await else {
                            continue;
                        };
                        let _ = s.set_nodelay(true);
                        let (acceptor, site) = (acceptor.clone(), site.clone());
                        tokio::spawn(async move {
                            let s = match acceptor.accept(s).await {
                                Ok(s) => s,
                                Err(e) => return eprintln!("handshake: {e:?}"),
                            };
                            if s.get_ref().1.alpn_protocol() == Some(b"h2") {
                                let svc = service_fn(move |r| h2(site.clone(), r));
                                let _ =
                                    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                                        .max_concurrent_streams(1000)
                                        .initial_stream_window_size(1 << 20)
                                        .initial_connection_window_size(16 << 20)
                                        .serve_connection(TokioIo::new(s), svc)
                                        .await;
                            } else {
                                if let Err(e) = h1(s, site).await {
                                    eprintln!("connection: {e:?}");
                                }
                            }
                        });
                    }
                }));
            }
            for t in tasks {
                let _ = t.await;
            }
        });
}
