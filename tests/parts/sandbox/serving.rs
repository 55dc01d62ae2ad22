//! Listening, the request log, and the control address.

use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use ninjaone_proxy::{sandbox::SandboxOptions, tasks::Tasks};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::wire::{TestSandbox, send};

#[tokio::test]
async fn what_was_received_is_remembered_to_the_byte() {
    let sandbox = TestSandbox::new();
    let token = sandbox.token().await;
    sandbox
        .get(&token, "/api/v2/devices?df=a%20b+c&df=%zz")
        .await;
    sandbox.ninja.revoke_all_tokens();
    sandbox.call(&token, "PATCH", "/v2/device/101", "{}").await;
    assert_eq!(
        sandbox.saw(),
        [
            "POST /ws/oauth/token 200",
            "GET /api/v2/devices?df=a%20b+c&df=%zz 400",
            "PATCH /v2/device/101 401",
        ]
    );
    let seen = sandbox.ninja.requests();
    assert_eq!(
        seen[2].header("authorization"),
        Some(format!("Bearer {token}").as_bytes())
    );
    assert_eq!(seen[2].body_bytes, 2);
    assert_eq!(
        &*seen[2].body_sha256,
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    );
    sandbox.ninja.clear_requests();
    assert!(sandbox.ninja.requests().is_empty());
}

#[tokio::test]
async fn another_process_can_look_and_switch_over_the_control_address() {
    let sandbox = TestSandbox::new();
    let control = async |method: &str, target: &str, body: &str| {
        send(sandbox.at, method, target, "", body).await.unwrap()
    };
    let on = control("POST", "/sandbox/faults", r#"{"status":503,"count":1}"#).await;
    assert_eq!(on.json(), json!({"status": 503, "count": 1}));
    let token = sandbox.token().await;
    assert_eq!(sandbox.get(&token, "/v2/devices").await.status, 503);
    assert_eq!(
        control("GET", "/sandbox/faults", "").await.json(),
        json!({})
    );

    for wrong in [
        "",
        "[]",
        r#"{"thottle":"429"}"#,
        r#"{"status":200}"#,
        r#"{"count":0}"#,
    ] {
        assert_eq!(
            control("POST", "/sandbox/faults", wrong).await.status,
            400,
            "{wrong}"
        );
    }
    control(
        "POST",
        "/sandbox/faults",
        r#"{"token":"slow:5","throttle":null}"#,
    )
    .await;
    assert_eq!(
        control("GET", "/sandbox/faults", "").await.json(),
        json!({"token": "slow:5"})
    );
    assert_eq!(control("DELETE", "/sandbox/faults", "").await.status, 204);

    let seen = control("GET", "/sandbox/requests?limit=1", "").await.json();
    assert_eq!(
        (&seen["seen"], &seen["token_calls"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(seen["requests"][0]["target"], "/v2/devices");
    assert_eq!(seen["requests"][0]["status"], 503);
    assert_eq!(control("DELETE", "/sandbox/requests", "").await.status, 204);
    assert!(sandbox.ninja.requests().is_empty());
}

#[tokio::test]
async fn without_control_there_is_nothing_below_sandbox() {
    let sandbox = TestSandbox::with(SandboxOptions {
        control: false,
        ..SandboxOptions::default()
    });
    let reply = send(sandbox.at, "GET", "/sandbox/faults", "", "")
        .await
        .unwrap();
    assert_eq!(reply.status, 404);
}

#[tokio::test]
async fn http_2_is_spoken_by_prior_knowledge() {
    let sandbox = TestSandbox::new();
    let token = sandbox.token().await;
    let stream = TokioIo::new(TcpStream::connect(sandbox.at).await.unwrap());
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
            .await
            .unwrap();
    let running = Tasks::new();
    running.spawn(async move { connection.await.unwrap_or_default() });
    let head = http::Request::head(format!("http://{}/v2/devices", sandbox.at))
        .header("authorization", format!("Bearer {token}"))
        .body(Full::<bytes::Bytes>::default())
        .unwrap();
    let answer = sender.send_request(head).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.headers().contains_key("content-length"));
    assert!(
        answer
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .is_empty()
    );
    let request = http::Request::get(format!(
        "http://{}/v2/queries/software?pageSize=500",
        sandbox.at
    ))
    .header("authorization", format!("Bearer {token}"))
    .body(Full::<bytes::Bytes>::default())
    .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let value: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(value["results"].as_array().unwrap().len(), 500);
    assert_eq!(
        sandbox.saw()[2],
        "GET /v2/queries/software?pageSize=500 200"
    );
}

#[tokio::test]
async fn tls_is_spoken_with_a_given_certificate() {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = key.cert.der().clone();
    let private =
        rustls_pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], private)
        .unwrap();
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let sandbox = TestSandbox::with(SandboxOptions {
        tls: Some(Arc::new(server)),
        ..SandboxOptions::default()
    });

    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(sandbox.at).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(Arc::new(client))
        .connect(name, stream)
        .await
        .unwrap();
    let request = "GET /.well-known/oauth-authorization-server HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("\"https://localhost/ws/oauth/token\""));
}
