//! A handmade NinjaOne over HTTP/2 and TLS: it responds as it should and sends unsolicited frames in between.

use std::{io, net::SocketAddr, sync::Arc};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    frames::{ACK, DATA, END_HEADERS, END_STREAM, Frame, HEADERS, PING, PREFACE, SETTINGS, frame},
    wire::find,
};

use super::evil::ok;

/// Field 8 of the static table (RFC 7541 appendix A).
const STATUS_200: u8 = 0x88;
const TOKEN: &str = r#"{"access_token":"by-hand-token","token_type":"Bearer","expires_in":3600,"scope":"monitoring management control"}"#;

/// The running server; it ends when dropped.
pub(crate) struct Http2Server {
    pub(crate) address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Http2Server {
    /// Says `unasked` after its settings and before each answer.
    pub(crate) async fn start(tls: Arc<ServerConfig>, unasked: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let (tls, unasked) = (Arc::clone(&tls), unasked.clone());
                connections.spawn(async move {
                    let Ok(stream) = TlsAcceptor::from(tls).accept(socket).await else {
                        return;
                    };
                    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                    // How it ends is for the other end to say.
                    let _ = if is_http2 {
                        serve(stream, &unasked).await
                    } else {
                        give_token(stream).await
                    };
                });
            }
        });
        Self {
            address,
            _tasks: tasks,
        }
    }
}

/// The token endpoint is asked over HTTP/1.1, once a connection.
async fn give_token(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut asked = Vec::new();
    while find(&asked, b"grant_type").is_none() {
        if stream.read_buf(&mut asked).await? == 0 {
            return Ok(());
        }
    }
    stream.write_all(&ok("application/json", TOKEN)).await?;
    stream.shutdown().await
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, unasked: &[u8]) -> io::Result<()> {
    let mut preface = vec![0; PREFACE.len()];
    stream.read_exact(&mut preface).await?;
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    stream.write_all(unasked).await?;
    let mut read = Vec::new();
    loop {
        let Some(it) = Frame::take(&mut read) else {
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let says = match it.kind {
            SETTINGS if it.flags & ACK == 0 => frame(SETTINGS, ACK, 0, &[]),
            PING if it.flags & ACK == 0 => frame(PING, ACK, 0, &it.payload),
            HEADERS if it.flags & END_STREAM != 0 => answer(unasked, it.stream, b"[]"),
            _ => continue,
        };
        stream.write_all(&says).await?;
        stream.flush().await?;
    }
}

/// `content-type` without indexing, named by field 31 of the static table.
fn answer(unasked: &[u8], id: u32, body: &[u8]) -> Vec<u8> {
    let kind = b"application/json";
    let mut fields = vec![STATUS_200, 0x0f, 31 - 15, u8::try_from(kind.len()).unwrap()];
    fields.extend_from_slice(kind);
    let mut bytes = unasked.to_vec();
    bytes.extend(frame(HEADERS, END_HEADERS, id, &fields));
    bytes.extend(frame(DATA, END_STREAM, id, body));
    bytes
}
