//! HTTP/2 by hand: frames that no library would send.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use super::proxy::Proxy;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const GOAWAY: u8 = 7;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// A caller's connection.
pub(crate) struct Connection {
    pub(crate) socket: TcpStream,
    read: Vec<u8>,
}

/// What a request got: nothing of a body if its stream or connection was ended instead.
#[derive(Debug, Default)]
pub(crate) struct Got {
    pub(crate) body: String,
    pub(crate) ended_by: Option<u8>,
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A header block without compression; texts are shorter than 16 KiB.
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            match text.len().checked_sub(127) {
                None => bytes.push(u8::try_from(text.len()).unwrap()),
                Some(rest) => {
                    let (low, high) = (rest % 128, rest / 128);
                    let low = u8::try_from(low).unwrap() | 0x80;
                    bytes.extend([127, low, u8::try_from(high).unwrap()]);
                }
            }
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    bytes
}

impl Connection {
    pub(crate) fn open(proxy: &Proxy) -> Self {
        let mut it = Self {
            socket: proxy.connect(),
            read: Vec::new(),
        };
        it.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        it.send(&frame(SETTINGS, 0, 0, &[]));
        it
    }

    /// The other end may have closed: that shows when it is read from.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes);
    }

    /// Kind, flags, stream and payload.
    fn next(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        loop {
            if let [high, middle, low, kind, flags, s1, s2, s3, s4, ..] = self.read[..] {
                let length = u32::from_be_bytes([0, high, middle, low]) as usize;
                if self.read.len() >= 9 + length {
                    let payload = self.read.drain(..9 + length).skip(9).collect();
                    return Some((kind, flags, u32::from_be_bytes([s1, s2, s3, s4]), payload));
                }
            }
            let mut buffer = [0; 16 * 1024];
            let length = self.socket.read(&mut buffer).ok().filter(|it| *it > 0)?;
            self.read.extend_from_slice(&buffer[..length]);
        }
    }

    /// What the stream's request gets.
    pub(crate) fn answer(&mut self, wanted: u32) -> Got {
        let mut got = Got::default();
        let mut is_over = false;
        while !is_over {
            let Some((kind, flags, stream, payload)) = self.next() else {
                return got;
            };
            let is_ours = stream == wanted;
            match kind {
                GOAWAY => got.ended_by = Some(GOAWAY),
                RST_STREAM if is_ours => {
                    got.ended_by = Some(RST_STREAM);
                    return got;
                }
                DATA if is_ours => got.body.push_str(&String::from_utf8_lossy(&payload)),
                _ => {}
            }
            is_over = is_ours && matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0;
        }
        got
    }
}
