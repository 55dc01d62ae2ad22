//! HTTP/1.1 towards callers (RFC 9112): one request at a time on a connection, read and answered on the connection's own
//! task. An idle connection holds no buffers. Whatever comes is answered and put on record, bytes that are no request too.

pub mod date;
pub mod head;
pub mod inflow;
pub mod outflow;
pub mod response;
#[cfg(test)]
mod tests;
pub mod upload;

use std::{
    cell::RefCell,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::{
    handler::{Answering, Ended, Handler, ServerOptions},
    incoming::Unreadable,
    method::Method,
    patience::{Timer, Waiting},
    response::Response,
    seat::Seat,
    unfinished::Share,
};

use self::{
    head::Head,
    outflow::Outflow,
    response::{Gathered, Sending},
    upload::{Discarded, Upload},
};

/// What is read at once. One buffer for each thread: a connection that waits needs none.
const READ_BYTES: usize = 64 * 1024;
/// Most that a caller may send after a request before that is answered. More stays with the kernel.
const AHEAD_BYTES_MAX: usize = 64 * 1024;
/// Most of a body that nobody wants which is read so that the connection can serve another request.
const DISCARDED_BYTES_MAX: u64 = 256 * 1024;
/// Most that is read from a caller who was told that the connection ends.
const LINGER_BYTES_MAX: u64 = 64 * 1024 * 1024;

thread_local! {
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// A caller's connection: a future that ends with it.
pub struct Connection<S, H: Handler> {
    socket: S,
    handler: H,
    head_bytes_max: usize,
    seat: Arc<Seat>,
    timer: Timer,
    stage: Stage<H::Body>,
    /// What has come and is not used yet.
    read: BytesMut,
    /// So much of it was looked at and is no whole head.
    looked_at: usize,
    /// What is still to come of the body of the request that is being answered.
    upload: Upload,
    outflow: Outflow,
    request: Request,
    /// Counts requests that began and bytes that were written.
    progress: u64,
    /// The caller does not take what we write.
    is_write_blocked: bool,
    /// Of the room for heads whose end has not come.
    share: Share,
}

/// What of the request that is being answered decides how its answer is written.
#[derive(Debug, Clone, Copy)]
struct Request {
    is_head: bool,
    is_http11: bool,
    persists: bool,
}

enum Stage<B> {
    /// Waits for a request, or reads its head.
    Head,
    Answering(Answering<B>),
    Sending(Sending<B>),
    /// Reads what nobody wants of a body, `left` bytes of it at most.
    Discarding {
        left: u64,
    },
    /// Has said its last word, and hears the caller out, `left` bytes of it at most.
    Lingering {
        left: u64,
        is_shut: bool,
    },
}

impl<S, H> Connection<S, H>
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    pub fn new(socket: S, handler: H, seat: Arc<Seat>, options: ServerOptions) -> Self {
        Self {
            socket,
            handler,
            head_bytes_max: options.head_bytes_max,
            seat,
            timer: Timer::new(options.patience),
            stage: Stage::Head,
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

    /// Goes on until there is nothing to do but wait.
    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        loop {
            let ended = match &mut self.stage {
                Stage::Head => ready!(self.poll_head(cx)),
                Stage::Answering(_) => ready!(self.poll_answer(cx)),
                Stage::Sending(_) => ready!(self.poll_sending(cx)),
                Stage::Discarding { .. } => ready!(self.poll_discarding(cx)),
                Stage::Lingering { .. } => ready!(self.poll_lingering(cx)),
            };
            if let Some(ended) = ended {
                return Poll::Ready(ended);
            }
        }
    }

    // === A head

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Option<Ended>> {
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
            if is_to_be_looked_at && self.begin_if_complete() {
                return Poll::Ready(None);
            }
            let came = match self.poll_read(cx) {
                Poll::Ready(came) => came,
                Poll::Pending if self.read.is_empty() && self.seat.is_to_finish(cx) => {
                    let _ = Pin::new(&mut self.socket).poll_shutdown(cx);
                    return Poll::Ready(Some(Ended::Closed));
                }
                Poll::Pending if self.keeps_part(cx) => return Poll::Pending,
                Poll::Pending => {
                    self.refuse(head::unfinished(&self.read));
                    return Poll::Ready(None);
                }
            };
            match came {
                Ok(0) if self.read.is_empty() => return Poll::Ready(Some(Ended::Closed)),
                Ok(0) | Err(_) => return Poll::Ready(Some(Ended::Broken)),
                Ok(_) => {}
            }
        }
    }

    /// Begins to answer what has come, if that is a whole head or can never become one.
    fn begin_if_complete(&mut self) -> bool {
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
                    Some(Ok(())) | None => return false,
                }
            }
            _ => Err(head::too_large(&self.read)),
        };
        match head {
            Ok(head) => self.begin(head),
            Err(unreadable) => self.refuse(unreadable),
        }
        true
    }

    /// Whether the part of a head that has come may stay while more is waited for.
    fn keeps_part(&mut self, cx: &Context<'_>) -> bool {
        if self.read.is_empty() {
            return true;
        }
        if !self.share.is_held() {
            // What was read before it goes, and so does room that it may never need.
            self.read = BytesMut::from(&*self.read);
        }
        self.share.keep(self.read.capacity(), cx.waker())
    }

    fn end_head(&mut self) {
        self.share.release();
        self.looked_at = 0;
        self.progress += 1;
    }

    /// Answers what is no request. Nothing that follows it is read.
    fn refuse(&mut self, unreadable: Unreadable) {
        self.end_head();
        self.read = BytesMut::new();
        self.request = Request {
            is_head: false,
            is_http11: true,
            persists: false,
        };
        self.upload = Upload::unreadable();
        self.stage = Stage::Answering(self.handler.handle(Err(unreadable)));
    }

    fn begin(&mut self, head: Head) {
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
        self.stage = Stage::Answering(self.handler.handle(Ok((request, body))));
    }

    // === An answer

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Option<Ended>> {
        let Stage::Answering(answering) = &mut self.stage else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(response) = answering.as_mut().poll(cx) {
            self.begin_sending(response, cx);
            return Poll::Ready(None);
        }
        self.poll_caller(cx).map(Some)
    }

    /// While a request is answered: passes its body on, and sees when the caller hangs up.
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
            // The answer wakes us when it goes on.
            if self.read.len() >= AHEAD_BYTES_MAX {
                return Poll::Pending;
            }
            match ready!(self.poll_read(cx)) {
                Ok(0) | Err(_) => return Poll::Ready(Ended::Broken),
                Ok(_) => {}
            }
        }
    }

    fn begin_sending(&mut self, response: Response<H::Body>, cx: &Context<'_>) {
        if self.seat.is_to_finish(cx) || self.upload.is_hopeless() {
            self.request.persists = false;
        }
        self.upload.answer();
        self.timer.begin_answer();
        let sending = Sending::begin(response, &mut self.request, &mut self.outflow);
        self.stage = Stage::Sending(sending);
    }

    fn poll_sending(&mut self, cx: &mut Context<'_>) -> Poll<Option<Ended>> {
        let Stage::Sending(sending) = &mut self.stage else {
            return Poll::Ready(None);
        };
        let gathered = sending.gather(cx, &mut self.outflow);
        if ready!(self.poll_write(cx)).is_err() {
            return Poll::Ready(Some(Ended::Broken));
        }
        match gathered {
            Gathered::All => {
                self.end_request();
                Poll::Ready(None)
            }
            Gathered::Full => Poll::Ready(None),
            Gathered::Cut => Poll::Ready(Some(Ended::Broken)),
            Gathered::Waiting => self.poll_caller(cx).map(Some),
        }
    }

    /// The answer is written. What is left of the request's body decides how the connection goes on.
    fn end_request(&mut self) {
        self.outflow.release();
        self.upload.abandon();
        if !self.request.persists {
            self.linger();
        } else if self.upload.is_done() {
            self.await_request();
        } else {
            self.stage = Stage::Discarding {
                left: DISCARDED_BYTES_MAX,
            };
        }
    }

    fn await_request(&mut self) {
        if self.read.is_empty() {
            self.read = BytesMut::new();
        }
        self.stage = Stage::Head;
    }

    /// Says that nothing more will be said, and hears the caller out: if bytes of its found nobody, the kernel would break
    /// the connection before the answer is read (RFC 9112 section 9.6).
    fn linger(&mut self) {
        self.read = BytesMut::new();
        self.stage = Stage::Lingering {
            left: LINGER_BYTES_MAX,
            is_shut: false,
        };
    }

    // === What nobody wants

    fn poll_discarding(&mut self, cx: &mut Context<'_>) -> Poll<Option<Ended>> {
        let Stage::Discarding { left } = &mut self.stage else {
            return Poll::Ready(None);
        };
        match self.upload.discard(&mut self.read, left) {
            Discarded::All => {
                self.await_request();
                Poll::Ready(None)
            }
            Discarded::TooMuch => {
                self.linger();
                Poll::Ready(None)
            }
            Discarded::More => match ready!(self.poll_read(cx)) {
                Ok(0) | Err(_) => Poll::Ready(Some(Ended::Closed)),
                Ok(_) => Poll::Ready(None),
            },
        }
    }

    fn poll_lingering(&mut self, cx: &mut Context<'_>) -> Poll<Option<Ended>> {
        let Stage::Lingering { left, is_shut } = &mut self.stage else {
            return Poll::Ready(None);
        };
        if !*is_shut {
            // Whether the caller hears it changes nothing.
            *is_shut = Pin::new(&mut self.socket).poll_shutdown(cx).is_ready();
        }
        let left = *left;
        let came = ready!(self.poll_drop(cx)).unwrap_or_default() as u64;
        if let Stage::Lingering { left, .. } = &mut self.stage {
            *left = left.saturating_sub(came);
        }
        let is_over = came == 0 || came >= left;
        Poll::Ready(is_over.then_some(Ended::Closed))
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

    /// Patience has run out. Whose answer is under way hears that it was the caller.
    fn give_up(&mut self) {
        let stage = std::mem::replace(&mut self.stage, Stage::Head);
        if let Stage::Sending(sending) = stage
            && let Some(body) = sending.into_body()
        {
            H::give_up(body);
        }
    }

    fn waiting(&self) -> Waiting {
        if self.is_write_blocked {
            return Waiting::Write;
        }
        match self.stage {
            Stage::Head if !self.read.is_empty() => Waiting::Head,
            Stage::Head if self.seat.is_proven() => Waiting::Idle,
            Stage::Head => Waiting::Proof,
            Stage::Discarding { .. } => Waiting::Head,
            Stage::Lingering { .. } => Waiting::Linger,
            Stage::Answering(_) | Stage::Sending(_) => Waiting::Nothing,
        }
    }
}

impl<S, H> Future for Connection<S, H>
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    type Output = Ended;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let this = self.get_mut();
        if let Poll::Ready(ended) = this.advance(cx) {
            return Poll::Ready(ended);
        }
        let waiting = this.waiting();
        if this.timer.is_over(waiting, this.progress, cx) {
            this.give_up();
            return Poll::Ready(Ended::Silent);
        }
        Poll::Pending
    }
}
