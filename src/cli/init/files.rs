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
    random,
    secret::Secret,
};

use super::answers::{Answers, TenantAddress};

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

/// # Errors
/// The path that could not be written; files written before it have been removed again.
pub(super) fn write(file: &Path, answers: &Answers) -> Result<WrittenFiles, (PathBuf, io::Error)> {
    let mut written = WrittenFiles {
        config: file.to_owned(),
        secret_files: Vec::new(),
    };
    let outcome = write_all(file, answers, &mut written.secret_files);
    if let Err((path, error)) = outcome {
        for path in &written.secret_files {
            let _ = fs::remove_file(path);
        }
        return Err((path, error));
    }
    Ok(written)
}

fn write_all(
    file: &Path,
    answers: &Answers,
    beside: &mut Vec<PathBuf>,
) -> Result<(), (PathBuf, io::Error)> {
    let is_root = rustix::process::geteuid().is_root();
    let (directory_mode, mode) = if is_root {
        (0o755, READABLE)
    } else {
        (0o700, PRIVATE_MODE)
    };
    let directory = match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| (path, error)
    };
    DirBuilder::new()
        .recursive(true)
        .mode(directory_mode)
        .create(directory)
        .map_err(at(directory))?;
    let secret_name = format!("{}.secret", answers.tenant);
    if answers.secret_file.is_none() {
        let path = directory.join(&secret_name);
        write_new(&path, answers.secret.expose().as_bytes(), PRIVATE_MODE).map_err(at(&path))?;
        beside.push(path);
    }
    if answers.user_client_id.is_some() {
        let path = directory.join("store.key");
        let key = random::bytes::<KEY_BYTES>().map(Secret::new);
        let key = key.ok_or_else(|| (path.clone(), io::Error::other("no randomness")))?;
        write_new(&path, key.expose(), PRIVATE_MODE).map_err(at(&path))?;
        beside.push(path);
    }
    let secret = answers.secret_file.clone().unwrap_or(secret_name);
    let text = text(answers, &secret, directory.starts_with("/etc"));
    write_new(file, text.as_bytes(), mode).map_err(at(file))
}

/// A minimal configuration. Outside /etc the log and the store are beside the file: the default directories belong to root.
fn text(answers: &Answers, secret: &str, is_of_system: bool) -> String {
    // A JSON string is also a TOML string.
    let quoted = |text: &str| Value::from(text).to_string();
    let address_line = match &answers.address {
        TenantAddress::Region(region) => format!("region  = {}", quoted(region.as_str())),
        TenantAddress::Url(url) => format!("url     = {}", quoted(url)),
    };
    let (name, client_id) = (answers.tenant.as_str(), quoted(&answers.client_id));
    let name = if name.contains('.') {
        quoted(name)
    } else {
        name.to_owned()
    };
    let secret = quoted(secret);
    let mut text = format!(
        "[tenant.{name}]\n{address_line}\nservice = {{ client_id = {client_id}, client_secret = {{ file = {secret} }} }}\n"
    );
    if let Some(id) = &answers.user_client_id {
        let id = quoted(id);
        text += "\n[tenant.";
        text += &name;
        text += ".user]\nclient_id = ";
        text += &id;
        text += "\nplatform = \"native\"\n\n[store]\nseal = { file = \"store.key\" }\n";
        if !is_of_system {
            text += "path = \"store\"\n";
        }
    }
    if !is_of_system {
        text += "\n[audit]\npath = \"audit\"\n";
    }
    text
}
