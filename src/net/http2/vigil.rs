//! Watches one caller's HTTP/2 connection: closes it when nothing happens for too long, or when the caller does not read;
//! and asks it to finish when the program drains.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::{
    pace::BodyPatience,
    patience::{Patience, Timer, Waiting},
    seat::Seat,
    worker_cell::{WorkerCounter, WorkerFlag},
};

/// What is shared between a connection's socket, its requests and its watch.
#[derive(Default)]
pub struct Vigil {
    /// Requests that are being answered.
    in_flight: WorkerCounter,
    /// Those of them whose answer has begun: they wait for the caller to take it.
    answering: WorkerCounter,
    write_blocked: WorkerFlag,
    /// A request's head has begun, and its end has not come.
    in_head: WorkerFlag,
    /// Counts requests that began and writes that went through: what waits since before the last one waits anew.
    progress: WorkerCounter,
    /// Counts requests that began. Who has proved nothing does not gain time by pings and settings.
    requests: WorkerCounter,
}

impl Vigil {
    /// A request has come. Returns a guard for the time until its answer is sent.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.add(1);
        self.go_on();
        self.requests.add(1);
        InFlight {
            vigil: Arc::clone(self),
            answering: false,
        }
    }

    /// The socket has nothing more for now: whether a head stays unfinished.
    pub fn note_head(&self, is_unfinished: bool) {
        self.in_head.set(is_unfinished);
    }

    fn go_on(&self) {
        self.progress.add(1);
    }
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
            self.vigil.answering.add(1);
        }
    }

    /// A piece of the answer was asked for.
    pub fn progress(&self) {
        self.vigil.go_on();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.answering {
            self.vigil.answering.decrement();
        }
        self.vigil.in_flight.decrement();
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
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl<S> Watched<S> {
    fn note_write<T>(&self, polled: Poll<T>) -> Poll<T> {
        let blocked = polled.is_pending();
        if !blocked {
            self.vigil.go_on();
        }
        self.vigil.write_blocked.set(blocked);
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
        self.vigil.write_blocked.set(blocked);
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

/// The connection's future under watch. `Finish` is called once, when the program drains.
pub struct Watch<C, Finish> {
    connection: Pin<Box<C>>,
    finish: Option<Finish>,
    vigil: Arc<Vigil>,
    seat: Arc<Seat>,
    timer: Timer,
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
        seat: Arc<Seat>,
        patience: Patience,
    ) -> Self {
        // The pace of each answer is judged apart: see `readers`.
        let answer = BodyPatience {
            idle: patience.answer.idle,
            rate: 0,
            total: Duration::MAX,
        };
        let patience = Patience { answer, ..patience };
        Self {
            connection: Box::pin(connection),
            finish: Some(finish),
            vigil,
            seat,
            timer: Timer::new(patience),
        }
    }

    fn waiting_for(&self) -> Waiting {
        if self.vigil.write_blocked.get() {
            return Waiting::Write;
        }
        let in_flight = self.vigil.in_flight.get();
        if in_flight == 0 {
            return if self.finish.is_none() {
                // A caller that was told to go and does not even say that it heard it must not hold up the end of the program.
                Waiting::Linger
            } else if self.vigil.in_head.get() {
                Waiting::Head
            } else if self.seat.is_proven() {
                Waiting::Idle
            } else {
                Waiting::Proof
            };
        }
        // The socket is never blocked for a caller that opens no window: the answers just stay where they are.
        if self.vigil.answering.get() == in_flight {
            Waiting::Write
        } else {
            Waiting::Nothing
        }
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
        if this.seat.is_to_finish(cx)
            && let Some(finish) = this.finish.take()
        {
            finish(this.connection.as_mut());
        }
        if let Poll::Ready(output) = this.connection.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        let waiting = this.waiting_for();
        let progress = match waiting {
            Waiting::Proof => &this.vigil.requests,
            _ => &this.vigil.progress,
        };
        let progress = progress.get();
        if this.timer.is_over(waiting, progress, cx) {
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}
