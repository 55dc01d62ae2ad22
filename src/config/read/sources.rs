//! Finds the configuration file, and reads the files that make up the configuration.

use std::{
    fs::OpenOptions,
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::{
    diagnostics::{ConfigurationError, Diagnostic, Diagnostics, SourceLocation},
    source_file::SourceFile,
};

/// Longest configuration file.
pub(crate) const FILE_BYTES_MAX: usize = 1024 * 1024;
/// Most files in `callers.d`.
pub(crate) const CALLER_FILES_MAX: usize = 1000;
/// The directory of caller files, beside the configuration file.
pub(crate) const CALLERS_DIRECTORY: &str = "callers.d";

const FILE_NAME: &str = "config.toml";
const PROGRAM: &str = "ninjaone-proxy";
const SYSTEM_FILE: &str = "/etc/ninjaone-proxy/config.toml";

/// Where a configuration comes from: its main file and the environment.
#[derive(Debug, Clone)]
pub struct Sources {
    pub file: PathBuf,
    /// Names and values. `NJP__…` are settings; others are used where a secret refers to them.
    pub environment: Vec<(String, String)>,
}

impl Sources {
    #[must_use]
    pub(crate) fn env_var(&self, name: &str) -> Option<&str> {
        let found = self.environment.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The directory that relative paths in the configuration start from.
    #[must_use]
    pub(crate) fn caller_directory(&self) -> &Path {
        match self.file.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        }
    }

    #[must_use]
    pub(crate) fn callers_directory(&self) -> PathBuf {
        match self.file.parent() {
            Some(parent) => parent.join(CALLERS_DIRECTORY),
            None => PathBuf::from(CALLERS_DIRECTORY),
        }
    }
}

/// The configuration file to use: `given` (from `--config`), or the first that exists of those of systemd, of the user
/// and of the system.
///
/// # Errors
/// There is none; the error names the paths that were tried.
pub fn find_config_file(
    given: Option<&Path>,
    environment: &[(String, String)],
) -> Result<PathBuf, ConfigurationError> {
    let candidates = config_file_candidates(given, environment);
    if let Some(found) = candidates.iter().find(|path| path.is_file()) {
        return Ok(found.clone());
    }
    if let Some((path, error)) = candidates.iter().find_map(|it| hidden_by_permission(it)) {
        let diagnostic = Diagnostic::without_location(
            format!("{} cannot be read: {error}", path.display()),
            permission_hint(path, &error),
        );
        return Err(diagnostic.into());
    }
    let candidates: Vec<String> = candidates
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let message = format!(
        "there is no configuration file; looked for {}",
        candidates.join(", ")
    );
    let hint = match given {
        Some(_) => "check this path, or name another file with --config",
        None => "write one (`ninjaone-proxy init`), or name it with --config",
    };
    Err(Diagnostic::without_location(message, Some(hint.to_owned())).into())
}

/// Whether nobody can say if the file is there, because this user may not enter a directory above it.
fn hidden_by_permission(path: &Path) -> Option<(&Path, io::Error)> {
    let error = path.metadata().err()?;
    (error.kind() == io::ErrorKind::PermissionDenied).then_some((path, error))
}

/// Who asks and who could, if that is what is wrong.
fn permission_hint(path: &Path, error: &io::Error) -> Option<String> {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return None;
    }
    let user = rustix::process::geteuid().as_raw();
    // Of the nearest thing that this user can see.
    let seen = path
        .ancestors()
        .find_map(|it| Some((it, it.metadata().ok()?)));
    Some(match seen {
        Some((seen, metadata)) if metadata.uid() == 0 && user != 0 => format!(
            "this command runs as user {user}, and {} belongs to root: run it as root (sudo), or as the user of the proxy",
            seen.display()
        ),
        Some((seen, metadata)) if metadata.uid() != user => format!(
            "this command runs as user {user}, and {} belongs to user {}: run it as that user or as root (sudo)",
            seen.display(),
            metadata.uid()
        ),
        _ => format!(
            "this command runs as user {user}: run it as the user of the proxy or as root (sudo), or give this user the right to read it"
        ),
    })
}

/// The paths where a configuration is searched, in order.
#[must_use]
pub(crate) fn config_file_candidates(
    given: Option<&Path>,
    environment: &[(String, String)],
) -> Vec<PathBuf> {
    if let Some(given) = given {
        return vec![given.to_owned()];
    }
    let variable = |wanted: &str| {
        let found = environment.iter().find(|(name, _)| name == wanted)?;
        Some(found.1.as_str()).filter(|value| !value.is_empty())
    };
    let mut candidates = Vec::new();
    // If the unit has several directories, systemd separates them with colons.
    for directory in variable("CONFIGURATION_DIRECTORY")
        .into_iter()
        .flat_map(|it| it.split(':'))
    {
        candidates.push(Path::new(directory).join(FILE_NAME));
    }
    let user = variable("XDG_CONFIG_HOME").map(PathBuf::from);
    let user = user.or_else(|| variable("HOME").map(|home| Path::new(home).join(".config")));
    if let Some(user) = user {
        candidates.push(user.join(PROGRAM).join(FILE_NAME));
    }
    candidates.push(PathBuf::from(SYSTEM_FILE));
    candidates
}

/// Reads the configuration file and then those of callers, sorted by name.
pub(in crate::config) fn read(sources: &Sources, diagnostics: &mut Diagnostics) -> Vec<SourceFile> {
    let mut files = Vec::new();
    read_into(
        &sources.file,
        short_name(&sources.file),
        &mut files,
        diagnostics,
    );
    let directory = sources.callers_directory();
    for path in caller_files(&directory, diagnostics) {
        let short = format!("{CALLERS_DIRECTORY}/{}", short_name(&path));
        read_into(&path, short, &mut files, diagnostics);
    }
    files
}

fn read_into(
    path: &Path,
    short: String,
    files: &mut Vec<SourceFile>,
    diagnostics: &mut Diagnostics,
) {
    let name = path.display().to_string();
    match read_file(path) {
        Ok(content) => files.push(SourceFile::new(name, short, content)),
        Err(FileReadError { message, hint }) => {
            diagnostics.error(SourceLocation::Named(name), message, hint);
        }
    }
}

/// Why a file was not read.
struct FileReadError {
    message: String,
    hint: Option<String>,
}

impl From<String> for FileReadError {
    fn from(message: String) -> Self {
        Self {
            message,
            hint: None,
        }
    }
}

fn read_file(path: &Path) -> Result<String, FileReadError> {
    let cannot = |error: io::Error| FileReadError {
        message: format!("the file cannot be read: {error}"),
        hint: permission_hint(path, &error),
    };
    // Non-blocking, because it may be a FIFO.
    let not_blocking = rustix::fs::OFlags::NONBLOCK.bits();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(not_blocking.cast_signed())
        .open(path)
        .map_err(cannot)?;
    if !file.metadata().map_err(cannot)?.is_file() {
        return Err("this is not a file".to_owned().into());
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX);
    let mut bounded = file.take(limit + 1);
    bounded.read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(format!("the file is longer than {FILE_BYTES_MAX} bytes").into());
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("the file is not UTF-8: byte {at} is not part of a character")
    })?;
    Ok(text
        .strip_prefix('\u{feff}')
        .map(str::to_owned)
        .unwrap_or(text))
}

/// The files of callers, sorted. Hidden files and editors' backups are skipped.
fn caller_files(directory: &Path, diagnostics: &mut Diagnostics) -> Vec<PathBuf> {
    let at = || SourceLocation::Named(directory.display().to_string());
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            diagnostics.error(
                at(),
                format!("the directory cannot be read: {error}"),
                permission_hint(directory, &error),
            );
            return Vec::new();
        }
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = match entry {
            Ok(entry) => entry.path(),
            Err(error) => {
                diagnostics.error(at(), format!("the directory cannot be read: {error}"), None);
                break;
            }
        };
        if is_caller_file(&path) {
            files.push(path);
        }
        if files.len() > CALLER_FILES_MAX {
            let message = format!("the directory holds more than {CALLER_FILES_MAX} files");
            diagnostics.error(at(), message, None);
            return Vec::new();
        }
    }
    files.sort();
    files
}

fn is_caller_file(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy());
    path.extension().is_some_and(|it| it == "toml") && !name.is_some_and(|it| it.starts_with('.'))
}

fn short_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}
