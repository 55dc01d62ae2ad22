//! A TLS front between the proxy and NinjaOne that counts connections and breaks them.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use ninjaone_proxy::tasks::Tasks;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::wait::WAIT_MAX;

pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    tasks: Tasks,
}

struct Shared {
    tls: Mutex<Arc<ServerConfig>>,
    accepted: AtomicU64,
    connections: Mutex<Tasks>,
    /// The byte that new connections write wrong.
    wrong: AtomicUsize,
}

impl Front {
    pub(crate) async fn of(target: SocketAddr, tls: Arc<ServerConfig>) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), target, tls).await
    }

    pub(crate) async fn at(
        address: SocketAddr,
        target: SocketAddr,
        tls: Arc<ServerConfig>,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            tls: Mutex::new(tls),
            accepted: AtomicU64::new(0),
            wrong: AtomicUsize::new(0),
            connections: Mutex::new(Tasks::new()),
        });
        let (tasks, kept) = (Tasks::new(), Arc::clone(&shared));
        tasks.spawn_until_shutdown(async move {
            while let Ok((stream, _)) = listener.accept().await {
                kept.accepted.fetch_add(1, Ordering::SeqCst);
                let tls = Arc::clone(&kept.tls.lock().unwrap());
                let connections = kept.connections.lock().unwrap().clone();
                let wrong = kept.wrong.load(Ordering::SeqCst);
                connections.spawn_until_shutdown(async move {
                    // How it ends is for the two ends to know.
                    let _ = pass(stream, target, tls, wrong).await;
                });
            }
        });
        Self {
            address,
            shared,
            tasks,
        }
    }

    pub(crate) fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// New connections write this byte wrong, counted from 1; none if it is 0.
    pub(crate) fn gets_wrong(&self, byte: usize) {
        self.shared.wrong.store(byte, Ordering::SeqCst);
    }

    /// Every connection is gone when this returns; new ones are welcome.
    pub(crate) async fn hang_up(&self) {
        let gone = std::mem::replace(&mut *self.shared.connections.lock().unwrap(), Tasks::new());
        gone.request_shutdown();
        gone.join_timeout(WAIT_MAX).await;
    }

    /// Nobody listens any more when this returns.
    pub(crate) async fn end(self) {
        self.tasks.request_shutdown();
        self.tasks.join_timeout(WAIT_MAX).await;
        self.hang_up().await;
    }

    /// Comes back with another certificate or protocol.
    pub(crate) async fn come_back_with(&self, tls: Arc<ServerConfig>) {
        *self.shared.tls.lock().unwrap() = tls;
        self.hang_up().await;
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.tasks.request_shutdown();
        self.shared.connections.lock().unwrap().request_shutdown();
    }
}

/// A server's socket that takes few bytes at a time, and may write one of them wrong.
struct Crumbs {
    socket: TcpStream,
    bytes_max: usize,
    written: usize,
    /// Which byte, counted from 1; 0 for none.
    wrong: usize,
}

impl AsyncRead for Crumbs {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, room)
    }
}

impl AsyncWrite for Crumbs {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let bytes = &bytes[..bytes.len().min(self.bytes_max)];
        let (first, wrong) = (self.written, self.wrong);
        let bytes: Vec<u8> = (first + 1..)
            .zip(bytes)
            .map(|(number, byte)| if number == wrong { !byte } else { *byte })
            .collect();
        let polled = Pin::new(&mut self.socket).poll_write(cx, &bytes);
        if let Poll::Ready(Ok(length)) = polled {
            self.written += length;
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

async fn pass(
    socket: TcpStream,
    target: SocketAddr,
    tls: Arc<ServerConfig>,
    wrong: usize,
) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let bytes_max = if tls.max_fragment_size.is_some() {
        13
    } else {
        usize::MAX
    };
    let crumbs = Crumbs {
        socket,
        bytes_max,
        written: 0,
        wrong,
    };
    let mut stream = TlsAcceptor::from(tls).accept(crumbs).await?;
    let mut onward = TcpStream::connect(target).await?;
    onward.set_nodelay(true)?;
    copy_bidirectional(&mut stream, &mut onward).await?;
    Ok(())
}
