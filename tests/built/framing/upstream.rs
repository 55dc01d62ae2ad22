//! A server that sends exactly what a test wants, in records cut where the test wants; no library's server would.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustls::{ServerConnection, SupportedProtocolVersion};

use crate::{
    authority::Authority,
    frames::{ACK, Frame, HEADERS, PREFACE, SETTINGS, frame},
    wait::WAIT_MAX,
};

const TOKEN: &str = r#"{"access_token":"wire-token","token_type":"Bearer","expires_in":3600}"#;

/// Its listener lives as long as the test's process.
pub(crate) struct Upstream {
    address: SocketAddr,
    authority: Option<Authority>,
    /// Connections that API requests came on.
    connections: Arc<AtomicUsize>,
}

/// One connection.
pub(crate) struct Peer {
    socket: TcpStream,
    tls: Option<ServerConnection>,
    read: Vec<u8>,
    /// What is to be sent before the next answer.
    pub(crate) rest: Vec<u8>,
    /// Of the HTTP/2 request that came last.
    pub(crate) stream: u32,
}

impl Upstream {
    /// `answer` is called with each API request's number, over all connections.
    pub(crate) fn start<F>(
        tls: Option<&'static SupportedProtocolVersion>,
        alpn: &[&str],
        answer: F,
    ) -> Self
    where
        F: Fn(&mut Peer, usize) + Send + Sync + 'static,
    {
        let authority = tls.map(|_| Authority::new());
        let certify =
            |(version, it): (_, &Authority)| it.certify_for("localhost", alpn, &[version]);
        let config = tls.zip(authority.as_ref()).map(certify);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&connections);
        let (answer, requests) = (Arc::new(answer), Arc::<AtomicUsize>::default());
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let (socket, config) = (socket.unwrap(), config.clone());
                let (answer, counted) = (Arc::clone(&answer), Arc::clone(&counted));
                let requests = Arc::clone(&requests);
                std::thread::spawn(move || {
                    socket.set_nodelay(true).unwrap();
                    let tls = config.map(|it| ServerConnection::new(it).unwrap());
                    let peer = Peer {
                        socket,
                        tls,
                        read: Vec::new(),
                        rest: Vec::new(),
                        stream: 0,
                    };
                    serve(peer, &counted, |peer| {
                        answer(peer, requests.fetch_add(1, Ordering::SeqCst) + 1);
                    });
                });
            }
        });
        Self {
            address,
            authority,
            connections,
        }
    }

    /// What a tenant says of it.
    pub(crate) fn tenant(&self) -> Vec<(&'static str, String)> {
        let (address, port) = (self.address, self.address.port());
        match &self.authority {
            Some(authority) => vec![
                ("url", format!("\"https://localhost:{port}\"")),
                ("ca", authority.file()),
            ],
            None => vec![("url", format!("\"http://{address}\""))],
        }
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn serve(mut peer: Peer, connections: &AtomicUsize, answer: impl Fn(&mut Peer)) {
    let mut is_counted = false;
    let is_http2 = peer.is_http2();
    loop {
        let has_come = if is_http2 {
            peer.next_headers().is_some()
        } else {
            match peer.next_head() {
                Some(head) if head.contains("/oauth/token") => {
                    peer.say(&ok(TOKEN));
                    continue;
                }
                head => head.is_some(),
            }
        };
        if !has_come {
            return;
        }
        if !is_counted {
            connections.fetch_add(1, Ordering::SeqCst);
            is_counted = true;
        }
        answer(&mut peer);
    }
}

pub(crate) fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

impl Peer {
    pub(crate) fn say(&mut self, text: &str) {
        let record = self.record(text.as_bytes());
        self.send(&record);
    }

    /// What `text` looks like on the wire; to be sent one after the other.
    pub(crate) fn record(&mut self, text: &[u8]) -> Vec<u8> {
        let Some(tls) = &mut self.tls else {
            return text.to_vec();
        };
        tls.writer().write_all(text).unwrap();
        wire(tls)
    }

    /// The record that says that new keys are used (RFC 8446 section 4.6.3).
    pub(crate) fn key_update(&mut self) -> Vec<u8> {
        let tls = self.tls.as_mut().unwrap();
        tls.refresh_traffic_keys().unwrap();
        wire(tls)
    }

    pub(crate) fn close_notify(&mut self) -> Vec<u8> {
        let tls = self.tls.as_mut().unwrap();
        tls.send_close_notify();
        wire(tls)
    }

    /// The other end may have closed: that shows when it is read from.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes);
    }

    fn is_http2(&mut self) -> bool {
        if let Some(tls) = &mut self.tls {
            self.socket.set_read_timeout(Some(WAIT_MAX)).unwrap();
            while tls.is_handshaking() {
                if tls.complete_io(&mut self.socket).is_err() {
                    return false;
                }
            }
        }
        let tls = self.tls.as_ref();
        let is_http2 = tls.is_some_and(|it| it.alpn_protocol() == Some(b"h2"));
        if is_http2 {
            // SETTINGS, and an acknowledgement of those that come.
            let settings = [frame(SETTINGS, 0, 0, &[]), frame(SETTINGS, ACK, 0, &[])].concat();
            let record = self.record(&settings);
            self.send(&record);
        }
        is_http2
    }

    /// False at the end of the connection.
    fn fill(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        let length = match &mut self.tls {
            None => self.socket.read(&mut buffer).unwrap_or_default(),
            Some(tls) => loop {
                match tls.reader().read(&mut buffer) {
                    Ok(length) => break length,
                    Err(_) => match tls.read_tls(&mut self.socket) {
                        Ok(0) | Err(_) => break 0,
                        Ok(_) if tls.process_new_packets().is_err() => break 0,
                        Ok(_) => {}
                    },
                }
            },
        };
        self.read.extend_from_slice(&buffer[..length]);
        length > 0
    }

    /// A request's head; its body is read too.
    fn next_head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.windows(4).position(|it| it == b"\r\n\r\n") {
                let head: Vec<u8> = self.read.drain(..end + 4).collect();
                let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
                let length = head.split("content-length: ").nth(1);
                let length = length.and_then(|it| it.lines().next()?.parse().ok());
                let length: usize = length.unwrap_or_default();
                while self.read.len() < length {
                    if !self.fill() {
                        return None;
                    }
                }
                self.read.drain(..length);
                return Some(head);
            }
            if !self.fill() {
                return None;
            }
        }
    }

    /// The next HEADERS frame; whatever comes before it is passed over.
    fn next_headers(&mut self) -> Option<()> {
        loop {
            if self.read.starts_with(PREFACE) {
                self.read.drain(..PREFACE.len());
            }
            // What has come of a preface is no frame.
            let is_begun = !self.read.starts_with(b"PRI ");
            if let Some(frame) = is_begun.then(|| Frame::take(&mut self.read)).flatten() {
                if frame.kind == HEADERS {
                    self.stream = frame.stream;
                    return Some(());
                }
                continue;
            }
            if !self.fill() {
                return None;
            }
        }
    }
}

fn wire(tls: &mut ServerConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut bytes).unwrap();
    }
    bytes
}
