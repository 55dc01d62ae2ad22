//! Connections that are accepted together in a flood, those first whose request is already there.

use std::{collections::VecDeque, io};

/// Most connections that are accepted together.
const ACCEPT_BATCH_MAX: usize = 1024;
/// How many bytes of what has come are searched for the end of a head.
const PEEKED_BYTES: usize = 1024;
const HEAD_END: &[u8] = b"\r\n\r\n";

/// Connections that were accepted together. In a flood the kernel queues thousands of them, and a probe among them must not
/// wait until each has been served: those that would be closed at once as the oldest are not served at all, and those whose
/// head has come are served first.
#[derive(Default)]
pub(in crate::net) struct AcceptBatch {
    /// Those whose head has come.
    pub(in crate::net) ready: Vec<std::net::TcpStream>,
    /// The newest of those whose head has not come yet.
    pub(in crate::net) waiting: VecDeque<std::net::TcpStream>,
    /// Accepting failed, such as for want of file descriptors.
    pub(in crate::net) has_failed: bool,
}

impl AcceptBatch {
    /// `first`, and what waits behind it in `queue`.
    pub(in crate::net) fn collect(
        first: io::Result<std::net::TcpStream>,
        queue: &std::net::TcpListener,
        waiting_max: usize,
    ) -> Self {
        let mut batch = Self::default();
        let mut may_continue = batch.add(first, waiting_max);
        for _ in 1..ACCEPT_BATCH_MAX {
            if !may_continue {
                break;
            }
            may_continue = batch.add(queue.accept().map(|(stream, _)| stream), waiting_max);
        }
        batch
    }

    /// False when accepting more makes no sense.
    fn add(&mut self, accepted: io::Result<std::net::TcpStream>, waiting_max: usize) -> bool {
        match accepted.map_err(|error| error.kind()) {
            Ok(stream) => self.push(stream, waiting_max),
            Err(io::ErrorKind::WouldBlock) => return false,
            Err(io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted) => {}
            Err(_) => {
                self.has_failed = true;
                return false;
            }
        }
        true
    }

    fn push(&mut self, stream: std::net::TcpStream, waiting_max: usize) {
        // Accepted sockets do not have it from their listener.
        if stream.set_nonblocking(true).is_err() {
            return;
        }
        if has_sent_head(&stream) {
            self.ready.push(stream);
            return;
        }
        if self.waiting.len() >= waiting_max {
            self.waiting.pop_front();
        }
        self.waiting.push_back(stream);
    }
}

/// Whether a complete head, of a usual length, has come already.
fn has_sent_head(stream: &std::net::TcpStream) -> bool {
    let mut room = [0; PEEKED_BYTES];
    match stream.peek(&mut room) {
        Ok(length) => {
            let peeked = room.get(..length).unwrap_or_default();
            peeked.windows(HEAD_END.len()).any(|it| it == HEAD_END)
        }
        Err(_) => false,
    }
}
