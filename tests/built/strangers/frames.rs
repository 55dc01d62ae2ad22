//! HTTP/2 by hand (RFC 9113), for callers who do what no library would.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const PATIENCE: Duration = Duration::from_mins(1);

const HEADERS: u8 = 1;

const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) struct Frames {
    socket: TcpStream,
    read: Vec<u8>,
}

/// Kind, flags, stream, payload.
type Frame = (u8, u8, u32, Vec<u8>);

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A header block without compression.
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            bytes.push(u8::try_from(text.len()).unwrap());
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    bytes
}

impl Frames {
    /// `settings`: the payload of the SETTINGS frame.
    pub(crate) async fn open(at: SocketAddr, settings: &[u8]) -> Self {
        let socket = TcpStream::connect(at).await.unwrap();
        let mut it = Self {
            socket,
            read: Vec::new(),
        };
        it.send(PREFACE).await;
        it.send(&frame(SETTINGS, 0, 0, settings)).await;
        it
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> bool {
        self.socket.write_all(bytes).await.is_ok()
    }

    pub(crate) async fn get(&mut self, stream: u32, path: &str, key: &str) {
        let block = block(&[
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", "localhost"),
            (":path", path),
            ("x-api-key", key),
        ]);
        self.send(&frame(HEADERS, END_STREAM | END_HEADERS, stream, &block))
            .await;
    }

    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(&[a, b, c, kind, flags, s, t, u, v]) = self.read.first_chunk() {
                let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                if self.read.len() >= 9 + length {
                    let stream = u32::from_be_bytes([s, t, u, v]);
                    let payload = self.read.drain(..9 + length).skip(9).collect();
                    if kind == SETTINGS && flags & ACK == 0 {
                        self.send(&frame(SETTINGS, ACK, 0, &[])).await;
                    }
                    return Some((kind, flags, stream, payload));
                }
            }
            let mut room = vec![0; 64 * 1024];
            let length = self.socket.read(&mut room).await.unwrap_or_default();
            if length == 0 {
                return None;
            }
            self.read.extend_from_slice(&room[..length]);
        }
    }

    /// The next frame of a kind on a stream; none if the connection ends.
    pub(crate) async fn frame_of(&mut self, kind: u8, stream: u32) -> Option<Vec<u8>> {
        let looking = async {
            loop {
                let (of, _, on, payload) = self.next().await?;
                if (of, on) == (kind, stream) {
                    return Some(payload);
                }
            }
        };
        timeout(PATIENCE, looking).await.expect("a frame")
    }

    /// The status of the answer on a stream: of those that are sent in few bytes (RFC 7541 appendix A).
    pub(crate) async fn status(&mut self, stream: u32) -> Option<String> {
        let block = self.frame_of(HEADERS, stream).await?;
        Some(match block.first()? {
            0x88 => "200".to_owned(),
            0x8d => "404".to_owned(),
            // A literal with the name of the table, its value in Huffman's code.
            0x48 if block.get(1..4) == Some(&[0x82, 0x68, 0x01]) => "401".to_owned(),
            other => format!("{other:x}: {block:x?}"),
        })
    }

    pub(crate) async fn closes_within(&mut self, patience: Duration) -> bool {
        let closing = async { while self.next().await.is_some() {} };
        timeout(patience, closing).await.is_ok()
    }
}
