//! The other listeners: HTTP/2 with prior knowledge, a Unix socket, HTTPS.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, pem::PemObject};
use tokio::{
    net::{TcpStream, UnixStream},
    task::JoinSet,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    directory::{Directory, write_private},
    frames::{Connection, SETTINGS},
    wire::{Stream, Wire},
};

use super::{
    hostile::{Act, Hostile},
    world::World,
};

type Sender = http2::SendRequest<Full<Bytes>>;

async fn http2_over(stream: impl Stream + 'static) -> Sender {
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

fn request(world: &World, method: &str, target: &str, body: &str) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(format!("http://{}{target}", world.callers))
        .header("x-api-key", world.key("operator"))
        .body(Full::from(body.to_owned()))
        .unwrap()
}

async fn read(answer: Response<hyper::body::Incoming>) -> (u16, Bytes) {
    let status = answer.status().as_u16();
    (
        status,
        answer.into_body().collect().await.unwrap().to_bytes(),
    )
}

#[tokio::test]
async fn http2_with_prior_knowledge_carries_many_requests_at_once() {
    let world = World::new().await;
    let sender = http2_over(TcpStream::connect(world.callers).await.unwrap()).await;
    let mut tasks = JoinSet::new();
    for number in 0..200 {
        let mut sender = sender.clone();
        let (method, target, body) = match number % 10 {
            0 => ("PATCH", "/v2/device/101", "{}"),
            _ => ("GET", "/v2/users", ""),
        };
        let request = request(&world, method, target, body);
        let answered = world.answered.clone();
        tasks.spawn(async move {
            sender.ready().await.unwrap();
            let answer = sender.send_request(request).await.unwrap();
            answered.add(answer.headers()["x-request-id"].to_str().unwrap());
            read(answer).await.0
        });
    }

    let statuses = tasks.join_all().await;

    assert!(statuses.iter().all(|it| matches!(it, 200 | 204)));
    assert_eq!(world.saw().len(), 200);
    world.end().await;
}

#[tokio::test]
async fn over_http2_requests_are_refused_as_they_are_over_http1() {
    let world = World::new().await;
    let mut sender = http2_over(TcpStream::connect(world.callers).await.unwrap()).await;
    let mut no_key = request(&world, "GET", "/v2/users", "");
    no_key.headers_mut().remove("x-api-key");
    let mut other_host = request(&world, "GET", "/v2/users", "");
    *other_host.uri_mut() = "http://evil.example/v2/users".parse().unwrap();
    let mut two_hosts = request(&world, "GET", "/v2/users", "");
    two_hosts
        .headers_mut()
        .insert("host", "localhost".parse().unwrap());
    let cases = [
        (no_key, 401),
        (other_host, 421),
        (two_hosts, 400),
        (request(&world, "GET", "/v2/%2e%2e/users", ""), 400),
        (request(&world, "GET", "/v2/no/such", ""), 403),
    ];

    for (request, status) in cases {
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(read(answer).await.0, status);
    }

    assert_eq!(world.saw(), Vec::<String>::new());
    world.end().await;
}

#[tokio::test]
async fn over_http2_what_came_before_a_cut_reaches_the_caller() {
    let broken =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n[1,2"
            .to_vec();
    let hostile = Hostile::start(move |_| Act::Say(broken.clone())).await;
    let world = World::in_front_of(hostile).await;
    let mut sender = http2_over(TcpStream::connect(world.callers).await.unwrap()).await;

    let request = request(&world, "GET", "/v2/devices", "");
    let answer = sender.send_request(request).await.unwrap();

    assert_eq!(answer.status(), 200);
    let id = answer.headers()["x-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    world.answered.add(&id);
    let (mut body, mut came) = (answer.into_body(), Vec::new());
    let is_cut = loop {
        match body.frame().await {
            Some(Ok(frame)) => came.extend(frame.into_data().unwrap()),
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    assert!(is_cut);
    assert_eq!(came, b"[1,2");
    assert_eq!(world.outcome(&id).await["error"], "cut");
    world.end().await;
}

#[tokio::test]
async fn a_connection_has_a_hundred_streams_at_most() {
    let world = World::new().await;
    let mut connection = Connection::open(world.callers).await;

    let first = connection.next().await.expect("a frame");

    assert_eq!(first.kind, SETTINGS);
    // RFC 9113 section 6.5.2: SETTINGS_MAX_CONCURRENT_STREAMS is 3.
    let streams = first
        .payload
        .chunks(6)
        .find(|it| it[..2] == [0, 3])
        .unwrap();
    assert_eq!(streams[2..], [0, 0, 0, 100]);
    drop(connection);
    world.end().await;
}

#[tokio::test]
async fn a_unix_socket_is_served_with_its_mode_and_gone_afterwards() {
    use std::os::unix::fs::PermissionsExt;
    let unix = "[{ path = \"api.sock\", mode = \"0600\" }]";
    let world = World::plan().set("listen", "unix", unix).start().await;
    let path = world.directory().join("api.sock");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);

    let stream = UnixStream::connect(&path).await.unwrap();
    let mut wire = Wire::over(stream).noting(&world.answered);
    let answer = world
        .ask("reports", "GET", "/v2/users")
        .send_on(&mut wire)
        .await;

    let answer = answer.unwrap();
    answer.is(200);
    let line = world.outcome(answer.id()).await;
    assert!(
        line["peer"].as_str().unwrap().starts_with("unix:"),
        "{line}"
    );
    let mut http2 = http2_over(UnixStream::connect(&path).await.unwrap()).await;
    let answer = http2
        .send_request(request(&world, "GET", "/v2/users", ""))
        .await;
    assert_eq!(read(answer.unwrap()).await.0, 200);
    drop((wire, http2));
    let gone = path.clone();
    world.end_then(move || assert!(!gone.exists())).await;
}

/// A certificate for `localhost`, in PEM: itself and its key.
pub(super) fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

pub(super) async fn tls(
    address: SocketAddr,
    trusted: &str,
    alpn: &[u8],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap())
        .unwrap();
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

/// Where the world serves HTTPS.
pub(super) async fn https_address(world: &World) -> SocketAddr {
    let status = world.status().await;
    let mut listeners = status["listeners"].as_array().unwrap().iter();
    let address = listeners.find_map(|it| it["address"].as_str()?.strip_prefix("https://"));
    address.expect("an HTTPS listener").parse().unwrap()
}

#[tokio::test]
async fn https_is_served_over_both_protocols_and_its_certificate_is_reloaded() {
    let (cert, key) = certificate();
    let kept = Directory::new();
    let (cert_file, key_file) = (kept.path().join("tls.crt"), kept.path().join("tls.key"));
    std::fs::write(&cert_file, &cert).unwrap();
    write_private(&key_file, &key);
    let https = format!("[{{ bind = \"127.0.0.1:0\", cert = {cert_file:?}, key = {key_file:?} }}]");
    let world = World::plan().set("listen", "https", &https).start().await;
    let address = https_address(&world).await;
    let ask = world.ask("reports", "GET", "/v2/users");

    let stream = tls(address, &cert, b"http/1.1").await.unwrap();
    let mut wire = Wire::over(stream).noting(&world.answered);
    ask.send_on(&mut wire).await.unwrap().is(200);
    let mut sender = http2_over(tls(address, &cert, b"h2").await.unwrap()).await;
    let answer = sender
        .send_request(request(&world, "GET", "/v2/users", ""))
        .await;
    assert_eq!(read(answer.unwrap()).await.0, 200);
    // The metadata of our own token endpoint name it as the caller reached it.
    let discovery = "/.well-known/oauth-authorization-server";
    let ask_for_it = world.unauthenticated("GET", discovery).host("localhost:1");
    let answer = ask_for_it.send_on(&mut wire).await.unwrap();
    assert_eq!(answer.json()["issuer"], "https://localhost:1");
    let answer = sender
        .send_request(request(&world, "GET", discovery, ""))
        .await;
    let (status, metadata) = read(answer.unwrap()).await;
    let metadata: serde_json::Value = serde_json::from_slice(&metadata).unwrap();
    let issuer = format!("https://{}", world.callers);
    assert_eq!((status, &metadata["issuer"]), (200, &issuer.into()));

    let (new_cert, new_key) = certificate();
    std::fs::write(&cert_file, &new_cert).unwrap();
    write_private(&key_file, &new_key);
    world.reload().await;

    let stream = tls(address, &new_cert, b"http/1.1").await.unwrap();
    let mut fresh = Wire::over(stream).noting(&world.answered);
    ask.send_on(&mut fresh).await.unwrap().is(200);
    // Who was connected stays connected.
    ask.send_on(&mut wire).await.unwrap().is(200);
    assert!(tls(address, &cert, b"http/1.1").await.is_err());

    std::fs::write(&cert_file, "no certificate").unwrap();
    world.reload().await;
    assert!(tls(address, &new_cert, b"http/1.1").await.is_ok());
    drop((wire, fresh, sender));
    world.end().await;
}

#[tokio::test]
async fn a_reload_with_a_broken_certificate_is_refused_as_a_whole() {
    let (cert, key) = certificate();
    let kept = Directory::new();
    let (cert_file, key_file) = (kept.path().join("tls.crt"), kept.path().join("tls.key"));
    std::fs::write(&cert_file, &cert).unwrap();
    write_private(&key_file, &key);
    let https = format!("[{{ bind = \"127.0.0.1:0\", cert = {cert_file:?}, key = {key_file:?} }}]");
    let world = World::plan().set("listen", "https", &https).start().await;
    let stricter = |toml: &str| toml.replace("allow = [\"read\"]", "deny = [\"read\"]");

    std::fs::write(&cert_file, "no certificate").unwrap();
    world.rewrite(stricter);
    world.reload().await;

    let status = world.admin("/status").await.json();
    assert!(status["config"]["last_error"].is_string(), "{status}");
    assert_eq!(status["config"]["generation"], 1);
    world.get("reports", "/v2/users").await.is(200);

    std::fs::write(&cert_file, &cert).unwrap();
    world.reload().await;

    let status = world.admin("/status").await.json();
    assert!(status["config"]["last_error"].is_null(), "{status}");
    let answer = world.get("reports", "/v2/users").await;
    answer.refuses(403, "policy-denied");
    world.end().await;
}

#[tokio::test]
async fn plain_http_on_the_https_port_is_not_answered() {
    let (cert, key) = certificate();
    let kept = Directory::new();
    let (cert_file, key_file) = (kept.path().join("tls.crt"), kept.path().join("tls.key"));
    std::fs::write(&cert_file, &cert).unwrap();
    write_private(&key_file, &key);
    assert!(PrivatePkcs8KeyDer::from_pem_slice(key.as_bytes()).is_ok());
    let https = format!("[{{ bind = \"127.0.0.1:0\", cert = {cert_file:?}, key = {key_file:?} }}]");
    let world = World::plan().set("listen", "https", &https).start().await;
    let address = https_address(&world).await;

    let stream = TcpStream::connect(address).await.unwrap();
    let mut wire = Wire::over(stream).noting(&world.answered);
    let ask = world.ask("reports", "GET", "/v2/users");

    assert!(ask.send_on(&mut wire).await.is_none());
    assert_eq!(world.saw(), Vec::<String>::new());
    world.end().await;
}
