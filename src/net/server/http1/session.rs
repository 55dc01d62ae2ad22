//! What a caller's HTTP/1.1 connection does in each stage, and what it does it with.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::{
    method::Method,
    request::parsed_request::RequestParseError,
    response::Response,
    server::{
        connection_control::ConnectionControl,
        connection_timer::ConnectionTimer,
        handler::{ConnectionEnd, Handler, ResponseFuture, ServerOptions},
        head_reservation::HeadReservation,
        timeouts::ConnectionWait,
    },
};

use super::{
    request_body_reader::{DISCARDED_BYTES_MAX, DiscardResult, RequestBodyReader},
    request_head::{self, Http1RequestHead},
    response_writer::{FillResult, ResponseContext, ResponseWriter},
    stage::{Stage, Step},
    write_buffer::WriteBuffer,
};

/// Bytes read at once. One buffer for each thread: a connection that waits needs none.
const READ_BYTES: usize = 64 * 1024;
/// Most that a caller may send after a request before its response, in bytes. More stays with the kernel.
const PIPELINED_BYTES_MAX: usize = 64 * 1024;
/// Most that is read and dropped in a lingering close, in bytes.
const LINGER_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Sent to a caller that waits for it, or to find out whether a caller is still there: whoever has not asked for it reads on
/// (RFC 9110 section 15.2.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

thread_local! {
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// What outlives a stage.
pub(super) struct Session<S, H: Handler> {
    socket: S,
    handler: H,
    head_bytes_max: usize,
    control: Arc<ConnectionControl>,
    timer: ConnectionTimer,
    /// What has come and is not used yet.
    read_buffer: BytesMut,
    /// So many bytes of it were searched and hold no complete head.
    scanned: usize,
    /// What is still to come of the body of the request under way.
    request_body: RequestBodyReader,
    write_buffer: WriteBuffer,
    response_context: ResponseContext,
    /// Counts requests that began and bytes that were written.
    progress: u64,
    /// The caller does not take what we write.
    is_write_blocked: bool,
    /// Of the memory for incomplete heads.
    head_reservation: HeadReservation,
    /// The request under way ends with its caller: it is a read, or not known.
    ends_with_caller: bool,
    half_close: HalfClose,
}

/// What is known of a caller's side of the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HalfClose {
    /// Open.
    No,
    /// The caller has ended it: it sends nothing more, and reads on, or has gone. So often it was probed for.
    Yes { probes: u32 },
}

impl<S, H> Session<S, H>
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    pub(super) fn new(
        socket: S,
        handler: H,
        control: Arc<ConnectionControl>,
        options: ServerOptions,
    ) -> Self {
        Self {
            socket,
            handler,
            head_bytes_max: options.head_bytes_max,
            control,
            timer: ConnectionTimer::new(options.timeouts),
            read_buffer: BytesMut::new(),
            scanned: 0,
            request_body: RequestBodyReader::empty(),
            write_buffer: WriteBuffer::default(),
            response_context: ResponseContext {
                is_head: false,
                is_http11: true,
                keep_alive: true,
            },
            progress: 0,
            is_write_blocked: false,
            head_reservation: HeadReservation::default(),
            ends_with_caller: true,
            half_close: HalfClose::No,
        }
    }

    /// How the connection ends, if it has waited for too long in this stage. To be asked whenever nothing can be done.
    pub(super) fn timeout(
        &mut self,
        stage: &Stage<H::Body>,
        cx: &mut Context<'_>,
    ) -> Option<ConnectionEnd> {
        let waiting = self.current_wait(stage);
        if !self.timer.is_expired(waiting, self.progress, cx) {
            return None;
        }
        match waiting {
            ConnectionWait::HalfClosedProbe => {
                // A caller that is still there is waited for anew.
                let has_ended =
                    self.is_caller_gone(cx) || self.timer.is_expired(waiting, self.progress, cx);
                has_ended.then_some(ConnectionEnd::Broken)
            }
            ConnectionWait::HalfClosed => Some(ConnectionEnd::Broken),
            _ => Some(ConnectionEnd::TimedOut),
        }
    }

    fn is_half_closed(&self) -> bool {
        self.half_close != HalfClose::No
    }

    /// A caller that has ended its side may have ended the other one as well: only what is sent to it tells, when it is refused
    /// and the next write fails. Probes come at doubling distances.
    fn is_caller_gone(&mut self, cx: &mut Context<'_>) -> bool {
        let HalfClose::Yes { probes } = &mut self.half_close else {
            return false;
        };
        *probes += 1;
        self.progress += 1;
        if !probes.is_power_of_two() {
            return false;
        }
        self.write_buffer.push(Bytes::from_static(CONTINUE));
        matches!(self.poll_write(cx), Poll::Ready(Err(_)))
    }

    fn current_wait(&self, stage: &Stage<H::Body>) -> ConnectionWait {
        if self.is_write_blocked {
            return ConnectionWait::Write;
        }
        match stage {
            Stage::Head if !self.read_buffer.is_empty() => ConnectionWait::Head,
            Stage::Head if self.control.is_authenticated() => ConnectionWait::Idle,
            Stage::Head => ConnectionWait::UnauthenticatedIdle,
            Stage::Discarding { .. } => ConnectionWait::Head,
            Stage::Lingering { .. } => ConnectionWait::Linger,
            Stage::Handling(_) if self.is_half_closed() && self.ends_with_caller => {
                if self.response_context.is_http11 {
                    ConnectionWait::HalfClosedProbe
                } else {
                    ConnectionWait::HalfClosed
                }
            }
            Stage::Sending(_) if self.is_half_closed() => ConnectionWait::HalfClosed,
            Stage::Handling(_) | Stage::Sending(_) => ConnectionWait::InHandler,
        }
    }

    // === A head

    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Step<H::Body>> {
        loop {
            if self.scanned == 0 {
                // RFC 9112 section 2.2: some callers send an empty line after a body.
                while self.read_buffer.starts_with(b"\r\n") {
                    self.read_buffer.advance(2);
                    if self.read_buffer.is_empty() {
                        self.read_buffer = BytesMut::new();
                    }
                }
            }
            // A lone CR may become an empty line.
            let is_to_be_looked_at =
                self.read_buffer.len() > self.scanned && *self.read_buffer != *b"\r";
            if is_to_be_looked_at && let Some(stage) = self.begin_if_head_complete() {
                return Poll::Ready(Step::Enter(stage));
            }
            let read = match self.poll_read(cx) {
                Poll::Ready(read) => read,
                Poll::Pending
                    if self.read_buffer.is_empty() && self.control.is_shutdown_requested(cx) =>
                {
                    let _ = Pin::new(&mut self.socket).poll_shutdown(cx);
                    return Poll::Ready(Step::End(ConnectionEnd::Closed));
                }
                Poll::Pending if self.reserve_partial_head(cx) => return Poll::Pending,
                Poll::Pending => {
                    let stage = self.reject(request_head::incomplete_error(&self.read_buffer));
                    return Poll::Ready(Step::Enter(stage));
                }
            };
            match read {
                Ok(0) if self.read_buffer.is_empty() => {
                    return Poll::Ready(Step::End(ConnectionEnd::Closed));
                }
                Ok(0) | Err(_) => return Poll::Ready(Step::End(ConnectionEnd::Broken)),
                Ok(_) => {}
            }
        }
    }

    /// Hands what has come to the handler, if that is a complete head or can never become one.
    fn begin_if_head_complete(&mut self) -> Option<Stage<H::Body>> {
        let head = match request_head::find_end(&self.read_buffer, self.scanned) {
            Some(length) if length <= self.head_bytes_max => {
                request_head::parse_head(&request_head::split_head(&mut self.read_buffer, length))
            }
            None if self.read_buffer.len() <= self.head_bytes_max => {
                let new = self.read_buffer.get(self.scanned..).unwrap_or_default();
                // A head that comes byte by byte is parsed once a line, not once a byte.
                let is_worth_it = self.scanned == 0 || new.contains(&b'\n');
                self.scanned = self.read_buffer.len();
                match is_worth_it.then(|| request_head::check_partial(&self.read_buffer)) {
                    Some(Err(error)) => Err(error),
                    Some(Ok(())) | None => return None,
                }
            }
            _ => Err(request_head::too_large_error(&self.read_buffer)),
        };
        Some(match head {
            Ok(head) => self.begin_request(head),
            Err(error) => self.reject(error),
        })
    }

    /// Whether the incomplete head may stay in memory while more is waited for.
    fn reserve_partial_head(&mut self, cx: &Context<'_>) -> bool {
        if self.read_buffer.is_empty() {
            return true;
        }
        if !self.head_reservation.is_reserved() {
            // Drops what was read before it, and room that it may never need.
            self.read_buffer = BytesMut::from(&*self.read_buffer);
        }
        self.head_reservation
            .reserve(self.read_buffer.capacity(), cx.waker())
    }

    fn finish_head(&mut self) {
        self.head_reservation.release();
        self.scanned = 0;
        self.progress += 1;
    }

    /// Hands malformed bytes to the handler. Nothing that follows them is read.
    fn reject(&mut self, error: RequestParseError) -> Stage<H::Body> {
        self.finish_head();
        self.read_buffer = BytesMut::new();
        self.response_context = ResponseContext {
            is_head: false,
            is_http11: true,
            keep_alive: false,
        };
        self.request_body = RequestBodyReader::broken();
        self.ends_with_caller = true;
        Stage::Handling(self.handler.handle(Err(error)))
    }

    fn begin_request(&mut self, head: Http1RequestHead) -> Stage<H::Body> {
        self.finish_head();
        let Http1RequestHead {
            head: request,
            framing,
            expects_continue,
            keep_alive,
            is_http11,
        } = head;
        self.ends_with_caller = matches!(request.method, None | Some(Method::Get | Method::Head));
        self.response_context = ResponseContext {
            is_head: request.method == Some(Method::Head),
            is_http11,
            keep_alive,
        };
        let (reader, body) =
            RequestBodyReader::begin(framing, expects_continue, &mut self.read_buffer);
        self.request_body = reader;
        Stage::Handling(self.handler.handle(Ok((request, body))))
    }

    // === A response

    pub(super) fn poll_handler(
        &mut self,
        response_future: &mut ResponseFuture<H::Body>,
        cx: &mut Context<'_>,
    ) -> Poll<Step<H::Body>> {
        if let Poll::Ready(response) = response_future.as_mut().poll(cx) {
            return Poll::Ready(Step::Enter(self.begin_response(response, cx)));
        }
        self.poll_caller(cx).map(Step::End)
    }

    /// While a request is handled: passes its body on, and notices when the caller hangs up. Ready only when the connection
    /// has ended; the handler's wakers bring the other progress. The order carries weight:
    ///
    /// 1. `100 Continue` is queued before anything is written, so that the write below sends it.
    /// 2. What is queued is written before anything is read: while the caller takes nothing, reading on would fill our memory
    ///    at its pace, and `is_write_blocked` must be known to whoever judges the wait.
    /// 3. The body is fed before the socket is read: the handler's demand decides whether more may be read at all. If it wants
    ///    nothing now, this is pending, and the socket is left to the kernel, which slows the caller down. With no body to
    ///    feed it is ready, and reading goes on for the sake of the end of the stream.
    /// 4. A caller that has ended its side after a whole request is not read any more: it gets its answer (RFC 9112 section 9.6
    ///    lets it). One that ends in the middle of a body has given up.
    /// 5. The limit on pipelined bytes is checked last before the read, since feeding made room. Beyond it a hang-up goes
    ///    unnoticed until the response is written; the handler wakes us for that.
    fn poll_caller(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionEnd> {
        loop {
            if self
                .request_body
                .should_send_continue(!self.read_buffer.is_empty(), cx)
            {
                self.write_buffer.push(Bytes::from_static(CONTINUE));
            }
            let has_to_write = self.is_write_blocked || !self.write_buffer.is_empty();
            if has_to_write && ready!(self.poll_write(cx)).is_err() {
                return Poll::Ready(ConnectionEnd::Broken);
            }
            ready!(self.request_body.poll_feed(&mut self.read_buffer, cx));
            if self.is_half_closed() || self.read_buffer.len() >= PIPELINED_BYTES_MAX {
                return Poll::Pending;
            }
            match ready!(self.poll_read(cx)) {
                Ok(1..) => {}
                read if is_end(&read) && !self.request_body.is_wanted() => {
                    self.half_close = HalfClose::Yes { probes: 0 };
                }
                _ => return Poll::Ready(ConnectionEnd::Broken),
            }
        }
    }

    fn begin_response(&mut self, response: Response<H::Body>, cx: &Context<'_>) -> Stage<H::Body> {
        let is_last = self.is_half_closed() && self.read_buffer.is_empty();
        if self.control.is_shutdown_requested(cx)
            || self.request_body.prevents_keep_alive()
            || is_last
        {
            self.response_context.keep_alive = false;
        }
        self.request_body.response_started();
        self.timer.begin_response();
        Stage::Sending(ResponseWriter::begin(
            response,
            &mut self.response_context,
            &mut self.write_buffer,
        ))
    }

    pub(super) fn poll_response(
        &mut self,
        writer: &mut ResponseWriter<H::Body>,
        cx: &mut Context<'_>,
    ) -> Poll<Step<H::Body>> {
        let filled = writer.fill(cx, &mut self.write_buffer);
        if ready!(self.poll_write(cx)).is_err() {
            return Poll::Ready(Step::End(ConnectionEnd::Broken));
        }
        match filled {
            FillResult::Complete => Poll::Ready(Step::Enter(self.finish_request())),
            FillResult::BufferFull => Poll::Ready(Step::Stay),
            FillResult::Aborted => Poll::Ready(Step::End(ConnectionEnd::Broken)),
            FillResult::Pending => self.poll_caller(cx).map(Step::End),
        }
    }

    /// The response is written. What is left of the request's body decides how the connection goes on.
    fn finish_request(&mut self) -> Stage<H::Body> {
        self.write_buffer.release();
        self.request_body.abandon();
        if !self.response_context.keep_alive {
            self.begin_lingering_close()
        } else if self.request_body.is_done() {
            self.await_request()
        } else {
            Stage::Discarding {
                left: DISCARDED_BYTES_MAX,
            }
        }
    }

    fn await_request(&mut self) -> Stage<H::Body> {
        if self.read_buffer.is_empty() {
            self.read_buffer = BytesMut::new();
        }
        Stage::Head
    }

    /// Begins the lingering close: if bytes of the caller's found nobody, the kernel would reset the connection before the
    /// response is read (RFC 9112 section 9.6).
    fn begin_lingering_close(&mut self) -> Stage<H::Body> {
        self.read_buffer = BytesMut::new();
        Stage::Lingering {
            left: LINGER_BYTES_MAX,
            is_shut: false,
        }
    }

    // === Bytes that nobody wants

    pub(super) fn poll_discarding(
        &mut self,
        left: &mut u64,
        cx: &mut Context<'_>,
    ) -> Poll<Step<H::Body>> {
        Poll::Ready(
            match self.request_body.discard(&mut self.read_buffer, left) {
                DiscardResult::Complete => Step::Enter(self.await_request()),
                DiscardResult::LimitExceeded => Step::Enter(self.begin_lingering_close()),
                DiscardResult::NeedMore => match ready!(self.poll_read(cx)) {
                    Ok(0) | Err(_) => Step::End(ConnectionEnd::Closed),
                    Ok(_) => Step::Stay,
                },
            },
        )
    }

    pub(super) fn poll_lingering_close(
        &mut self,
        left: &mut u64,
        is_shut: &mut bool,
        cx: &mut Context<'_>,
    ) -> Poll<Step<H::Body>> {
        if !*is_shut {
            // An error changes nothing: the connection ends either way.
            *is_shut = Pin::new(&mut self.socket).poll_shutdown(cx).is_ready();
        }
        let read = ready!(self.poll_read_and_discard(cx)).unwrap_or_default() as u64;
        *left = left.saturating_sub(read);
        Poll::Ready(if read == 0 || *left == 0 {
            Step::End(ConnectionEnd::Closed)
        } else {
            Step::Stay
        })
    }

    // === The socket

    /// Reads what has come and keeps nothing of it; 0 at the end.
    fn poll_read_and_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        READ.with_borrow_mut(|room| {
            let mut room = ReadBuf::new(room);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut room))?;
            Poll::Ready(Ok(room.filled().len()))
        })
    }

    /// Appends what has come to what was read; 0 at the end.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        READ.with_borrow_mut(|room| {
            let mut room = ReadBuf::new(room);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut room))?;
            self.read_buffer.extend_from_slice(room.filled());
            Poll::Ready(Ok(room.filled().len()))
        })
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self
            .write_buffer
            .poll_write(&mut self.socket, cx, &mut self.progress);
        self.is_write_blocked = polled.is_pending();
        polled
    }
}

/// Whether the caller has ended its side. Over TLS some do so without saying goodbye; where a request ends, its framing has told.
fn is_end(read: &io::Result<usize>) -> bool {
    match read {
        Ok(length) => *length == 0,
        Err(error) => error.kind() == io::ErrorKind::UnexpectedEof,
    }
}
