//! Watches one caller's connection: closes it when a head does not arrive, when nothing happens for too long, or when the
//! caller does not read; and asks it to finish when the program drains.
//!
//! The HTTP library's own header timer runs while a connection is merely idle and costs timer work for each request. This
//! one arms a timer only when the wait begins and leaves it alone while requests flow.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

/// How long a connection may wait, by what it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For the rest of a request's head.
    pub head: Duration,
    /// For the next request.
    pub idle: Duration,
    /// For the caller to take what we send.
    pub write: Duration,
}

/// What is shared between a connection's socket, its requests and its watch.
pub struct Vigil {
    /// Requests that are being answered.
    in_flight: AtomicU32,
    /// Those of them whose answer has begun: they wait for the caller to take it.
    answering: AtomicU32,
    /// Bytes of a request have arrived that no request was made of yet. True from the start: the first head is awaited
    /// from the moment the connection was made.
    head_begun: AtomicBool,
    /// The request line that is arriving has a '#'.
    fragment: AtomicBool,
    /// The line end of the request line was seen.
    line_ended: AtomicBool,
    write_blocked: AtomicBool,
    /// Counts requests that began and writes that went through: what waits since before the last one waits anew.
    progress: AtomicU32,
    draining: AtomicBool,
    waker: OnceLock<Waker>,
}

impl Default for Vigil {
    fn default() -> Self {
        Self {
            in_flight: AtomicU32::new(0),
            answering: AtomicU32::new(0),
            head_begun: AtomicBool::new(true),
            fragment: AtomicBool::new(false),
            line_ended: AtomicBool::new(false),
            write_blocked: AtomicBool::new(false),
            progress: AtomicU32::new(0),
            draining: AtomicBool::new(false),
            waker: OnceLock::new(),
        }
    }
}

impl Vigil {
    /// A request's head is complete. Returns a guard for the time until its answer is sent, and whether its line had a '#'.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> (InFlight, bool) {
        step(&self.in_flight, 1);
        step(&self.progress, 1);
        self.head_begun.store(false, Ordering::Relaxed);
        self.line_ended.store(false, Ordering::Relaxed);
        let fragment = self.fragment.swap(false, Ordering::Relaxed);
        let in_flight = InFlight {
            vigil: Arc::clone(self),
            answering: false,
        };
        (in_flight, fragment)
    }

    /// Asks the connection to finish what it serves and close.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    fn saw(&self, bytes: &[u8]) {
        if self.in_flight.load(Ordering::Relaxed) > 0 {
            return;
        }
        self.head_begun.store(true, Ordering::Relaxed);
        if self.line_ended.load(Ordering::Relaxed) {
            return;
        }
        for byte in bytes {
            match byte {
                b'#' => self.fragment.store(true, Ordering::Relaxed),
                b'\n' => {
                    self.line_ended.store(true, Ordering::Relaxed);
                    return;
                }
                _ => {}
            }
        }
    }
}

/// Counts. A connection and its requests live on one thread, so nobody else writes: no locked instruction is needed.
fn step(count: &AtomicU32, by: i32) {
    let now = count.load(Ordering::Relaxed);
    count.store(now.wrapping_add_signed(by), Ordering::Relaxed);
}

/// A request that is being answered.
pub struct InFlight {
    vigil: Arc<Vigil>,
    answering: bool,
}

impl InFlight {
    /// The answer's head is there; from now on the caller's reading is what is waited for.
    pub fn answer(&mut self) {
        if !self.answering {
            self.answering = true;
            step(&self.vigil.answering, 1);
        }
    }

    /// A piece of the answer was asked for.
    pub fn progress(&self) {
        step(&self.vigil.progress, 1);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.answering {
            step(&self.vigil.answering, -1);
        }
        step(&self.vigil.in_flight, -1);
    }
}

/// A socket that tells its vigil what it sees.
pub struct Watched<S> {
    socket: S,
    vigil: Arc<Vigil>,
}

impl<S> Watched<S> {
    pub fn new(socket: S, vigil: Arc<Vigil>) -> Self {
        Self { socket, vigil }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(cx, buf);
        if let Some(new) = buf.filled().get(before..)
            && !new.is_empty()
        {
            self.vigil.saw(new);
        }
        polled
    }
}

impl<S> Watched<S> {
    fn note_write<T>(&self, polled: Poll<T>) -> Poll<T> {
        let blocked = polled.is_pending();
        if !blocked {
            step(&self.vigil.progress, 1);
        }
        if self.vigil.write_blocked.load(Ordering::Relaxed) != blocked {
            self.vigil.write_blocked.store(blocked, Ordering::Relaxed);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.note_write(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.socket).poll_flush(cx);
        // Nothing to flush is no progress, but a flush that waits is a caller who does not read.
        let blocked = polled.is_pending();
        self.vigil.write_blocked.store(blocked, Ordering::Relaxed);
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.note_write(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}

/// What a connection waits for, as far as patience is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Head,
    Idle,
    Write,
    /// A request is being answered: its own time-outs hold.
    Nothing,
}

/// The connection's future under watch. `Finish` is called once, when the program drains.
pub struct Watch<C, Finish> {
    connection: Pin<Box<C>>,
    finish: Option<Finish>,
    vigil: Arc<Vigil>,
    patience: Patience,
    /// HTTP/2 sends frames between requests: there a head that has begun means nothing.
    heads_are_bytes: bool,
    waiting: Waiting,
    progress: u32,
    since: Instant,
    timer: Pin<Box<Sleep>>,
    /// The timer knows our waker and has not fired.
    armed: bool,
}

impl<C, Finish> Watch<C, Finish>
where
    C: Future,
    Finish: FnOnce(Pin<&mut C>),
{
    pub fn new(
        connection: C,
        finish: Finish,
        vigil: Arc<Vigil>,
        patience: Patience,
        heads_are_bytes: bool,
    ) -> Self {
        let now = Instant::now();
        Self {
            connection: Box::pin(connection),
            finish: Some(finish),
            vigil,
            patience,
            heads_are_bytes,
            waiting: Waiting::Head,
            progress: 0,
            since: now,
            timer: Box::pin(tokio::time::sleep_until(now + patience.head)),
            armed: false,
        }
    }

    fn waiting_for(&self) -> Waiting {
        if self.vigil.write_blocked.load(Ordering::Relaxed) {
            return Waiting::Write;
        }
        let in_flight = self.vigil.in_flight.load(Ordering::Relaxed);
        if in_flight > 0 {
            // HTTP/2 never blocks the socket for a caller that opens no window: the answers just stay where they are.
            let stuck = self.vigil.answering.load(Ordering::Relaxed) == in_flight;
            return if stuck {
                Waiting::Write
            } else {
                Waiting::Nothing
            };
        }
        if self.heads_are_bytes && self.vigil.head_begun.load(Ordering::Relaxed) {
            Waiting::Head
        } else {
            Waiting::Idle
        }
    }

    fn patience_for(&self, waiting: Waiting) -> Option<Duration> {
        match waiting {
            Waiting::Head => Some(self.patience.head),
            Waiting::Idle => Some(self.patience.idle),
            Waiting::Write => Some(self.patience.write),
            Waiting::Nothing => None,
        }
    }

    /// True when patience has run out.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> bool {
        let waiting = self.waiting_for();
        if waiting == Waiting::Nothing {
            self.waiting = waiting;
            return false;
        }
        let now = Instant::now();
        let progress = self.vigil.progress.load(Ordering::Relaxed);
        if (waiting, progress) != (self.waiting, self.progress) {
            (self.waiting, self.progress) = (waiting, progress);
            self.since = now;
        }
        let Some(patience) = self.patience_for(waiting) else {
            return false;
        };
        let deadline = self.since + patience;
        if now >= deadline {
            return true;
        }
        // A timer that is set for earlier is left alone, and not even looked at before its time: it fires, finds nothing
        // wrong and is set anew.
        if self.armed && self.timer.deadline() <= deadline && now < self.timer.deadline() {
            return false;
        }
        self.timer.as_mut().reset(deadline);
        self.armed = self.timer.as_mut().poll(cx).is_pending();
        false
    }
}

impl<C, Finish> Future for Watch<C, Finish>
where
    C: Future,
    Finish: FnOnce(Pin<&mut C>) + Unpin,
{
    /// None: patience ran out.
    type Output = Option<C::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        // Before the look at `draining`: whoever sets it afterwards wakes us.
        this.vigil.waker.get_or_init(|| cx.waker().clone());
        if this.vigil.draining.load(Ordering::SeqCst)
            && let Some(finish) = this.finish.take()
        {
            finish(this.connection.as_mut());
        }
        if let Poll::Ready(output) = this.connection.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        if this.poll_patience(cx) {
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}
