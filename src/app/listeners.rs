//! Binds every listener of the configuration before the first request is served.

use std::{io, net::SocketAddr, path::Path, sync::Arc};

use rustix::io::Errno;

use crate::{
    admin::accounts::group_id,
    config::{BindAddress, ListenConfig, TlsListenerConfig, UnixListenerConfig},
    net::{
        server::listener::{BindError, Listener},
        tls::{ServerCertificate, TlsError},
    },
};

use super::accept::BoundListener;

/// Sockets that the service manager passed, by name (`sd_listen_fds`).
pub(crate) struct InheritedSockets(Vec<(String, Option<std::net::TcpListener>)>);

#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenerOpenError {
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("fd:{0}: the service manager passed no socket of that name")]
    NoInheritedSocket(String),
    #[error("fd:{0}: {1}")]
    InheritedSocket(String, io::Error),
    #[error("{path}: no group {group:?} on this system")]
    UnknownGroup { path: String, group: String },
    #[error("{path}: the group cannot be set: {error}")]
    SetGroup { path: String, error: io::Error },
}

impl InheritedSockets {
    /// Takes the sockets that this process inherited. Only the first call finds them.
    #[must_use]
    pub(crate) fn from_process() -> Self {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut passed = listenfd::ListenFd::from_env();
        let sockets = names
            .split(':')
            .enumerate()
            .map(|(at, name)| {
                let socket = passed.take_tcp_listener(at).ok().flatten();
                (name.to_owned(), socket)
            })
            .collect();
        Self(sockets)
    }

    fn take(&mut self, name: &str) -> Option<std::net::TcpListener> {
        let (_, socket) = self.0.iter_mut().find(|(known, _)| known == name)?;
        socket.take()
    }
}

/// Opens a plain listener.
///
/// # Errors
/// The address is in use or cannot be bound.
pub(crate) fn open_listener(
    bind: &BindAddress,
    inherited: &mut InheritedSockets,
) -> Result<Listener, ListenerOpenError> {
    match bind {
        BindAddress::Address(address) => Ok(Listener::tcp(*address)?),
        BindAddress::Inherited(name) => {
            let socket = inherited
                .take(name)
                .ok_or_else(|| ListenerOpenError::NoInheritedSocket(name.clone()))?;
            Listener::from_tcp(socket)
                .map_err(|error| ListenerOpenError::InheritedSocket(name.clone(), error))
        }
    }
}

/// Opens a listener on the loopback of IPv6 where the machine has one.
///
/// # Errors
/// The address is in use. A machine without IPv6 is no error.
pub(crate) fn open_ipv6_listener(
    address: Option<SocketAddr>,
) -> Result<Option<Listener>, ListenerOpenError> {
    let Some(address) = address else {
        return Ok(None);
    };
    match Listener::tcp(address) {
        Ok(listener) => Ok(Some(listener)),
        Err(BindError::Failed { error, .. }) if has_no_ipv6(&error) => {
            tracing::debug!(%address, %error, "there is no IPv6 here");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether the kernel has no IPv6, or no address for its loopback (`disable_ipv6`).
fn has_no_ipv6(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    errno.is_some_and(|it| it == Errno::AFNOSUPPORT || it == Errno::ADDRNOTAVAIL)
}

/// Opens all listeners for callers.
///
/// # Errors
/// The error of the first one that cannot be opened.
pub(crate) fn open_listeners(
    listen: &ListenConfig,
    inherited: &mut InheritedSockets,
) -> Result<Vec<BoundListener>, ListenerOpenError> {
    let mut bound = Vec::new();
    for bind in &listen.http {
        bound.push(BoundListener {
            listener: open_listener(bind, inherited)?,
            certificate: None,
        });
    }
    if let Some(listener) = open_ipv6_listener(listen.http_ipv6)? {
        bound.push(BoundListener {
            listener,
            certificate: None,
        });
    }
    for TlsListenerConfig { bind, cert, key } in &listen.https {
        let certificate = Arc::new(ServerCertificate::load(cert, key)?);
        bound.push(BoundListener {
            listener: open_listener(bind, inherited)?,
            certificate: Some(certificate),
        });
    }
    for unix in &listen.unix {
        bound.push(BoundListener {
            listener: open_unix_listener(unix)?,
            certificate: None,
        });
    }
    Ok(bound)
}

/// Opens a Unix socket whose file belongs to the group that the configuration names.
///
/// # Errors
/// The path is in use, is not a socket, cannot be written, or its group cannot be set.
pub(crate) fn open_unix_listener(unix: &UnixListenerConfig) -> Result<Listener, ListenerOpenError> {
    let UnixListenerConfig { path, mode, group } = unix;
    let listener = Listener::unix(path, *mode)?;
    if let Some(group) = group {
        set_group(path, path, group)?;
    }
    Ok(listener)
}

/// Sets the group of `file`; errors speak of the socket at `path`.
///
/// # Errors
/// There is no such group, or this user may not give a file to it.
pub(crate) fn set_group(path: &Path, file: &Path, group: &str) -> Result<(), ListenerOpenError> {
    let shown = path.display().to_string();
    let id = group_id(group).ok_or_else(|| ListenerOpenError::UnknownGroup {
        path: shown.clone(),
        group: group.to_owned(),
    })?;
    std::os::unix::fs::chown(file, None, Some(id))
        .map_err(|error| ListenerOpenError::SetGroup { path: shown, error })
}
