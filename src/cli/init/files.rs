//! Writes a new configuration and the secrets beside it; existing files are never touched.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    files::{PRIVATE_MODE, write_new},
    net::client::outgoing_proxy::OutgoingProxy,
    random,
    secret::Secret,
};

use super::{
    answers::Answers,
    config_target::{ConfigTarget, STORE_KEY, TargetDirectories, secret_name},
    place::TenantAddress,
    proxy_choice::ProxyChoice,
};

const KEY_BYTES: usize = 32;

/// A service's own user reads its configuration; secrets are passed to it in other ways.
const READABLE: u32 = 0o644;

pub(super) struct WrittenFiles {
    pub(super) config: PathBuf,
    secret_files: Vec<PathBuf>,
}

impl WrittenFiles {
    pub(super) fn all(&self) -> impl Iterator<Item = &PathBuf> {
        std::iter::once(&self.config).chain(&self.secret_files)
    }

    /// Removes what was written.
    pub(super) fn remove(&self) {
        for path in self.all() {
            // The next run reports what cannot be removed.
            let _ = fs::remove_file(path);
        }
    }
}

/// A file that could not be written.
pub(super) struct FileError {
    pub(super) path: PathBuf,
    pub(super) error: io::Error,
}

/// # Errors
/// The path that could not be written; files written before it have been removed again.
pub(super) fn write(target: &ConfigTarget, answers: &Answers) -> Result<WrittenFiles, FileError> {
    let mut written = WrittenFiles {
        config: target.file.clone(),
        secret_files: Vec::new(),
    };
    if let Err(error) = write_all(target, answers, &mut written.secret_files) {
        for path in &written.secret_files {
            // The first error is the one to tell.
            let _ = fs::remove_file(path);
        }
        return Err(error);
    }
    Ok(written)
}

fn write_all(
    target: &ConfigTarget,
    answers: &Answers,
    beside: &mut Vec<PathBuf>,
) -> Result<(), FileError> {
    let is_root = rustix::process::geteuid().is_root();
    let (directory_mode, mode) = if is_root {
        (0o755, READABLE)
    } else {
        (0o700, PRIVATE_MODE)
    };
    let directory = target.directory();
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| FileError { path, error }
    };
    DirBuilder::new()
        .recursive(true)
        .mode(directory_mode)
        .create(directory)
        .map_err(at(directory))?;
    let mut write_secret = |name: &str, content: &[u8]| {
        let path = directory.join(name);
        write_new(&path, content, PRIVATE_MODE).map_err(at(&path))?;
        beside.push(path);
        Ok(())
    };
    if answers.secret_file.is_none() {
        let secret = answers.secret.expose().as_bytes();
        write_secret(&secret_name(answers.tenant.as_str()), secret)?;
    }
    if let ProxyChoice::Through {
        user: Some(user), ..
    } = &answers.proxy
    {
        write_secret(&password_name(answers), user.password.expose().as_bytes())?;
    }
    if answers.user_client_id.is_some() {
        let key = random::bytes::<KEY_BYTES>().map(Secret::new);
        let no_randomness = || io::Error::other("the system provided no random bytes");
        let key = key.ok_or_else(|| at(&directory.join(STORE_KEY))(no_randomness()))?;
        write_secret(STORE_KEY, key.expose())?;
    }
    let text = text(answers, &target.directories);
    write_new(&target.file, text.as_bytes(), mode).map_err(at(&target.file))
}

fn password_name(answers: &Answers) -> String {
    format!("{}.proxy-password", answers.tenant)
}

/// A minimal configuration.
fn text(answers: &Answers, directories: &TargetDirectories) -> String {
    let name = if answers.tenant.as_str().contains('.') {
        quoted(answers.tenant.as_str())
    } else {
        answers.tenant.to_string()
    };
    let address = match &answers.place.address {
        TenantAddress::Region(region) => format!("region  = {}", quoted(region.as_str())),
        TenantAddress::Url(url) => format!("url     = {}", quoted(url)),
    };
    let client_id = quoted(&answers.client_id);
    let secret = answers.secret_file.clone();
    let secret = secret.unwrap_or_else(|| secret_name(answers.tenant.as_str()));
    let secret = quoted(&secret);
    let mut lines = vec![
        format!("[tenant.{name}]"),
        address,
        format!("service = {{ client_id = {client_id}, client_secret = {{ file = {secret} }} }}"),
    ];
    lines.extend(proxy_line(answers));
    let path_line = |name: &str| {
        let path = match directories {
            TargetDirectories::System => return None,
            TargetDirectories::Beside => name.to_owned(),
            TargetDirectories::State(state) => state.join(name).display().to_string(),
        };
        Some(format!("path = {}", quoted(&path)))
    };
    if let Some(id) = &answers.user_client_id {
        lines.push(format!("\n[tenant.{name}.user]"));
        lines.push(format!("client_id = {}", quoted(id)));
        lines.push("platform = \"native\"".to_owned());
        lines.push("\n[store]".to_owned());
        lines.push(format!("seal = {{ file = {} }}", quoted(STORE_KEY)));
        lines.extend(path_line("store"));
    }
    if let Some(path) = path_line("audit") {
        lines.push("\n[audit]".to_owned());
        lines.push(path);
    }
    lines.join("\n") + "\n"
}

/// None where the environment says how NinjaOne is reached.
fn proxy_line(answers: &Answers) -> Option<String> {
    let proxy = match &answers.proxy {
        ProxyChoice::Environment => return None,
        ProxyChoice::Direct => quoted("none"),
        ProxyChoice::Through { host, port, user } => {
            let url = quoted(&OutgoingProxy::new(host.clone(), *port, None).to_string());
            match user {
                None => format!("{{ url = {url} }}"),
                Some(user) => format!(
                    "{{ url = {url}, user = {}, password = {{ file = {} }} }}",
                    quoted(&user.name),
                    quoted(&password_name(answers))
                ),
            }
        }
    };
    Some(format!("proxy   = {proxy}"))
}

/// A JSON string is also a TOML string.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
