//! Resumes the chain where it ended, after a stop or a crash.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use crate::{
    audit::{
        chain::Head,
        hashed_line::{HashedLine, LINE_BYTES_MAX},
        log_file::{LOCK_NAME, LogFile, list_log_files},
        log_space::SpaceLimits,
    },
    files::sync_directory,
};

use super::{
    DAY_LENGTH, Day, SinkError,
    active_file::ActiveFile,
    directory::{DirectorySink, create_directory, lock_directory},
};

/// Why a log cannot be continued.
#[derive(Debug, thiserror::Error)]
pub enum LedgerOpenError {
    #[error("cannot {doing} {path}: {source}", path = path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("another process writes this log: it holds {path}", path = path.display())]
    InUse { path: PathBuf },
    #[error("the log does not verify and is not continued: {path}: {why}", path = path.display())]
    Corrupt { path: PathBuf, why: &'static str },
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error("cannot start the thread that writes the log: {0}")]
    Thread(#[source] io::Error),
}

/// Where a log goes on.
pub struct ResumedLog {
    pub directory: DirectorySink,
    pub head: Head,
    /// Half a line that a crash left at the end, and that was cut off.
    pub torn_bytes: u64,
}

/// Locks `path` and finds the end of the chain in it.
///
/// # Errors
/// The directory cannot be used, another process writes to it, or its last line does not verify.
pub fn resume(
    path: &Path,
    file_bytes_max: u64,
    space: SpaceLimits,
) -> Result<ResumedLog, LedgerOpenError> {
    create_directory(path).map_err(io_error("make", path))?;
    let lock_path = path.join(LOCK_NAME);
    let lock = lock_directory(path)
        .map_err(io_error("lock", &lock_path))?
        .ok_or(LedgerOpenError::InUse { path: lock_path })?;
    let mut files = list_log_files(path).map_err(io_error("read", path))?;
    let newest = files.pop();
    let before = files.pop();
    let before_name = before
        .as_ref()
        .map_or_else(String::new, |it| it.name.clone());
    let end = match newest {
        Some(newest) => resume_file(newest, before)?,
        None => create_first_file(path)?,
    };
    sync_directory(path).map_err(io_error("sync", path))?;
    Ok(ResumedLog {
        directory: DirectorySink::new(
            path.to_owned(),
            lock,
            end.active,
            before_name,
            file_bytes_max,
            space,
        ),
        head: end.head,
        torn_bytes: end.torn_bytes,
    })
}

struct LogEnd {
    active: ActiveFile,
    head: Head,
    torn_bytes: u64,
}

fn create_first_file(directory: &Path) -> Result<LogEnd, LedgerOpenError> {
    let log_file = LogFile::starting_at(directory, Head::START.seq + 1);
    let path = log_file.path.clone();
    Ok(LogEnd {
        active: ActiveFile::open(log_file).map_err(io_error("make", &path))?,
        head: Head::START,
        torn_bytes: 0,
    })
}

fn resume_file(newest: LogFile, before: Option<LogFile>) -> Result<LogEnd, LedgerOpenError> {
    let path = newest.path.clone();
    let mut active = ActiveFile::open(newest).map_err(io_error("open", &path))?;
    let whole_bytes = end_of_last_line(active.file(), active.bytes())
        .map_err(io_error("read", &path))?
        .ok_or_else(|| corrupt(&path, "its last line has no end"))?;
    let torn_bytes = active.bytes() - whole_bytes;
    let last = last_line(active.file(), whole_bytes, &path)?;
    let head = match last {
        Some(last) => {
            active.day = Some(last.day);
            last.head
        }
        None => head_before(&active, before)?,
    };
    // Only now that the rest is known to be good.
    if torn_bytes > 0 {
        active.truncate_to(whole_bytes)?;
    }
    Ok(LogEnd {
        active,
        head,
        torn_bytes,
    })
}

/// The newest file has no whole line yet: the chain ends in the one before it, and exactly there.
fn head_before(active: &ActiveFile, before: Option<LogFile>) -> Result<Head, LedgerOpenError> {
    let head = match before {
        None => Head::START,
        Some(before) => {
            let file = File::open(&before.path).map_err(io_error("open", &before.path))?;
            let bytes = file
                .metadata()
                .map_err(io_error("open", &before.path))?
                .len();
            last_line(&file, bytes, &before.path)?
                .ok_or_else(|| corrupt(&before.path, "it is empty"))?
                .head
        }
    };
    if head.seq.checked_add(1) == Some(active.first_seq()) {
        Ok(head)
    } else {
        Err(corrupt(active.path(), "it is empty, but should not be"))
    }
}

struct LastLine {
    head: Head,
    day: Day,
}

/// The last line of a file whose first `bytes` bytes end with a line feed.
fn last_line(file: &File, bytes: u64, path: &Path) -> Result<Option<LastLine>, LedgerOpenError> {
    if bytes == 0 {
        return Ok(None);
    }
    let tail = read_before(file, bytes).map_err(io_error("read", path))?;
    let line = tail
        .strip_suffix(b"\n")
        .ok_or_else(|| corrupt(path, "its last line has no end"))?;
    let start = line.iter().rposition(|byte| *byte == b'\n');
    let line = line.get(start.map_or(0, |at| at + 1)..).unwrap_or_default();
    let sealed = HashedLine::parse(line)
        .map_err(|_| corrupt(path, "its last line is not a line of the log"))?;
    if !sealed.is_intact() {
        return Err(corrupt(path, "its last line was changed"));
    }
    let day =
        day_of(&sealed.fields.at).ok_or_else(|| corrupt(path, "its last line has no time"))?;
    Ok(Some(LastLine {
        head: sealed.head(),
        day,
    }))
}

/// Where the last whole line ends: 0 if there is none; `None` if what follows it is too long to be half a line.
fn end_of_last_line(file: &File, bytes: u64) -> io::Result<Option<u64>> {
    let tail = read_before(file, bytes)?;
    let tail_start = bytes - tail.len() as u64;
    Ok(match tail.iter().rposition(|byte| *byte == b'\n') {
        Some(at) => Some(tail_start + at as u64 + 1),
        None if tail_start == 0 => Some(0),
        None => None,
    })
}

/// Up to the longest line's bytes that stand before `end`.
fn read_before(file: &File, end: u64) -> io::Result<Vec<u8>> {
    let longest = LINE_BYTES_MAX as u64;
    let mut tail = vec![0; usize::try_from(end.min(longest)).unwrap_or(LINE_BYTES_MAX)];
    file.read_exact_at(&mut tail, end.saturating_sub(longest))?;
    Ok(tail)
}

fn day_of(at: &str) -> Option<Day> {
    at.as_bytes().first_chunk::<DAY_LENGTH>().copied()
}

fn corrupt(path: &Path, why: &'static str) -> LedgerOpenError {
    LedgerOpenError::Corrupt {
        path: path.to_owned(),
        why,
    }
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LedgerOpenError {
    let path = path.to_owned();
    move |source| LedgerOpenError::Io {
        doing,
        path,
        source,
    }
}
