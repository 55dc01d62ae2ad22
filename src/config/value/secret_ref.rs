//! Reads a secret from where the configuration says it is stored.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::{fs::OpenOptionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    time::Duration,
};

use base64::{
    Engine,
    prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use rustix::fs::StatVfsMountFlags;
use zeroize::{Zeroize, Zeroizing};

use crate::{
    files::{ACCESSIBLE_BY_OTHERS, forbidden_mode, foreign_owner},
    hex,
    secret::Secret,
    shell_word::shell_word,
};

use super::{
    secret_text::{self, SecretEdges, WideEncoding},
    store_key_hint::key_hint,
};

/// Longest secret, in bytes.
pub(crate) const SECRET_BYTES_MAX: usize = 64 * 1024;
/// Length of a key of the store (AES-256), in bytes.
const KEY_BYTES: usize = 32;
/// Shortest passphrase, in characters.
const PASSPHRASE_CHARACTERS_MIN: usize = 12;

/// How long a command may take to print a secret.
pub(crate) const EXEC_TIMEOUT: Duration = Duration::from_secs(10);
/// Poll interval for the exit of a command that has closed its output.
const EXIT_POLL_INTERVAL: Duration = Duration::from_millis(10);
/// Where container engines and orchestrators put secrets, after `$CREDENTIALS_DIRECTORY`.
const CREDENTIAL_DIRECTORIES: [&str; 2] = ["/run/secrets", "/var/run/secrets/ninjaone-proxy"];

/// Why a secret cannot be read. The messages never contain any of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error("the secret file {0} does not exist")]
    FileNotFound(String),
    #[error("the secret file {path} cannot be read: {why}")]
    Unreadable {
        path: String,
        kind: io::ErrorKind,
        why: String,
    },
    #[error("{0} is not a file")]
    NotAFile(String),
    #[error("the secret file {path} may be read or changed by others (mode {mode:04o})")]
    InsecurePermissions {
        path: String,
        mode: u32,
        /// It cannot be changed here: the mount is read-only, or the file is somebody else's.
        is_fixed: bool,
    },
    #[error(
        "the secret file {path} belongs to user {owner}, who is neither root nor the user that runs this"
    )]
    WrongOwner { path: String, owner: u32 },
    #[error("the secret is empty")]
    Empty,
    #[error("the secret is longer than {SECRET_BYTES_MAX} bytes")]
    TooLong,
    #[error("the secret is not UTF-8 text")]
    NotUtf8,
    #[error("the secret is text in {0}, and has to be in UTF-8")]
    WideText(WideEncoding),
    #[error("there is a line break within the secret")]
    LineBreak,
    #[error("the secret holds a control character")]
    ControlCharacter,
    #[error("within the secret is a character that nobody sees (U+{code:04X})", code = u32::from(*.0))]
    HiddenCharacter(char),
    #[error("the environment variable {0} is not set")]
    VariableNotSet(String),
    #[error("a credential's name is a file name, without a slash")]
    InvalidCredentialName,
    #[error("there is no credential {name}; looked in {places}")]
    CredentialNotFound { name: String, places: String },
    #[error("the command is empty")]
    EmptyCommand,
    #[error("the command {program} cannot be started: {why}")]
    SpawnFailed { program: String, why: String },
    #[error("the command {program} did not end within {within:?}")]
    TimedOut { program: String, within: Duration },
    #[error("the command {program} failed ({status})")]
    CommandFailed { program: String, status: String },
    #[error("this is not a key of {KEY_BYTES} bytes: raw, as 64 hex digits or in base64")]
    InvalidKey,
    #[error("this key is not random: all of its bytes are the same")]
    WeakKey,
    #[error("a passphrase has at least {PASSPHRASE_CHARACTERS_MIN} characters")]
    PassphraseTooShort,
}

impl SecretError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::InsecurePermissions {
                path,
                is_fixed: true,
                ..
            } => Some(credential_hint(Path::new(path))),
            Self::InsecurePermissions { path, .. } => {
                Some(format!("chmod 600 {}", shell_word(path)))
            }
            Self::FileNotFound(path) => Some(format!(
                "put the secret there, readable by you alone: (umask 077; cat > {}), paste it, then Enter and Ctrl-D",
                shell_word(path)
            )),
            Self::Unreadable {
                path,
                kind: io::ErrorKind::PermissionDenied,
                ..
            } => Some(format!(
                "run it as the user of the proxy or as root (sudo), or give this user the right to read {path}"
            )),
            Self::WrongOwner { path, .. } => Some(format!(
                "chown it to the user that runs ninjaone-proxy, or to root: {path}"
            )),
            Self::CredentialNotFound { .. } => Some(
                "systemd: LoadCredential=; Docker: --secret; Kubernetes: a mounted Secret".into(),
            ),
            Self::WideText(_) => Some(
                "save it as UTF-8; in PowerShell: Set-Content -NoNewline -Encoding ascii".into(),
            ),
            Self::LineBreak => Some("a secret is one line: leave it alone in its place".into()),
            Self::HiddenCharacter(_) => {
                Some("copy the secret again from NinjaOne, and save it as plain text".into())
            }
            Self::CommandFailed { .. } => Some("run it by hand to see what it says".into()),
            Self::InvalidKey | Self::WeakKey => Some(key_hint(Path::new("store.key"))),
            _ => None,
        }
    }
}

/// How to use a file that Kubernetes or Docker has mounted as it is: as a credential, whose mode is the platform's to set.
fn credential_hint(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().display();
    let directory = path
        .parent()
        .unwrap_or(Path::new("/"))
        .display()
        .to_string();
    let variable = if CREDENTIAL_DIRECTORIES.contains(&directory.as_str()) {
        String::new()
    } else {
        format!(", and set the environment variable CREDENTIALS_DIRECTORY={directory}")
    };
    format!(
        "its mode cannot be changed here, as with secrets that Kubernetes and Docker mount: write {{ credential = \"{name}\" }} in place of {{ file = … }}{variable}. Credentials are looked for in $CREDENTIALS_DIRECTORY, {places}; who may read them is left to the platform (Kubernetes: defaultMode of the volume)",
        places = CREDENTIAL_DIRECTORIES.join(" and ")
    )
}

/// The bytes of a secret, not validated yet.
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// A client secret: one line of text, without blanks and invisible characters around it.
    pub fn text(&self) -> Result<Secret<String>, SecretError> {
        visible_text(&self.0)
    }

    /// What [`SecretBytes::text`] leaves off besides a line end.
    #[must_use]
    pub fn edges(&self) -> Option<SecretEdges> {
        secret_text::edges_of(std::str::from_utf8(&self.0).ok()?)
    }

    /// A passphrase: a text of at least 12 characters. It is sent nowhere, and what it has sealed opens with it alone: blanks at
    /// its ends are part of it.
    pub(crate) fn passphrase(&self) -> Result<Secret<String>, SecretError> {
        let text = text(&self.0)?;
        if text.expose().chars().count() < PASSPHRASE_CHARACTERS_MIN {
            return Err(SecretError::PassphraseTooShort);
        }
        Ok(text)
    }

    /// A key of 32 bytes: raw, as 64 hex digits, or in base64 or base64url.
    pub(crate) fn key(&self) -> Result<Secret<[u8; KEY_BYTES]>, SecretError> {
        // 32 random bytes are hardly ever text, and 32 typed characters are not a key.
        let is_raw = self.0.len() == KEY_BYTES;
        let decoded = match visible_text(&self.0) {
            Ok(text) => decode_key(text.expose()).ok_or(SecretError::InvalidKey)?,
            Err(error @ SecretError::WideText(_)) if !is_raw => return Err(error),
            Err(
                SecretError::NotUtf8
                | SecretError::ControlCharacter
                | SecretError::LineBreak
                | SecretError::HiddenCharacter(_)
                | SecretError::WideText(_),
            ) => self.0.clone(),
            Err(error) => return Err(error),
        };
        let key: [u8; KEY_BYTES] = decoded
            .as_slice()
            .try_into()
            .map_err(|_| SecretError::InvalidKey)?;
        let first = key.first();
        if key.iter().all(|byte| Some(byte) == first) {
            return Err(SecretError::WeakKey);
        }
        Ok(Secret::new(key))
    }
}

/// Decodes hex, or base64 in either alphabet, padded or not.
fn decode_key(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; KEY_BYTES]);
    if hex::decode_into(text.as_bytes(), &mut bytes).is_some() {
        return Some(bytes);
    }
    let plain = text.trim_end_matches('=');
    let standard = BASE64_STANDARD_NO_PAD.decode(plain);
    let decoded = standard.or_else(|_| BASE64_URL_SAFE_NO_PAD.decode(plain));
    decoded.ok().map(Zeroizing::new)
}

/// Reads a secret from a file that only its owner may read.
pub(crate) fn from_file(path: &Path) -> Result<SecretBytes, SecretError> {
    read_file(path, PermissionCheck::Enforced).map(SecretBytes)
}

/// Reads a secret from an environment variable.
pub(crate) fn from_variable(name: &str, value: Option<&str>) -> Result<SecretBytes, SecretError> {
    let value = value.ok_or_else(|| SecretError::VariableNotSet(name.to_owned()))?;
    Ok(SecretBytes(Zeroizing::new(value.as_bytes().to_vec())))
}

/// Reads a credential of systemd, Docker or Kubernetes; also gives its file. The platform controls who can read that file,
/// so its mode is not checked.
pub(crate) fn from_credential(
    name: &str,
    credentials_directory: Option<&str>,
) -> Result<(PathBuf, SecretBytes), SecretError> {
    if name.is_empty() || name.contains(['/', '\0']) || matches!(name, "." | "..") {
        return Err(SecretError::InvalidCredentialName);
    }
    let directories: Vec<&str> = credentials_directory
        .into_iter()
        .chain(CREDENTIAL_DIRECTORIES)
        .collect();
    for directory in &directories {
        let path = Path::new(directory).join(name);
        if path.exists() {
            let bytes = read_file(&path, PermissionCheck::LeftToPlatform)?;
            return Ok((path, SecretBytes(bytes)));
        }
    }
    Err(SecretError::CredentialNotFound {
        name: name.to_owned(),
        places: directories.join(", "),
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PermissionCheck {
    Enforced,
    LeftToPlatform,
}

fn read_file(path: &Path, exposure: PermissionCheck) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let shown = || path.display().to_string();
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => SecretError::FileNotFound(shown()),
        kind => SecretError::Unreadable {
            path: shown(),
            kind,
            why: error.to_string(),
        },
    };
    // Non-blocking, because it may be a FIFO. The kind is checked on the open file, so that it cannot be swapped in between.
    let not_blocking = rustix::fs::OFlags::NONBLOCK.bits();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(not_blocking).unwrap_or_default())
        .open(path)
        .map_err(unreadable)?;
    let about = file.metadata().map_err(unreadable)?;
    if !about.is_file() {
        return Err(SecretError::NotAFile(shown()));
    }
    if exposure == PermissionCheck::Enforced {
        if let Some(mode) = forbidden_mode(&about, ACCESSIBLE_BY_OTHERS) {
            return Err(SecretError::InsecurePermissions {
                path: shown(),
                mode,
                is_fixed: is_on_read_only_mount(&file) || foreign_owner(&about).is_some(),
            });
        }
        // Root may hand us a secret.
        if let Some(owner) = foreign_owner(&about).filter(|owner| *owner != 0) {
            return Err(SecretError::WrongOwner {
                path: shown(),
                owner,
            });
        }
    }
    read_bounded(file)
        .map_err(unreadable)?
        .ok_or(SecretError::TooLong)
}

fn is_on_read_only_mount(file: &File) -> bool {
    let about = rustix::fs::fstatvfs(file);
    about.is_ok_and(|it| it.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// Reads to the end; `None` if it is too long.
fn read_bounded(source: impl Read) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    // Allocated at full capacity, so that growing leaves no copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_MAX + 1));
    let limit = u64::try_from(SECRET_BYTES_MAX).unwrap_or(u64::MAX);
    source.take(limit + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes).filter(|bytes| bytes.len() <= SECRET_BYTES_MAX))
}

/// The secret without what editors, consoles and clipboards leave around it.
fn visible_text(bytes: &[u8]) -> Result<Secret<String>, SecretError> {
    let text = secret_text::trim(utf8(bytes)?);
    if text.is_empty() {
        return Err(SecretError::Empty);
    }
    reject_control_characters(text)?;
    match secret_text::hidden_within(text) {
        Some(hidden) => Err(SecretError::HiddenCharacter(hidden)),
        None => Ok(Secret::new(text.to_owned())),
    }
}

/// The text without the trailing newline that editors and `echo` leave.
fn text(bytes: &[u8]) -> Result<Secret<String>, SecretError> {
    let text = utf8(bytes)?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(SecretError::Empty);
    }
    reject_control_characters(text)?;
    Ok(Secret::new(text.to_owned()))
}

fn utf8(bytes: &[u8]) -> Result<&str, SecretError> {
    if bytes.len() > SECRET_BYTES_MAX {
        return Err(SecretError::TooLong);
    }
    if let Some(encoding) = secret_text::wide_encoding(bytes) {
        return Err(SecretError::WideText(encoding));
    }
    std::str::from_utf8(bytes).map_err(|_| SecretError::NotUtf8)
}

fn reject_control_characters(text: &str) -> Result<(), SecretError> {
    match text.chars().find(|it| it.is_control()) {
        Some('\r' | '\n') => Err(SecretError::LineBreak),
        Some(_) => Err(SecretError::ControlCharacter),
        None => Ok(()),
    }
}

/// Reads a secret from the output of a command. The command gets no input, its stderr is discarded, and it is killed if it
/// takes longer than `within` to close its output, or as long again to exit.
pub fn from_command(command: &[String], within: Duration) -> Result<SecretBytes, SecretError> {
    let (program, arguments) = command.split_first().ok_or(SecretError::EmptyCommand)?;
    let not_started = |error: io::Error| SecretError::SpawnFailed {
        program: program.clone(),
        why: error.to_string(),
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(not_started)?;
    let printed = read_output(&mut child, program, within);
    if printed.is_err() {
        kill_process_group(&mut child);
    }
    let bytes = printed?;
    let status = wait_for_exit(&mut child, program, within)?;
    if !status.success() {
        return Err(SecretError::CommandFailed {
            program: program.clone(),
            status: status.to_string(),
        });
    }
    Ok(SecretBytes(bytes))
}

fn read_output(
    child: &mut Child,
    program: &str,
    within: Duration,
) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let Some(output) = child.stdout.take() else {
        return Err(SecretError::Empty);
    };
    // A read from a pipe has no timeout, so a thread does it. It ends with the command.
    let (sender, receiver) = mpsc::sync_channel(1);
    let reading = std::thread::Builder::new().name("secret-exec".into());
    let started = reading.spawn(move || {
        let unread = sender.send(read_bounded(output));
        if let Err(mpsc::SendError(Ok(Some(mut bytes)))) = unread {
            bytes.zeroize();
        }
    });
    let failed = |status: String| SecretError::CommandFailed {
        program: program.to_owned(),
        status,
    };
    started.map_err(|error| failed(error.to_string()))?;
    match receiver.recv_timeout(within) {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => Err(SecretError::TooLong),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(timed_out(program, within)),
    }
}

/// Waits for the exit of a command that has closed its output; nearly always it exits at once.
fn wait_for_exit(
    child: &mut Child,
    program: &str,
    within: Duration,
) -> Result<ExitStatus, SecretError> {
    let mut waited = Duration::ZERO;
    while waited < within {
        waited += EXIT_POLL_INTERVAL;
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) => std::thread::sleep(EXIT_POLL_INTERVAL),
            Err(_) => break,
        }
    }
    kill_process_group(child);
    Err(timed_out(program, within))
}

fn timed_out(program: &str, within: Duration) -> SecretError {
    SecretError::TimedOut {
        program: program.to_owned(),
        within,
    }
}

/// Kills the command and its child processes.
fn kill_process_group(child: &mut Child) {
    let group = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        // It may have exited by itself.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_may_not_be_read_is_known_by_the_kind_of_error_in_whatever_language() {
        let unreadable = |kind, why: &str| SecretError::Unreadable {
            path: "acme.secret".to_owned(),
            kind,
            why: why.to_owned(),
        };
        let denied = unreadable(io::ErrorKind::PermissionDenied, "Keine Berechtigung").hint();
        assert!(denied.is_some_and(|it| it.contains("(sudo)")));
        assert_eq!(
            unreadable(io::ErrorKind::Other, "Permission denied").hint(),
            None
        );
    }
}
