//! Binds every listener of the configuration before the first request is served.

use std::{io, sync::Arc};

use crate::{
    config::{Bind, Listen, TlsBind},
    net::{
        server::listener::{BindError, Listener},
        tls::{ServerCertificate, TlsError},
    },
};

use super::accept::Entrance;

/// Sockets that the service manager passed, by name (`sd_listen_fds`).
pub(crate) struct Inherited(Vec<(String, Option<std::net::TcpListener>)>);

#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("fd:{0}: the service manager passed no socket of that name")]
    NotInherited(String),
    #[error("fd:{0}: {1}")]
    Inherited(String, io::Error),
    #[error("{path}: no group {group:?} on this system")]
    NoGroup { path: String, group: String },
    #[error("{path}: the group cannot be set: {error}")]
    Group { path: String, error: io::Error },
}

impl Inherited {
    /// Takes the sockets that this process inherited. Only the first call finds them.
    #[must_use]
    pub(crate) fn of_process() -> Self {
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
pub(crate) fn open_one(bind: &Bind, inherited: &mut Inherited) -> Result<Listener, OpenError> {
    match bind {
        Bind::Address(address) => Ok(Listener::tcp(*address)?),
        Bind::Inherited(name) => {
            let socket = inherited
                .take(name)
                .ok_or_else(|| OpenError::NotInherited(name.clone()))?;
            Listener::from_tcp(socket).map_err(|error| OpenError::Inherited(name.clone(), error))
        }
    }
}

/// Opens all listeners for callers.
///
/// # Errors
/// The error of the first one that cannot be opened.
pub(crate) fn open(listen: &Listen, inherited: &mut Inherited) -> Result<Vec<Entrance>, OpenError> {
    let mut entrances = Vec::new();
    for bind in &listen.http {
        entrances.push(Entrance {
            listener: open_one(bind, inherited)?,
            certificate: None,
        });
    }
    for TlsBind { bind, cert, key } in &listen.https {
        let certificate = Arc::new(ServerCertificate::load(cert, key)?);
        entrances.push(Entrance {
            listener: open_one(bind, inherited)?,
            certificate: Some(certificate),
        });
    }
    for unix in &listen.unix {
        let listener = Listener::unix(&unix.path, unix.mode)?;
        if let Some(group) = &unix.group {
            give_to_group(&unix.path, group)?;
        }
        entrances.push(Entrance {
            listener,
            certificate: None,
        });
    }
    Ok(entrances)
}

fn give_to_group(path: &std::path::Path, group: &str) -> Result<(), OpenError> {
    let shown = path.display().to_string();
    let id = group_id(group).ok_or_else(|| OpenError::NoGroup {
        path: shown.clone(),
        group: group.to_owned(),
    })?;
    std::os::unix::fs::chown(path, None, Some(id))
        .map_err(|error| OpenError::Group { path: shown, error })
}

/// Resolves a group id: a number, or a name in `/etc/group`.
fn group_id(group: &str) -> Option<u32> {
    if let Ok(id) = group.parse() {
        return Some(id);
    }
    let file = std::fs::read_to_string("/etc/group").ok()?;
    file.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == group).then_some(())?;
        fields.nth(1)?.parse().ok()
    })
}
