//! HTTP/2 by hand: frames that no well-behaved client would send.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// A frame that came.
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

pub(crate) struct Connection {
    pub(crate) socket: TcpStream,
    read: Vec<u8>,
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A header block without compression.
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            // Lengths of 127 and more need a second byte (RFC 7541 section 5.1).
            bytes.push(u8::try_from(text.len().min(127)).unwrap());
            if let Some(mut rest) = text.len().checked_sub(127) {
                while rest >= 128 {
                    bytes.push(u8::try_from(rest % 128).unwrap() | 0x80);
                    rest /= 128;
                }
                bytes.push(u8::try_from(rest).unwrap());
            }
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    bytes
}

pub(crate) fn get(path: &str, key: &str) -> Vec<u8> {
    block(&[
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", path),
        ("x-api-key", key),
    ])
}

impl Connection {
    pub(crate) async fn open(at: SocketAddr) -> Self {
        Self::with_settings(at, &[]).await
    }

    /// `settings`: the payload of the SETTINGS frame.
    pub(crate) async fn with_settings(at: SocketAddr, settings: &[u8]) -> Self {
        let socket = TcpStream::connect(at).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let mut it = Self {
            socket,
            read: Vec::new(),
        };
        it.send(PREFACE).await;
        it.send(&frame(SETTINGS, 0, 0, settings)).await;
        it
    }

    /// The other end may have closed: that shows when it is read from.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> bool {
        self.socket.write_all(bytes).await.is_ok()
    }

    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(head) = self.read.get(..9) {
                let length =
                    usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
                if self.read.len() >= 9 + length {
                    let (kind, flags) = (head[3], head[4]);
                    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
                    let payload: Vec<u8> = self.read.drain(..9 + length).skip(9).collect();
                    if kind == DATA && !Vec::is_empty(&payload) {
                        self.give_room(&payload).await;
                    }
                    if kind == SETTINGS && flags & ACK == 0 {
                        self.send(&frame(SETTINGS, ACK, 0, &[])).await;
                    }
                    return Some(Frame {
                        kind,
                        flags,
                        stream,
                        payload,
                    });
                }
            }
            let mut buffer = vec![0; 16 * 1024];
            let length = timeout(Duration::from_secs(15), self.socket.read(&mut buffer))
                .await
                .ok()?
                .ok()?;
            if length == 0 {
                return None;
            }
            self.read.extend_from_slice(&buffer[..length]);
        }
    }

    /// Gives back what a DATA frame took of the connection's window.
    async fn give_room(&mut self, payload: &[u8]) {
        let taken = u32::try_from(payload.len()).unwrap();
        self.send(&frame(WINDOW_UPDATE, 0, 0, &taken.to_be_bytes()))
            .await;
    }

    /// The status of a stream's answer, read to its end. None: the stream or the connection was ended instead.
    pub(crate) async fn status(&mut self, stream: u32) -> Option<u16> {
        let mut status = None;
        loop {
            let frame = self.next().await?;
            match frame.kind {
                GOAWAY => return None,
                RST_STREAM if frame.stream == stream => return status,
                HEADERS if frame.stream == stream => status = status_of(&frame.payload),
                _ => {}
            }
            let of_stream = frame.stream == stream && matches!(frame.kind, HEADERS | DATA);
            if of_stream && frame.flags & END_STREAM != 0 {
                return status;
            }
        }
    }
}

/// The first field of an answer is its status: from the static table, or a literal with the name from there.
fn status_of(payload: &[u8]) -> Option<u16> {
    const STATIC: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    // A change of the table's size may come first.
    let payload = &payload[payload.iter().position(|byte| byte & 0xe0 != 0x20)?..];
    match payload.first()? {
        byte @ 0x88..=0x8e => STATIC.get(usize::from(byte - 0x88)).copied(),
        byte if byte & 0x80 != 0 => Some(0),
        _ => {
            let length = *payload.get(1)?;
            let text = payload.get(2..2 + usize::from(length & 0x7f))?;
            if length & 0x80 == 0 {
                return std::str::from_utf8(text).ok()?.parse().ok();
            }
            digits(text)
        }
    }
}

/// Digits in the code of RFC 7541 appendix B: five bits for 0, 1 and 2, six for the others.
fn digits(coded: &[u8]) -> Option<u16> {
    let bits: Vec<u8> = coded
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1))
        .collect();
    let value = |at: usize, length: usize| {
        let bits = bits.get(at..at + length)?;
        Some(
            bits.iter()
                .fold(0_u16, |sum, bit| sum << 1 | u16::from(*bit)),
        )
    };
    let (mut at, mut number) = (0, 0);
    for _ in 0..3 {
        let short = value(at, 5)?;
        let is_short = short <= 2;
        let digit = if is_short {
            short
        } else {
            value(at, 6)?.checked_sub(0x19)? + 3
        };
        at += if is_short { 5 } else { 6 };
        number = number * 10 + digit;
    }
    Some(number)
}
