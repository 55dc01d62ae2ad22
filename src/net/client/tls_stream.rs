//! TLS towards a server, with as few copies as the TLS library allows: what comes is read into one buffer of the thread and
//! decrypted there, so that an idle connection holds none, and a busy one finds it warm in the cache.
//!
//! A stream is in one of five states. *Handshaking*: only inside [`TlsStream::connect`], which returns nothing else than a
//! stream past it. *Open*: both sides may send; within it the stream is *settled* while `partial_record` holds no beginning
//! of a record and `write_buffer` no unwritten record, and only a settled stream may idle and be used again. *Over*
//! (`is_peer_closed`): the server has sent `close_notify`, so nothing more comes. *Broken* (`is_broken`): what came is not
//! TLS, failed authentication, or was unsolicited; the library must not be asked again, reads and writes fail, and only
//! `write_buffer` may still be flushed. *Closed*: after [`TlsStream::close`], which sends our `close_notify` and shuts the
//! socket down; the stream is about to be dropped. Nothing leads back to an earlier state. The end of the socket without
//! `close_notify` is an error of the read that meets it, not a state (RFC 8446 section 6.1).

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use bytes::BytesMut;
use rustix::{
    io::Errno,
    net::{RecvFlags, recv},
};
use rustls::{
    ClientConfig,
    client::UnbufferedClientConnection,
    unbuffered::{
        ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic,
    },
};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// A full record on the wire, in bytes, as most servers send long responses (RFC 8446 section 5.1).
const FULL_RECORD_BYTES: usize = 5 + RECORD_BYTES + 1 + 16;
/// Bytes read at once: whole records, where they are full.
const READ_BYTES: usize = 4 * FULL_RECORD_BYTES;
/// Most that is kept for the next read, in bytes: part of a record, or of a handshake message, which the library bounds at
/// 64 KiB.
const PARTIAL_RECORD_BYTES_MAX: usize = 72 * 1024;
/// Most that is encrypted at once, in bytes.
const WRITE_BYTES_MAX: usize = 64 * 1024;
/// What a record may add to its content, at most (RFC 8446 section 5.2).
const RECORD_OVERHEAD_BYTES: usize = 5 + 256;
const RECORD_BYTES: usize = 16 * 1024;
/// How often an idle connection is read until nothing more comes; one that goes on is not idle.
const IDLE_READS_MAX: u32 = 4;
/// Write buffer that an idle connection keeps, in bytes.
const IDLE_BUFFER_BYTES_MAX: usize = 4 * 1024;

thread_local! {
    static READ: RefCell<Box<[u8]>> =
        RefCell::new(vec![0; READ_BYTES + PARTIAL_RECORD_BYTES_MAX].into_boxed_slice());
}

/// A connection to a server whose certificate was verified.
pub struct TlsStream {
    socket: TcpStream,
    session: UnbufferedClientConnection,
    /// The beginning of a record whose rest has not come.
    partial_record: Vec<u8>,
    /// Records that wait to be written, and how much of them was.
    write_buffer: Vec<u8>,
    written: usize,
    /// The server has sent `close_notify`.
    is_peer_closed: bool,
    /// What came is not TLS, or failed authentication: the library must not be asked again.
    is_broken: bool,
}

impl TlsStream {
    /// Does the handshake. Returns, beside the stream, what the server has sent already: over HTTP/2 it may speak first.
    ///
    /// # Errors
    /// The connection broke, or the server's certificate is not trusted: then the error's source is the TLS library's.
    pub async fn connect(
        socket: TcpStream,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<(Box<Self>, BytesMut)> {
        let session = UnbufferedClientConnection::new(config, name).map_err(invalid_data)?;
        let mut stream = Box::new(Self {
            socket,
            session,
            partial_record: Vec::new(),
            write_buffer: Vec::new(),
            written: 0,
            is_peer_closed: false,
            is_broken: false,
        });
        // The client speaks first.
        stream.process(&mut [], |_, _| {})?;
        let mut plain = BytesMut::new();
        poll_fn(|cx| stream.poll_handshake(cx, &mut plain)).await?;
        Ok((stream, plain))
    }

    fn poll_handshake(
        &mut self,
        cx: &mut Context<'_>,
        plain: &mut BytesMut,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_flush(cx))?;
            if !self.session.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_records(cx, |data, _| plain.extend_from_slice(data)))?;
            if self.is_peer_closed {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// The protocol that was agreed on (RFC 7301).
    #[must_use]
    pub fn protocol(&self) -> Option<&[u8]> {
        self.session.alpn_protocol()
    }

    /// Appends what has come to `plain`; 0 at the end.
    ///
    /// # Errors
    /// The connection broke, or ended without `close_notify`: then what came may be incomplete (RFC 8446 section 6.1).
    pub fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        plain: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        self.poll_decrypted(cx, |data, more| {
            if plain.capacity() - plain.len() < data.len() {
                plain.reserve(data.len() + more);
            }
            plain.extend_from_slice(data);
        })
    }

    /// Hands what has come to `take`, record by record, with about how many bytes follow at once; returns how many came, 0 at
    /// the end.
    pub(in crate::net) fn poll_decrypted(
        &mut self,
        cx: &mut Context<'_>,
        mut take: impl FnMut(&[u8], usize),
    ) -> Poll<io::Result<usize>> {
        let mut taken = 0;
        if self.is_broken {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        while taken == 0 && !self.is_peer_closed {
            ready!(self.poll_records(cx, |data, more| {
                taken += data.len();
                take(data, more);
            }))?;
            // What the library sends in response leaves now, or with what is written next. A server that takes no more may
            // have responded already: the next write finds out.
            let _ = self.poll_flush(cx);
        }
        Poll::Ready(Ok(taken))
    }

    /// Whether no part of a record or handshake message is kept, everything has been written, and neither side has ended the
    /// stream.
    #[must_use]
    pub fn has_no_pending_data(&self) -> bool {
        self.partial_record.is_empty()
            && self.written == self.write_buffer.len()
            && !self.is_peer_closed
            && !self.is_broken
    }

    /// Whether no bytes are left in any layer, the kernel's included. Complete session tickets and key updates are processed
    /// (RFC 8446 sections 4.6.1 and 4.6.3): they carry no data. Half of one may be half of anything. If false, the stream must
    /// be closed.
    #[must_use]
    pub fn is_reusable(&mut self, cx: &mut Context<'_>) -> bool {
        for _ in 0..IDLE_READS_MAX {
            if !self.has_no_pending_data() {
                return false;
            }
            match self.read_unsolicited() {
                // A response, such as to a key update: with a full socket it waits for the next request.
                Ok(true) => {
                    let _ = self.poll_flush(cx);
                }
                Ok(false) => return true,
                Err(_) => {
                    self.is_broken = true;
                    return false;
                }
            }
        }
        false
    }

    /// Reads what the kernel holds, without the runtime, which learns of it only when it polls next. True if there was
    /// anything.
    ///
    /// # Errors
    /// The end of the stream, or anything but complete records without data.
    fn read_unsolicited(&mut self) -> io::Result<bool> {
        READ.with_borrow_mut(|room| {
            let came = match recv(&self.socket, &mut **room, RecvFlags::DONTWAIT) {
                Err(Errno::AGAIN) => return Ok(false),
                Err(error) => return Err(error.into()),
                Ok((came, _)) => came,
            };
            let mut plain = 0;
            let all = room.get_mut(..came).unwrap_or_default();
            let used = self.process(all, |data, _| plain += data.len())?;
            if came == 0 || plain > 0 || used < came {
                return Err(io::ErrorKind::InvalidData.into());
            }
            Ok(true)
        })
    }

    /// Reads once, and decrypts the complete records.
    fn poll_records(
        &mut self,
        cx: &mut Context<'_>,
        take: impl FnMut(&[u8], usize),
    ) -> Poll<io::Result<()>> {
        READ.with_borrow_mut(|room| {
            let kept = self.partial_record.len();
            if kept > PARTIAL_RECORD_BYTES_MAX {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            let (front, free) = room.split_at_mut(kept);
            front.copy_from_slice(&self.partial_record);
            let free = free.get_mut(..self.readable()).unwrap_or_default();
            let mut free = ReadBuf::new(free);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut free))?;
            let came = free.filled().len();
            if came == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            let all = room.get_mut(..kept + came).unwrap_or_default();
            let used = self.process(all, take)?;
            let rest = all.get(used..).unwrap_or_default();
            if rest.is_empty() {
                self.partial_record = Vec::new();
            } else {
                self.partial_record.clear();
                self.partial_record.extend_from_slice(rest);
            }
            Poll::Ready(Ok(()))
        })
    }

    /// How much to read, so that a long response is cut at the end of a record: part of one has to be copied.
    fn readable(&self) -> usize {
        let missing = match self.partial_record.as_slice() {
            [_, _, _, high, low, content @ ..] => {
                usize::from(u16::from_be_bytes([*high, *low])).saturating_sub(content.len())
            }
            _ => 0,
        };
        missing + READ_BYTES.saturating_sub(missing) / FULL_RECORD_BYTES * FULL_RECORD_BYTES
    }

    /// Lets the library process records at the front of `incoming`; returns how many bytes it has used.
    fn process(
        &mut self,
        incoming: &mut [u8],
        mut take: impl FnMut(&[u8], usize),
    ) -> io::Result<usize> {
        let mut used = 0;
        loop {
            let rest = incoming.get_mut(used..).unwrap_or_default();
            let length = rest.len();
            let UnbufferedStatus { mut discard, state } = self.session.process_tls_records(rest);
            let is_settled = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(invalid_data)?;
                        discard += record.discard;
                        take(record.payload, length.saturating_sub(discard));
                    }
                    false
                }
                Ok(ConnectionState::EncodeTlsData(data)) => {
                    encode(data, &mut self.write_buffer)?;
                    false
                }
                // What was encoded is written before anything that comes later.
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    false
                }
                Ok(ConnectionState::PeerClosed) => {
                    self.is_peer_closed = true;
                    false
                }
                Ok(_) => true,
                Err(error) => {
                    self.is_broken = true;
                    return Err(invalid_data(error));
                }
            };
            used += discard;
            if is_settled {
                return Ok(used);
            }
        }
    }

    /// Encrypts and writes; what could not be written is kept for the next call or flush.
    ///
    /// # Errors
    /// The server takes no more.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_flush(cx))?;
        if self.is_broken {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let bytes = bytes.get(..WRITE_BYTES_MAX).unwrap_or(bytes);
        // All that can be processed of `partial_record` was processed when it was read; the library wants to see the rest
        // each time.
        match self
            .session
            .process_tls_records(&mut self.partial_record)
            .state
        {
            Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                encrypt(&mut traffic, bytes, &mut self.write_buffer)?;
            }
            Ok(_) => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Err(error) => {
                self.is_broken = true;
                return Poll::Ready(Err(invalid_data(error)));
            }
        }
        // The bytes are accepted; when they leave is a matter of flushing.
        let _ = self.poll_flush(cx)?;
        Poll::Ready(Ok(bytes.len()))
    }

    /// Writes the encrypted records.
    ///
    /// # Errors
    /// The server takes no more.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.write_buffer.get(self.written..)
            && !rest.is_empty()
        {
            match ready!(Pin::new(&mut self.socket).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                length => self.written += length,
            }
        }
        self.write_buffer.clear();
        self.write_buffer.shrink_to(IDLE_BUFFER_BYTES_MAX);
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    /// Sends `close_notify`, as far as that can be done without waiting (RFC 8446 section 6.1), and shuts the socket down.
    pub fn close(&mut self) {
        if !self.is_broken
            && let Ok(ConnectionState::WriteTraffic(mut traffic)) = self
                .session
                .process_tls_records(&mut self.partial_record)
                .state
        {
            let start = self.write_buffer.len();
            self.write_buffer.resize(start + RECORD_OVERHEAD_BYTES, 0);
            let room = self.write_buffer.get_mut(start..).unwrap_or_default();
            let length = traffic.queue_close_notify(room).unwrap_or_default();
            self.write_buffer.truncate(start + length);
        }
        let cx = &mut Context::from_waker(Waker::noop());
        // An error changes nothing: the connection ends either way.
        let _ = self.poll_flush(cx);
        let _ = Pin::new(&mut self.socket).poll_shutdown(cx);
    }
}

fn encode<Data>(mut data: EncodeTlsData<'_, Data>, out: &mut Vec<u8>) -> io::Result<()> {
    let start = out.len();
    let mut room = RECORD_OVERHEAD_BYTES;
    loop {
        out.resize(start + room, 0);
        match data.encode(out.get_mut(start..).unwrap_or_default()) {
            Ok(length) => {
                out.truncate(start + length);
                return Ok(());
            }
            Err(EncodeError::InsufficientSize(error)) if error.required_size > room => {
                room = error.required_size;
            }
            Err(error) => return Err(invalid_data(error)),
        }
    }
}

fn encrypt<Data>(
    traffic: &mut WriteTraffic<'_, Data>,
    bytes: &[u8],
    out: &mut Vec<u8>,
) -> io::Result<()> {
    let start = out.len();
    let records = bytes.len() / RECORD_BYTES + 1;
    let mut room = bytes.len() + records * RECORD_OVERHEAD_BYTES;
    loop {
        out.resize(start + room, 0);
        match traffic.encrypt(bytes, out.get_mut(start..).unwrap_or_default()) {
            Ok(length) => {
                out.truncate(start + length);
                return Ok(());
            }
            Err(EncryptError::InsufficientSize(error)) if error.required_size > room => {
                room = error.required_size;
            }
            Err(error) => return Err(invalid_data(error)),
        }
    }
}

fn invalid_data(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
