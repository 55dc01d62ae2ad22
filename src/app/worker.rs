//! One worker per core: a thread with its own runtime that serves the connections dispatched to it. A request never moves
//! to another thread.

use std::{io, sync::Arc, thread::JoinHandle, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
    time::timeout,
};

use crate::{
    clock::Timestamp,
    net::{
        Peer,
        body::timeouts::BodyTimeouts,
        request::{incoming_request::Malformed, request_error::RequestError},
        server::{
            connection_permit::ConnectionPermit,
            handler::{ConnectionEnd, ServerOptions},
            http1::Http1ServerConnection,
            http2,
            listener::AcceptedSocket,
            sniff::{self, Peek, Protocol},
        },
        tls::ServerCertificate,
    },
    proxy::{ConnectionHandler, Proxy, outcome::Outcome, respond},
    tasks::Tasks,
    watchdog::{Heartbeat, StallFlag},
};

use super::{connection_load::ConnectionLoad, memory_release};

/// Most connections that wait for a worker to take them.
const PENDING_CONNECTIONS_MAX: usize = 256;
/// The idle timeout ends a response that NinjaOne does not continue; a caller that does not read gets this much longer, so
/// that the audit log can tell the two apart.
const WRITE_GRACE: Duration = Duration::from_secs(5);

/// A connection on its way to a worker, with its permit.
pub(crate) struct PendingConnection {
    pub accepted: AcceptedSocket,
    pub peer: Peer,
    pub permit: ConnectionPermit,
    pub certificate: Option<Arc<ServerCertificate>>,
}

/// A running worker.
pub(crate) struct Worker {
    sender: mpsc::Sender<PendingConnection>,
    load: Arc<ConnectionLoad>,
    stall_flag: StallFlag,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts the thread, which calls `make_proxy`. When `abort_tasks` stops, open connections are dropped.
    ///
    /// # Errors
    /// The thread or its runtime cannot be started.
    pub(crate) fn start<F>(
        heartbeat: Heartbeat,
        options: ServerOptions,
        abort_tasks: Tasks,
        make_proxy: F,
    ) -> io::Result<Self>
    where
        F: FnOnce(Tasks) -> Proxy + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(PENDING_CONNECTIONS_MAX);
        let load = Arc::new(ConnectionLoad::default());
        let open_connections = Arc::clone(&load);
        let stall_flag = heartbeat.stall_flag();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = std::thread::Builder::new()
            .name(heartbeat.name().to_owned())
            .spawn(move || {
                let working = async {
                    tokio::select! {
                        () = run(receiver, options, &open_connections, make_proxy) => {}
                        () = abort_tasks.shutdown_requested() => {}
                    }
                };
                runtime.block_on(heartbeat.beat_during(Duration::MAX, working));
                heartbeat.retire();
                // Does not wait for a name lookup that is still under way.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            sender,
            load,
            stall_flag,
            thread,
        })
    }

    /// The number of connections that this worker serves.
    #[must_use]
    pub(crate) fn connection_count(&self) -> usize {
        self.load.open()
    }

    /// Whether the watchdog takes the worker for stalled.
    #[must_use]
    pub(crate) fn is_stalled(&self) -> bool {
        self.stall_flag.is_stalled()
    }

    /// Hands a connection over, or returns it if the worker has no room.
    ///
    /// # Errors
    /// The worker has not taken the connections dispatched before, or has ended.
    pub(crate) fn dispatch(&self, pending: PendingConnection) -> Result<(), PendingConnection> {
        self.load.add();
        self.sender.try_send(pending).map_err(|error| {
            self.load.remove();
            error.into_inner()
        })
    }

    /// Takes no more connections; the thread ends when the last one has closed.
    #[must_use]
    pub(crate) fn close(self) -> JoinHandle<()> {
        self.thread
    }
}

async fn run<F>(
    mut receiver: mpsc::Receiver<PendingConnection>,
    options: ServerOptions,
    load: &Arc<ConnectionLoad>,
    make_proxy: F,
) where
    F: FnOnce(Tasks) -> Proxy,
{
    // Connections are separate from what outlives them: a write is finished after its caller hung up.
    let (connections, requests) = (Tasks::new(), Tasks::new());
    let proxy = Arc::new(make_proxy(requests.clone()));
    requests.spawn_until_shutdown(Arc::clone(&proxy.upstream).close_idle_connections());
    requests.spawn_until_shutdown(memory_release::release_freed_memory(Arc::clone(load)));
    while let Some(next) = receiver.recv().await {
        let (proxy, load) = (Arc::clone(&proxy), Arc::clone(load));
        connections.spawn(async move {
            serve(next, proxy, options).await;
            load.remove();
        });
    }
    connections.join_timeout(Duration::MAX).await;
    proxy.tasks.request_shutdown();
    // Writes whose callers hung up. The drain timeout is the bound: then the whole worker is aborted.
    proxy.tasks.join_timeout(Duration::MAX).await;
}

async fn serve(pending: PendingConnection, proxy: Arc<Proxy>, options: ServerOptions) {
    let PendingConnection {
        accepted,
        peer,
        permit,
        certificate,
    } = pending;
    let control = Arc::clone(permit.control());
    let connection = WorkerConnection {
        options: current_options(options, &proxy),
        proxy,
        peer,
        is_tls: certificate.is_some(),
        permit,
    };
    // An evicted connection is dropped wherever it is.
    control
        .run(serve_accepted(connection, accepted, certificate))
        .await;
}

/// A connection keeps the timeouts that were in force when it was accepted.
fn current_options(options: ServerOptions, proxy: &Proxy) -> ServerOptions {
    let body = proxy.rules.load().requests.body_timeouts;
    let mut options = options;
    options.timeouts.response = BodyTimeouts {
        idle: body.idle + WRITE_GRACE,
        ..body
    };
    options
}

async fn serve_accepted(
    connection: WorkerConnection,
    accepted: AcceptedSocket,
    certificate: Option<Arc<ServerCertificate>>,
) {
    match (accepted, certificate) {
        (AcceptedSocket::Tcp(socket), Some(certificate)) => {
            if let Ok(socket) = tokio::net::TcpStream::from_std(socket) {
                // Boxed: the state of a handshake is many times that of an idle connection.
                Box::pin(connection.serve_tls(socket, &certificate)).await;
            }
        }
        (AcceptedSocket::Tcp(socket), None) => {
            if let Ok(socket) = tokio::net::TcpStream::from_std(socket) {
                connection.serve_plain(socket).await;
            }
        }
        (AcceptedSocket::Unix(socket), _) => {
            if let Ok(socket) = tokio::net::UnixStream::from_std(socket) {
                connection.serve_plain(socket).await;
            }
        }
    }
}

/// A connection that this worker serves.
struct WorkerConnection {
    proxy: Arc<Proxy>,
    peer: Peer,
    is_tls: bool,
    permit: ConnectionPermit,
    options: ServerOptions,
}

impl WorkerConnection {
    async fn serve_plain<S>(self, socket: S)
    where
        S: AsyncRead + AsyncWrite + Peek + Unpin + Send + 'static,
    {
        let timeouts = self.options.timeouts;
        let sniffed = tokio::select! {
            biased;
            sniffed = sniff::sniff(&socket, timeouts.unauthenticated_idle, timeouts.head) => sniffed,
            () = self.permit.control().shutdown_requested() => return,
        };
        match sniffed {
            Ok(protocol) => self.serve(socket, protocol).await,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                self.permit.record_idle_timeout();
            }
            // A peer that just hangs up needs no log line.
            Err(_) => {}
        }
    }

    async fn serve_tls(self, socket: tokio::net::TcpStream, certificate: &ServerCertificate) {
        let accepting = timeout(
            self.options.handshake_timeout,
            certificate.acceptor().accept(socket),
        );
        let accepted = tokio::select! {
            biased;
            accepted = accepting => accepted,
            () = self.permit.control().shutdown_requested() => return,
        };
        if accepted.is_err() {
            self.permit.record_idle_timeout();
        }
        if let Ok(Ok(stream)) = accepted {
            let protocol = match stream.get_ref().1.alpn_protocol() {
                Some(b"h2") => Protocol::Http2,
                _ => Protocol::Http1,
            };
            self.serve(stream, protocol).await;
        }
    }

    async fn serve<S>(self, socket: S, protocol: Protocol)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let control = Arc::clone(self.permit.control());
        let handler = ConnectionHandler {
            proxy: Arc::clone(&self.proxy),
            peer: self.peer,
            is_tls: self.is_tls,
            connection: Arc::clone(&control),
        };
        let ended = match protocol {
            Protocol::Http1 => {
                Http1ServerConnection::new(socket, handler, control, self.options).await
            }
            // Boxed, so that an idle HTTP/1.1 connection does not hold its memory.
            Protocol::Http2 => Box::pin(http2::serve(socket, handler, control, self.options)).await,
        };
        match ended {
            ConnectionEnd::NotHttp => self.record_without_request(RequestError::NotHttp),
            ConnectionEnd::HeadEvicted => self.record_without_request(RequestError::HeadUnfinished),
            ConnectionEnd::TimedOut => self.permit.record_idle_timeout(),
            ConnectionEnd::Closed | ConnectionEnd::Broken => {}
        }
    }

    /// Records bytes that are not a request: over HTTP/2 the library sees them, over HTTP/1.1 our parser reports them.
    fn record_without_request(&self, why: RequestError) {
        let malformed = Malformed {
            id: self.proxy.request_ids.next(Timestamp::now()),
            started: tokio::time::Instant::now(),
            peer: self.peer,
            method: None,
            unknown_method: None,
            path: Box::from(""),
            error: why,
            host: None,
            exceeded: None,
        };
        let outcome = Outcome::Malformed(Box::new(malformed));
        drop(respond::record_and_respond(
            outcome,
            &self.proxy.ledger,
            &self.proxy.metrics,
        ));
    }
}
