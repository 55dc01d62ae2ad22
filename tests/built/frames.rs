//! HTTP/2 by hand (RFC 9113): frames that no library would send, and the frames that come back.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::wait::WAIT_MAX;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
/// Of SETTINGS and PING.
pub(crate) const ACK: u8 = 1;

const HEAD_BYTES: usize = 9;
const PIECE_BYTES: usize = 64 * 1024;

/// A frame that came.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// Takes the first frame of what was read, once it is whole.
    pub(crate) fn take(read: &mut Vec<u8>) -> Option<Self> {
        let &[high, middle, low, kind, flags, s1, s2, s3, s4] = read.first_chunk()?;
        let length = u32::from_be_bytes([0, high, middle, low]);
        let end = HEAD_BYTES + usize::try_from(length).unwrap();
        if read.len() < end {
            return None;
        }
        Some(Self {
            kind,
            flags,
            stream: u32::from_be_bytes([s1, s2, s3, s4]),
            payload: read.drain(..end).skip(HEAD_BYTES).collect(),
        })
    }
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
            // Lengths of 127 and more need further bytes (RFC 7541 section 5.1).
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

/// The header block of a read.
pub(crate) fn get(path: &str, key: &str) -> Vec<u8> {
    block(&[
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", path),
        ("x-api-key", key),
    ])
}

/// A request that is whole with this header block.
pub(crate) fn request(stream: u32, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, block)
}

/// A caller's connection.
pub(crate) struct Connection {
    pub(crate) socket: TcpStream,
    read: Vec<u8>,
    /// Acknowledges settings and gives back what DATA takes of the connection's window.
    is_polite: bool,
}

/// What a request got: nothing of a body if its stream or connection was ended instead.
#[derive(Debug, Default)]
pub(crate) struct Got {
    pub(crate) body: String,
    pub(crate) ended_by: Option<u8>,
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
            is_polite: true,
        };
        it.send(PREFACE).await;
        it.send(&frame(SETTINGS, 0, 0, settings)).await;
        it
    }

    /// Says nothing of its own accord: in the middle of a header block it may not.
    pub(crate) fn silent(mut self) -> Self {
        self.is_polite = false;
        self
    }

    /// False if the other end has closed; that may show only when it is read from.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> bool {
        self.socket.write_all(bytes).await.is_ok()
    }

    /// Sends a read.
    pub(crate) async fn get(&mut self, stream: u32, path: &str, key: &str) -> bool {
        self.send(&request(stream, &get(path, key))).await
    }

    /// The next frame; none at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        timeout(WAIT_MAX, self.read_on())
            .await
            .expect("a frame in time")
    }

    async fn read_on(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = Frame::take(&mut self.read) {
                if self.is_polite {
                    self.reply_to(&frame).await;
                }
                return Some(frame);
            }
            let mut chunk = vec![0; PIECE_BYTES];
            let length = self.socket.read(&mut chunk).await.unwrap_or(0);
            if length == 0 {
                return None;
            }
            self.read.extend_from_slice(&chunk[..length]);
        }
    }

    async fn reply_to(&mut self, it: &Frame) {
        if it.kind == DATA && !it.payload.is_empty() {
            let taken = u32::try_from(it.payload.len()).unwrap();
            self.send(&frame(WINDOW_UPDATE, 0, 0, &taken.to_be_bytes()))
                .await;
        }
        if it.kind == SETTINGS && it.flags & ACK == 0 {
            self.send(&frame(SETTINGS, ACK, 0, &[])).await;
        }
    }

    /// The status of a stream's answer, whose body is left unread. None: the connection was ended instead.
    pub(crate) async fn head(&mut self, stream: u32) -> Option<u16> {
        loop {
            let frame = self.next().await?;
            if (frame.kind, frame.stream) == (HEADERS, stream) {
                return status_of(&frame.payload);
            }
        }
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
            if ends(&frame, stream) {
                return status;
            }
        }
    }

    /// What a stream's request gets.
    pub(crate) async fn answer(&mut self, stream: u32) -> Got {
        let mut got = Got::default();
        while let Some(frame) = self.next().await {
            match frame.kind {
                GOAWAY => got.ended_by = Some(GOAWAY),
                RST_STREAM if frame.stream == stream => {
                    got.ended_by = Some(RST_STREAM);
                    break;
                }
                DATA if frame.stream == stream => {
                    got.body.push_str(&String::from_utf8_lossy(&frame.payload));
                }
                _ => {}
            }
            if ends(&frame, stream) {
                break;
            }
        }
        got
    }

    pub(crate) async fn closes_within(&mut self, longest: Duration) -> bool {
        let closing = async { while self.read_on().await.is_some() {} };
        timeout(longest, closing).await.is_ok()
    }
}

/// Whether the answer on `stream` is whole with this frame.
fn ends(frame: &Frame, stream: u32) -> bool {
    frame.stream == stream && matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM != 0
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
