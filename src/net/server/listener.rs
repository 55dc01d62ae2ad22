//! Listening sockets: one for each port, bound once. With `SO_REUSEPORT` another process could take half of the callers
//! unnoticed. Accepted connections are handed to the worker with the fewest.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::{
        fs::{FileTypeExt, PermissionsExt},
        net::UnixStream,
    },
    path::{Path, PathBuf},
};

use crate::net::peer::Peer;
use socket2::{Domain, SockRef, Socket, Type};

/// Connections that the kernel queues for us.
const BACKLOG: i32 = 4096;
/// Most of a response that the kernel takes beyond what the caller has room for, in bytes. By default it is megabytes, and a
/// caller that reads slowly looks for minutes as if it did not read at all.
const NOTSENT_LOWAT_BYTES: u32 = 128 * 1024;

/// A socket that callers connect to.
pub enum Listener {
    /// TCP, bound here or passed by the service manager.
    Tcp(tokio::net::TcpListener),
    /// A Unix socket and its file.
    Unix(tokio::net::UnixListener, UnixSocketFile),
}

/// A listener that no runtime polls.
pub enum UnregisteredListener {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener, UnixSocketFile),
}

/// The file of a Unix socket. Removed when dropped.
pub struct UnixSocketFile(PathBuf);

impl Drop for UnixSocketFile {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = fs::remove_file(&self.0);
    }
}

/// A connection as accepted, not yet registered with a runtime.
pub enum AcceptedSocket {
    /// Over TCP.
    Tcp(std::net::TcpStream),
    /// Over a Unix socket.
    Unix(std::os::unix::net::UnixStream),
}

/// Why an address cannot be listened on. The texts are for operators.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("{address} is in use by another program")]
    InUse { address: String },
    #[error("{address} cannot be listened on: {error}")]
    Failed { address: String, error: io::Error },
}

fn bind_error(address: &impl ToString, error: io::Error) -> BindError {
    let address = address.to_string();
    if error.kind() == io::ErrorKind::AddrInUse {
        BindError::InUse { address }
    } else {
        BindError::Failed { address, error }
    }
}

fn has_abandoned_socket(path: &Path) -> io::Result<bool> {
    if UnixStream::connect(path).is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    // Whoever connects to a plain file is refused as well.
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => Ok(true),
        Ok(_) => Err(io::Error::other("the path exists and is not a socket")),
        Err(_) => Ok(false),
    }
}

impl Listener {
    /// Binds a TCP address.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn tcp(address: SocketAddr) -> Result<Self, BindError> {
        Self::bind_tcp(address).map_err(|error| bind_error(&address, error))
    }

    fn bind_tcp(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        // Only so that a restart need not wait for old connections; a second listener is still refused.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Self::from_tcp(socket.into())
    }

    /// Takes over a listening socket, such as one that the service manager passed.
    ///
    /// # Errors
    /// When it cannot be registered with the runtime.
    pub fn from_tcp(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        // Connections inherit it from their listener. A kernel without it will do.
        let _ = SockRef::from(&listener).set_tcp_notsent_lowat(NOTSENT_LOWAT_BYTES);
        Ok(Self::Tcp(tokio::net::TcpListener::from_std(listener)?))
    }

    /// Takes the listener off this runtime, to be served on another.
    ///
    /// # Errors
    /// When it cannot be taken off.
    pub fn into_std(self) -> io::Result<UnregisteredListener> {
        match self {
            Self::Tcp(listener) => listener.into_std().map(UnregisteredListener::Tcp),
            Self::Unix(listener, file) => {
                let listener = listener.into_std()?;
                Ok(UnregisteredListener::Unix(listener, file))
            }
        }
    }

    /// Binds a Unix socket whose file has the permissions `mode`; a socket file that nobody listens on is replaced.
    ///
    /// # Errors
    /// When the path is in use, or is not a socket.
    pub fn unix(path: &Path, mode: u32) -> Result<Self, BindError> {
        Self::bind_unix(path, mode).map_err(|error| bind_error(&path.display(), error))
    }

    fn bind_unix(path: &Path, mode: u32) -> io::Result<Self> {
        if has_abandoned_socket(path)? {
            fs::remove_file(path)?;
        }
        let listener = tokio::net::UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        Ok(Self::Unix(listener, UnixSocketFile(path.to_owned())))
    }

    /// Whether there is a socket file at `path` that nobody listens on: [`Listener::unix`] would replace it.
    ///
    /// # Errors
    /// When the path is in use, or is not a socket.
    pub fn would_replace(path: &Path) -> Result<bool, BindError> {
        has_abandoned_socket(path).map_err(|error| bind_error(&path.display(), error))
    }

    /// The address in force, such as `127.0.0.1:6465` or a path: with the port that was chosen for port 0.
    #[must_use]
    pub fn local_address(&self) -> String {
        match self {
            Self::Tcp(listener) => listener
                .local_addr()
                .map_or_else(|_| "?".to_owned(), |address| address.to_string()),
            Self::Unix(_, file) => file.0.display().to_string(),
        }
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// The kernel's, such as that there are no file descriptors left.
    pub async fn accept(&self) -> io::Result<(AcceptedSocket, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok((AcceptedSocket::Tcp(stream.into_std()?), Peer::Tcp(address)))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                let uid = stream.peer_cred()?.uid();
                Ok((AcceptedSocket::Unix(stream.into_std()?), Peer::Unix { uid }))
            }
        }
    }
}
