//! Finds one request in the audit log. Can be given up, and looks again only at what has come since.

use std::{
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::{
    audit::{
        hashed_line::LINE_BYTES_MAX,
        log_file::{self, LogFile},
    },
    names::RequestId,
};

use super::recorded_request::{LineAbout, RecordedRequest, RefusedLine, came_at};

/// Most bytes of the log that are searched, newest files first.
pub const SEARCHED_BYTES_MAX: u64 = 1 << 30;

pub enum RecordSearch {
    Found(Box<RecordedRequest>),
    /// It has no line; this one counts those that were refused at its time.
    Counted(Box<RefusedLine>),
    NotFound,
    /// Not found within [`SEARCHED_BYTES_MAX`].
    LimitReached,
}

/// A search and how far it has come.
pub(super) struct LogSearch<'a> {
    directory: &'a Path,
    id: RequestId,
    is_given_up: &'a AtomicBool,
    /// As in the log.
    came_at: String,
    /// The newest line of the request itself.
    own: Option<Box<RecordedRequest>>,
    counted: Option<Box<RefusedLine>>,
    is_limit_reached: bool,
    /// The newest file, and where its last line ended.
    read_to: Option<(LogFile, u64)>,
}

/// What was read of a file.
struct FileRead {
    own: Option<Box<RecordedRequest>>,
    bytes: u64,
    /// Without a last line that is not whole yet.
    bytes_in_lines: u64,
}

impl<'a> LogSearch<'a> {
    /// Once `is_given_up`, looking is an error of kind `Interrupted` at the next line.
    pub(super) fn new(directory: &'a Path, id: RequestId, is_given_up: &'a AtomicBool) -> Self {
        Self {
            directory,
            id,
            is_given_up,
            came_at: came_at(id).to_string(),
            own: None,
            counted: None,
            is_limit_reached: false,
            read_to: None,
        }
    }

    /// Looks for the outcome of the request, or otherwise its intent, or the line that counts it.
    ///
    /// # Errors
    /// The directory or a file in it cannot be read, or the search is given up.
    pub(super) fn look(&mut self) -> io::Result<()> {
        let mut left = SEARCHED_BYTES_MAX;
        let files = log_file::list_log_files(self.directory)?;
        for (index, file) in files.iter().rev().enumerate() {
            let read = self.read(file, 0, left)?;
            if index == 0 {
                self.read_to = Some((file.clone(), read.bytes_in_lines));
            }
            // An outcome would be in the file of its intent, or in a newer one.
            self.own = self.own.take().or(read.own);
            if self.own.is_some() {
                break;
            }
            left = left.saturating_sub(read.bytes);
            if left == 0 {
                self.is_limit_reached = true;
                break;
            }
        }
        Ok(())
    }

    /// Looks at what was appended since the last look.
    ///
    /// # Errors
    /// As [`LogSearch::look`].
    pub(super) fn look_again(&mut self) -> io::Result<()> {
        let Some((newest, _)) = &self.read_to else {
            return self.look();
        };
        let mut files = log_file::list_log_files(self.directory)?;
        files.retain(|it| it >= newest);
        for file in files {
            let from = match &self.read_to {
                Some((newest, offset)) if *newest == file => *offset,
                _ => 0,
            };
            let read = self.read(&file, from, SEARCHED_BYTES_MAX)?;
            self.own = read.own.or(self.own.take());
            self.read_to = Some((file, from + read.bytes_in_lines));
        }
        Ok(())
    }

    /// Whether more of the log would change nothing.
    pub(super) fn is_final(&self) -> bool {
        match &self.own {
            Some(record) => record.is_outcome(),
            // Strangers were counted at that time; a caller's own line may still be on its way.
            None => self.is_limit_reached && self.counted.is_none(),
        }
    }

    pub(super) fn into_result(self) -> RecordSearch {
        match (self.own, self.counted) {
            (Some(own), _) => RecordSearch::Found(own),
            (None, Some(counted)) => RecordSearch::Counted(counted),
            (None, None) if self.is_limit_reached => RecordSearch::LimitReached,
            (None, None) => RecordSearch::NotFound,
        }
    }

    fn read(&mut self, file: &LogFile, from: u64, bytes_max: u64) -> io::Result<FileRead> {
        let mut opened = log_file::open_for_reading(&file.path)?;
        opened.seek(SeekFrom::Start(from))?;
        let mut reader = BufReader::new(opened.take(bytes_max));
        let mut line = Vec::new();
        let (mut own, mut bytes_in_lines) = (None, 0);
        while let Some(next) = next_line(&mut reader, &mut line)? {
            if self.is_given_up.load(Ordering::Relaxed) {
                return Err(io::Error::new(io::ErrorKind::Interrupted, "given up"));
            }
            if next.is_whole {
                bytes_in_lines += next.bytes;
            }
            match LineAbout::parse(&line, self.id, &self.came_at) {
                Some(LineAbout::Request(record)) => own = Some(record),
                Some(LineAbout::Strangers(counted)) => self.counted = Some(counted),
                None => {}
            }
        }
        Ok(FileRead {
            own,
            bytes: bytes_max - reader.get_ref().limit(),
            bytes_in_lines,
        })
    }
}

struct NextLine {
    bytes: u64,
    /// It has its end.
    is_whole: bool,
}

/// Reads the next line into `line`, truncated to [`LINE_BYTES_MAX`]; none at the end.
fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<NextLine>> {
    line.clear();
    let mut bytes = 0;
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            let is_whole = false;
            return Ok((bytes > 0).then_some(NextLine { bytes, is_whole }));
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(buffer.len(), |index| index + 1);
        let room = LINE_BYTES_MAX.saturating_sub(line.len());
        line.extend(buffer.iter().take(taken.min(room)));
        reader.consume(taken);
        bytes += taken as u64;
        if end.is_some() {
            let is_whole = true;
            return Ok(Some(NextLine { bytes, is_whole }));
        }
    }
}
