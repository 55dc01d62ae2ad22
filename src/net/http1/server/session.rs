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
    connection_timer::Timer,
    handler::{Answering, Ended, Handler, ServerOptions},
    incoming::Unreadable,
    method::Method,
    patience::Waiting,
    response::Response,
    seat::Seat,
    unfinished::Share,
};

use super::{
    head::{self, Head},
    outflow::Outflow,
    response::{Gathered, Request, Sending},
    stage::{Stage, Step},
    upload::{DISCARDED_BYTES_MAX, Discarded, Upload},
};

/// Bytes read at once. One buffer for each thread: a connection that waits needs none.
const READ_BYTES: usize = 64 * 1024;
/// Most that a caller may send after a request before its response, in bytes. More stays with the kernel.
const AHEAD_BYTES_MAX: usize = 64 * 1024;
/// Most that is read and dropped in a lingering close, in bytes.
const LINGER_BYTES_MAX: u64 = 64 * 1024 * 1024;

thread_local! {
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// What outlives a stage.
pub(super) struct Session<S, H: Handler> {
    socket: S,
    handler: H,
    head_bytes_max: usize,
    seat: Arc<Seat>,
    timer: Timer,
    /// What has come and is not used yet.
    read: BytesMut,
    /// So many bytes of it were searched and hold no complete head.
    looked_at: usize,
    /// What is still to come of the body of the request under way.
    upload: Upload,
    outflow: Outflow,
    request: Request,
    /// Counts requests that began and bytes that were written.
    progress: u64,
    /// The caller does not take what we write.
    is_write_blocked: bool,
    /// Of the memory for incomplete heads.
    share: Share,
}

impl<S, H> Session<S, H>
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    pub(super) fn new(socket: S, handler: H, seat: Arc<Seat>, options: ServerOptions) -> Self {
        Self {
            socket,
            handler,
            head_bytes_max: options.head_bytes_max,
            seat,
            timer: Timer::new(options.patience),
            read: BytesMut::new(),
            looked_at: 0,
            upload: Upload::none(),
            outflow: Outflow::default(),
            request: Request {
                is_head: false,
                is_http11: true,
                persists: true,
            },
            progress: 0,
            is_write_blocked: false,
            share: Share::default(),
        }
    }

    /// Whether the connection has waited for too long in this stage. To be asked whenever nothing can be done.
    pub(super) fn is_timed_out(&mut self, stage: &Stage<H::Body>, cx: &mut Context<'_>) -> bool {
        let waiting = self.waiting(stage);
        self.timer.is_over(waiting, self.progress, cx)
    }

    fn waiting(&self, stage: &Stage<H::Body>) -> Waiting {
        if self.is_write_blocked {
            return Waiting::Write;
        }
        match stage {
            Stage::Head if !self.read.is_empty() => Waiting::Head,
            Stage::Head if self.seat.is_proven() => Waiting::Idle,
            Stage::Head => Waiting::Proof,
            Stage::Discarding { .. } => Waiting::Head,
            Stage::Lingering { .. } => Waiting::Linger,
            Stage::Answering(_) | Stage::Sending(_) => Waiting::Nothing,
        }
    }

    // === A head

    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Step<H::Body>> {
        loop {
            if self.looked_at == 0 {
                // RFC 9112 section 2.2: some callers send an empty line after a body.
                while self.read.starts_with(b"\r\n") {
                    self.read.advance(2);
                    if self.read.is_empty() {
                        self.read = BytesMut::new();
                    }
                }
            }
            // Half a line end may become an empty line.
            let is_to_be_looked_at = self.read.len() > self.looked_at && *self.read != *b"\r";
            if is_to_be_looked_at && let Some(stage) = self.begin_if_complete() {
                return Poll::Ready(Step::Enter(stage));
            }
            let came = match self.poll_read(cx) {
                Poll::Ready(came) => came,
                Poll::Pending if self.read.is_empty() && self.seat.is_to_finish(cx) => {
                    let _ = Pin::new(&mut self.socket).poll_shutdown(cx);
                    return Poll::Ready(Step::End(Ended::Closed));
                }
                Poll::Pending if self.keeps_part(cx) => return Poll::Pending,
                Poll::Pending => {
                    let stage = self.refuse(head::unfinished(&self.read));
                    return Poll::Ready(Step::Enter(stage));
                }
            };
            match came {
                Ok(0) if self.read.is_empty() => return Poll::Ready(Step::End(Ended::Closed)),
                Ok(0) | Err(_) => return Poll::Ready(Step::End(Ended::Broken)),
                Ok(_) => {}
            }
        }
    }

    /// Hands what has come to the handler, if that is a complete head or can never become one.
    fn begin_if_complete(&mut self) -> Option<Stage<H::Body>> {
        let head = match head::length(&self.read, self.looked_at) {
            Some(length) if length <= self.head_bytes_max => {
                head::read(&head::split(&mut self.read, length))
            }
            None if self.read.len() <= self.head_bytes_max => {
                let new = self.read.get(self.looked_at..).unwrap_or_default();
                // A head that comes byte by byte is parsed once a line, not once a byte.
                let is_worth_it = self.looked_at == 0 || new.contains(&b'\n');
                self.looked_at = self.read.len();
                match is_worth_it.then(|| head::check_part(&self.read)) {
                    Some(Err(unreadable)) => Err(unreadable),
                    Some(Ok(())) | None => return None,
                }
            }
            _ => Err(head::too_large(&self.read)),
        };
        Some(match head {
            Ok(head) => self.begin(head),
            Err(unreadable) => self.refuse(unreadable),
        })
    }

    /// Whether the incomplete head may stay in memory while more is waited for.
    fn keeps_part(&mut self, cx: &Context<'_>) -> bool {
        if self.read.is_empty() {
            return true;
        }
        if !self.share.is_held() {
            // Drops what was read before it, and room that it may never need.
            self.read = BytesMut::from(&*self.read);
        }
        self.share.keep(self.read.capacity(), cx.waker())
    }

    fn end_head(&mut self) {
        self.share.release();
        self.looked_at = 0;
        self.progress += 1;
    }

    /// Hands malformed bytes to the handler. Nothing that follows them is read.
    fn refuse(&mut self, unreadable: Unreadable) -> Stage<H::Body> {
        self.end_head();
        self.read = BytesMut::new();
        self.request = Request {
            is_head: false,
            is_http11: true,
            persists: false,
        };
        self.upload = Upload::unreadable();
        Stage::Answering(self.handler.handle(Err(unreadable)))
    }

    fn begin(&mut self, head: Head) -> Stage<H::Body> {
        self.end_head();
        let Head {
            request,
            framing,
            expects_continue,
            persists,
            is_http11,
        } = head;
        self.request = Request {
            is_head: request.method == Some(Method::Head),
            is_http11,
            persists,
        };
        let (upload, body) = Upload::begin(framing, expects_continue, &mut self.read);
        self.upload = upload;
        Stage::Answering(self.handler.handle(Ok((request, body))))
    }

    // === A response

    pub(super) fn poll_answer(
        &mut self,
        answering: &mut Answering<H::Body>,
        cx: &mut Context<'_>,
    ) -> Poll<Step<H::Body>> {
        if let Poll::Ready(response) = answering.as_mut().poll(cx) {
            return Poll::Ready(Step::Enter(self.begin_sending(response, cx)));
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
    /// 4. The limit on pipelined bytes is checked last before the read, since feeding made room. Beyond it a hang-up goes
    ///    unnoticed until the response is written; the handler wakes us for that.
    fn poll_caller(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        loop {
            if self.upload.wants_to_continue(!self.read.is_empty(), cx) {
                self.outflow
                    .push(Bytes::from_static(b"HTTP/1.1 100 Continue\r\n\r\n"));
            }
            let has_to_write = self.is_write_blocked || !self.outflow.is_empty();
            if has_to_write && ready!(self.poll_write(cx)).is_err() {
                return Poll::Ready(Ended::Broken);
            }
            ready!(self.upload.poll_feed(&mut self.read, cx));
            if self.read.len() >= AHEAD_BYTES_MAX {
                return Poll::Pending;
            }
            match ready!(self.poll_read(cx)) {
                Ok(0) | Err(_) => return Poll::Ready(Ended::Broken),
                Ok(_) => {}
            }
        }
    }

    fn begin_sending(&mut self, response: Response<H::Body>, cx: &Context<'_>) -> Stage<H::Body> {
        if self.seat.is_to_finish(cx) || self.upload.is_hopeless() {
            self.request.persists = false;
        }
        self.upload.answer();
        self.timer.begin_answer();
        Stage::Sending(Sending::begin(
            response,
            &mut self.request,
            &mut self.outflow,
        ))
    }

    pub(super) fn poll_sending(
        &mut self,
        sending: &mut Sending<H::Body>,
        cx: &mut Context<'_>,
    ) -> Poll<Step<H::Body>> {
        let gathered = sending.gather(cx, &mut self.outflow);
        if ready!(self.poll_write(cx)).is_err() {
            return Poll::Ready(Step::End(Ended::Broken));
        }
        match gathered {
            Gathered::All => Poll::Ready(Step::Enter(self.end_request())),
            Gathered::Full => Poll::Ready(Step::Stay),
            Gathered::Cut => Poll::Ready(Step::End(Ended::Broken)),
            Gathered::Waiting => self.poll_caller(cx).map(Step::End),
        }
    }

    /// The response is written. What is left of the request's body decides how the connection goes on.
    fn end_request(&mut self) -> Stage<H::Body> {
        self.outflow.release();
        self.upload.abandon();
        if !self.request.persists {
            self.linger()
        } else if self.upload.is_done() {
            self.await_request()
        } else {
            Stage::Discarding {
                left: DISCARDED_BYTES_MAX,
            }
        }
    }

    fn await_request(&mut self) -> Stage<H::Body> {
        if self.read.is_empty() {
            self.read = BytesMut::new();
        }
        Stage::Head
    }

    /// Begins the lingering close: if bytes of the caller's found nobody, the kernel would reset the connection before the
    /// response is read (RFC 9112 section 9.6).
    fn linger(&mut self) -> Stage<H::Body> {
        self.read = BytesMut::new();
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
        Poll::Ready(match self.upload.discard(&mut self.read, left) {
            Discarded::All => Step::Enter(self.await_request()),
            Discarded::TooMuch => Step::Enter(self.linger()),
            Discarded::More => match ready!(self.poll_read(cx)) {
                Ok(0) | Err(_) => Step::End(Ended::Closed),
                Ok(_) => Step::Stay,
            },
        })
    }

    pub(super) fn poll_lingering(
        &mut self,
        left: &mut u64,
        is_shut: &mut bool,
        cx: &mut Context<'_>,
    ) -> Poll<Step<H::Body>> {
        if !*is_shut {
            // Whether the caller hears it changes nothing.
            *is_shut = Pin::new(&mut self.socket).poll_shutdown(cx).is_ready();
        }
        let came = ready!(self.poll_drop(cx)).unwrap_or_default() as u64;
        *left = left.saturating_sub(came);
        Poll::Ready(if came == 0 || *left == 0 {
            Step::End(Ended::Closed)
        } else {
            Step::Stay
        })
    }

    // === The socket

    /// Reads what has come and keeps nothing of it; 0 at the end.
    fn poll_drop(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
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
            self.read.extend_from_slice(room.filled());
            Poll::Ready(Ok(room.filled().len()))
        })
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self
            .outflow
            .poll_write(&mut self.socket, cx, &mut self.progress);
        self.is_write_blocked = polled.is_pending();
        polled
    }
}
