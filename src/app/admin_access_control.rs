//! The admin socket and who is let in, there and at the admin listener.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;

use crate::{
    admin::access::AdminAccess,
    config::{AdminConfig, AdminIdentity},
    net::server::listener::{BindError, Listener},
};

use super::wiring;

/// For the proxy's own user, and root.
const OWN_MODE: u32 = 0o600;
/// Anybody may connect: the kernel says who it is, and `[[admin.access]]` what they may do.
const ANYBODY_MODE: u32 = 0o666;
/// Of a directory that is made for the socket.
const DIRECTORY_MODE: u32 = 0o700;

/// Who has access, and the socket whose permissions follow from it.
pub(crate) struct AdminAccessControl {
    pub(super) access: Arc<ArcSwap<AdminAccess>>,
    socket: Option<PathBuf>,
}

impl AdminAccessControl {
    /// Opens the socket that the configuration asks for. A default place that cannot be used is left alone, and the log says so:
    /// another process may serve there.
    ///
    /// # Errors
    /// The place that the configuration names cannot be used.
    pub(super) fn open(config: &AdminConfig) -> Result<(Self, Option<Listener>), BindError> {
        let access = Arc::new(ArcSwap::from_pointee(wiring::admin_access(config)));
        let Some(socket) = &config.socket else {
            let control = Self {
                access,
                socket: None,
            };
            return Ok((control, None));
        };
        let listener = match listen(&socket.path, mode(config)) {
            Ok(listener) => Some(listener),
            Err(error) if socket.is_configured => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "there is no admin socket; set admin.socket to choose another place");
                None
            }
        };
        let control = Self {
            access,
            socket: listener.is_some().then(|| socket.path.clone()),
        };
        Ok((control, listener))
    }

    /// Applies a new configuration.
    pub(super) fn grant(&self, config: &AdminConfig) {
        self.access.store(Arc::new(wiring::admin_access(config)));
        let Some(path) = &self.socket else { return };
        if let Err(error) = fs::set_permissions(path, fs::Permissions::from_mode(mode(config))) {
            tracing::error!(%error, path = %path.display(), "the permissions of the admin socket cannot be changed");
        }
    }
}

fn mode(config: &AdminConfig) -> u32 {
    let is_account = |who: &AdminIdentity| matches!(who, AdminIdentity::Account(_));
    if config.access.iter().any(|it| is_account(&it.who)) {
        ANYBODY_MODE
    } else {
        OWN_MODE
    }
}

fn listen(path: &Path, mode: u32) -> Result<Listener, BindError> {
    make_directory(path).map_err(|error| BindError::Failed {
        address: path.display().to_string(),
        error,
    })?;
    Listener::unix(path, mode)
}

fn make_directory(socket: &Path) -> io::Result<()> {
    match socket.parent() {
        Some(directory) if !directory.exists() => {
            fs::DirBuilder::new().mode(DIRECTORY_MODE).create(directory)
        }
        _ => Ok(()),
    }
}
