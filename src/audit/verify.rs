//! Verifies an audit log, in constant memory, and reports each break of the chain.
//!
//! What a chain cannot show without an external anchor: that lines were cut off its end, or that all of it was rewritten. An
//! anchor is the end of the chain as somebody noted it elsewhere.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use super::{
    chain::{ChainHash, Head},
    hashed_line::{HashedLine, LINE_BYTES_MAX, LineError, LineFields},
    log_file::{LogFile, list_log_files, open_for_reading},
};

/// How many breaks, and how many remarks, are listed. All are counted.
pub const LISTED_MAX: usize = 1000;

/// Intents that are followed at a time. Beyond that, missing intents are no longer remarked on.
pub const OPEN_INTENTS_MAX: usize = 100_000;

const READ_BUFFER_BYTES: usize = 256 * 1024;

/// A log may be verified while it is written: half a line at its end is given this long, this often, to become whole.
const REREAD_MS: u64 = 20;
const REREADS_MAX: u32 = 3;

/// One way in which a log can be broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntegrityError {
    #[error(transparent)]
    Line(#[from] LineError),
    #[error("is longer than any line of the log")]
    TooLong,
    #[error("was changed: its bytes do not have its hash")]
    Changed,
    #[error("does not follow the line before it: another line was there")]
    Unlinked,
    #[error("lines {first} to {last} are missing before it")]
    Missing { first: u64, last: u64 },
    #[error("number {seq} is there twice, or out of order")]
    Repeated { seq: u64 },
    #[error("{bytes} bytes without an end of line: a crash, or cut off")]
    Torn { bytes: u64 },
    #[error("the file's name says that it starts with line {expected}")]
    Misnamed { expected: u64 },
    #[error("the file is empty, but should start with line {expected}")]
    Emptied { expected: u64 },
    #[error("the anchor {anchor} is not in the log")]
    AnchorMissing { anchor: Head },
    #[error("the anchor gives another hash for line {seq}")]
    AnchorContradicted { seq: u64 },
}

impl IntegrityError {
    /// The word for it in JSON.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Line(LineError::NotALine) => "not-a-line",
            Self::Line(LineError::HashNotLast) => "hash-not-last",
            Self::TooLong => "too-long",
            Self::Changed => "changed",
            Self::Unlinked => "unlinked",
            Self::Missing { .. } => "missing",
            Self::Repeated { .. } => "repeated",
            Self::Torn { .. } => "torn",
            Self::Misnamed { .. } => "misnamed",
            Self::Emptied { .. } => "emptied",
            Self::AnchorMissing { .. } => "anchor-missing",
            Self::AnchorContradicted { .. } => "anchor-contradicted",
        }
    }
}

/// A position in the log. Line numbers start with 1; 0 is the file as such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPosition {
    pub file: String,
    pub line: u64,
    pub seq: Option<u64>,
}

/// A place where the log does not verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainBreak {
    pub at: LogPosition,
    pub error: IntegrityError,
}

/// Something that a whole log may have and that is worth a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    pub at: LogPosition,
    pub kind: RemarkKind,
    pub request: Box<str>,
}

/// What is remarkable though the chain is intact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RemarkKind {
    /// In flight, or the program ended before the response came.
    IntentWithoutOutcome,
    OutcomeWithoutIntent,
}

impl RemarkKind {
    /// The word for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IntentWithoutOutcome => "intent-without-outcome",
            Self::OutcomeWithoutIntent => "outcome-without-intent",
        }
    }
}

/// What was found.
#[derive(Debug, Clone)]
pub struct VerifyReport {
    pub files: u64,
    pub lines: u64,
    pub first_at: Option<Box<str>>,
    pub last_at: Option<Box<str>>,
    /// The end of the chain: what to note elsewhere as an anchor.
    pub head: Head,
    /// At most [`LISTED_MAX`].
    pub breaks: Vec<ChainBreak>,
    pub breaks_total: u64,
    /// At most [`LISTED_MAX`].
    pub remarks: Vec<Remark>,
    pub remarks_total: u64,
}

impl VerifyReport {
    /// Whether every line verifies.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.breaks_total == 0
    }
}

/// The log could not be read, so nothing can be said of it.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("cannot read {path}: {source}", path = path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("there is no log in {path}", path = path.display())]
    NoLog { path: PathBuf },
    #[error("the verification was given up")]
    GivenUp,
}

/// Reads the log in `directory` once, from its first line to its last, in constant memory.
///
/// # Errors
/// The directory or a file cannot be read, or there is no log.
pub fn verify(directory: &Path, anchors: &[Head]) -> Result<VerifyReport, VerifyError> {
    verify_unless(directory, anchors, &AtomicBool::new(false))
}

/// The same, until `is_given_up` is set: then it ends with [`VerifyError::GivenUp`].
///
/// # Errors
/// As [`verify`].
pub fn verify_unless(
    directory: &Path,
    anchors: &[Head],
    is_given_up: &AtomicBool,
) -> Result<VerifyReport, VerifyError> {
    let files = list_log_files(directory).map_err(io_error(directory))?;
    if files.is_empty() {
        return Err(VerifyError::NoLog {
            path: directory.to_owned(),
        });
    }
    let mut walk = Verifier::new(anchors);
    walk.begin_after_archived(&files);
    for (index, file) in files.iter().enumerate() {
        walk.file_index = index;
        walk.verify_file(file, is_given_up)
            .map_err(io_error(&file.path))?;
        if is_given_up.load(Ordering::Relaxed) {
            return Err(VerifyError::GivenUp);
        }
    }
    Ok(walk.finish(&files))
}

/// Reads the newest file of the log in `directory` alone. How it hangs together with the one before is taken as it comes.
///
/// # Errors
/// As [`verify`].
pub fn verify_newest(directory: &Path) -> Result<VerifyReport, VerifyError> {
    let files = list_log_files(directory).map_err(io_error(directory))?;
    let Some(newest) = files.last() else {
        return Err(VerifyError::NoLog {
            path: directory.to_owned(),
        });
    };
    let mut walk = Verifier::new(&[]);
    walk.report.head.seq = newest.first_seq.saturating_sub(1);
    walk.is_resyncing = true;
    walk.verify_file(newest, &AtomicBool::new(false))
        .map_err(io_error(&newest.path))?;
    Ok(walk.finish(std::slice::from_ref(newest)))
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> VerifyError {
    let path = path.to_owned();
    move |source| VerifyError::Io { path, source }
}

/// Where an intent was read whose outcome was not yet.
struct OpenIntent {
    file_index: usize,
    line: u64,
    seq: u64,
}

struct Verifier<'a> {
    report: VerifyReport,
    /// The last line made no sense, so the next one is taken as it comes.
    is_resyncing: bool,
    /// By request.
    open_intents: HashMap<Box<str>, OpenIntent>,
    /// More intents were open than are followed.
    overflowed: bool,
    anchors: &'a [Head],
    anchors_seen: Vec<u64>,
    file_index: usize,
    file_name: String,
    line: u64,
    seq: Option<u64>,
}

impl<'a> Verifier<'a> {
    fn new(anchors: &'a [Head]) -> Self {
        Self {
            report: VerifyReport {
                files: 0,
                lines: 0,
                first_at: None,
                last_at: None,
                head: Head::START,
                breaks: Vec::new(),
                breaks_total: 0,
                remarks: Vec::new(),
                remarks_total: 0,
            },
            is_resyncing: false,
            open_intents: HashMap::new(),
            overflowed: false,
            anchors,
            anchors_seen: Vec::new(),
            file_index: 0,
            file_name: String::new(),
            line: 0,
            seq: None,
        }
    }

    /// Older files may lie elsewhere: an anchor of the last line before these files is where the chain begins.
    fn begin_after_archived(&mut self, files: &[LogFile]) {
        let before = files.first().map_or(0, |it| it.first_seq.saturating_sub(1));
        let end = self.anchors.iter().find(|it| it.seq == before);
        if let Some(end) = end {
            self.report.head = *end;
            self.anchors_seen.push(end.seq);
        }
    }

    /// Stops early where it is given up.
    fn verify_file(&mut self, file: &LogFile, is_given_up: &AtomicBool) -> io::Result<()> {
        self.report.files += 1;
        self.file_name.clone_from(&file.name);
        self.line = 0;
        self.seq = None;
        let mut reader = BufReader::with_capacity(READ_BUFFER_BYTES, open_for_reading(&file.path)?);
        let mut line = Vec::new();
        while let Some(details) = next_line(&mut reader, &mut line)? {
            if is_given_up.load(Ordering::Relaxed) {
                return Ok(());
            }
            self.line += 1;
            self.seq = None;
            match details {
                LineEnd::Complete => self.verify_line(file, &line),
                LineEnd::Torn => self.add_break(IntegrityError::Torn {
                    bytes: line.len() as u64,
                }),
                LineEnd::TooLong => {
                    self.is_resyncing = true;
                    self.add_break(IntegrityError::TooLong);
                }
            }
        }
        if self.line == 0 && file.first_seq != self.report.head.seq.saturating_add(1) {
            self.add_break(IntegrityError::Emptied {
                expected: file.first_seq,
            });
        }
        Ok(())
    }

    fn verify_line(&mut self, file: &LogFile, line: &[u8]) {
        self.report.lines += 1;
        let sealed = match HashedLine::parse(line) {
            Ok(sealed) => sealed,
            Err(flaw) => {
                self.is_resyncing = true;
                self.add_break(flaw.into());
                return;
            }
        };
        let seq = sealed.fields.seq;
        self.seq = Some(seq);
        if !sealed.is_intact() {
            self.add_break(IntegrityError::Changed);
        }
        if self.line == 1 && seq != file.first_seq {
            self.add_break(IntegrityError::Misnamed {
                expected: file.first_seq,
            });
        }
        self.check_link(seq, sealed.prev, sealed.head());
        self.check_anchors(sealed.head());
        self.track_intent(&sealed.fields);
        if self.report.first_at.is_none() {
            self.report.first_at = Some(sealed.fields.at.as_ref().into());
        }
        self.report.last_at = Some(sealed.fields.at.into());
    }

    fn check_link(&mut self, seq: u64, prev: ChainHash, head: Head) {
        let before = self.report.head;
        let adrift = std::mem::take(&mut self.is_resyncing);
        if !adrift {
            if seq <= before.seq {
                // The chain goes on from the first of the two.
                self.add_break(IntegrityError::Repeated { seq });
                return;
            }
            let next = before.seq.saturating_add(1);
            if seq > next {
                self.add_break(IntegrityError::Missing {
                    first: next,
                    last: seq - 1,
                });
            } else if prev != before.hash {
                self.add_break(IntegrityError::Unlinked);
            }
        }
        self.report.head = head;
    }

    fn check_anchors(&mut self, head: Head) {
        for anchor in self.anchors.iter().filter(|anchor| anchor.seq == head.seq) {
            self.anchors_seen.push(anchor.seq);
            if anchor.hash != head.hash {
                self.add_break(IntegrityError::AnchorContradicted { seq: head.seq });
            }
        }
    }

    fn track_intent(&mut self, record: &LineFields<'_>) {
        let Some(request) = record.request.as_deref() else {
            return;
        };
        if record.kind == "intent" {
            if self.open_intents.len() < OPEN_INTENTS_MAX {
                let intent = OpenIntent {
                    file_index: self.file_index,
                    line: self.line,
                    seq: record.seq,
                };
                self.open_intents.insert(request.into(), intent);
            } else {
                self.overflowed = true;
            }
            return;
        }
        if record.kind != "outcome"
            || self.open_intents.remove(request).is_some()
            || self.overflowed
        {
            return;
        }
        if record.is_of_write() && record.is_allowed() {
            let at = self.position();
            self.add_remark(at, RemarkKind::OutcomeWithoutIntent, request.into());
        }
    }

    fn finish(mut self, files: &[LogFile]) -> VerifyReport {
        for anchor in self.anchors {
            if !self.anchors_seen.contains(&anchor.seq) {
                self.add_break(IntegrityError::AnchorMissing { anchor: *anchor });
            }
        }
        let mut open: Vec<_> = self.open_intents.drain().collect();
        open.sort_unstable_by_key(|(_, intent)| intent.seq);
        for (request, intent) in open {
            let file = files.get(intent.file_index);
            let at = LogPosition {
                file: file.map_or_else(String::new, |file| file.name.clone()),
                line: intent.line,
                seq: Some(intent.seq),
            };
            self.add_remark(at, RemarkKind::IntentWithoutOutcome, request);
        }
        self.report
    }

    fn position(&self) -> LogPosition {
        LogPosition {
            file: self.file_name.clone(),
            line: self.line,
            seq: self.seq,
        }
    }

    fn add_break(&mut self, finding: IntegrityError) {
        self.report.breaks_total += 1;
        if self.report.breaks.len() < LISTED_MAX {
            let at = self.position();
            self.report.breaks.push(ChainBreak { at, error: finding });
        }
    }

    fn add_remark(&mut self, at: LogPosition, kind: RemarkKind, request: Box<str>) {
        self.report.remarks_total += 1;
        if self.report.remarks.len() < LISTED_MAX {
            self.report.remarks.push(Remark { at, kind, request });
        }
    }
}

enum LineEnd {
    Complete,
    Torn,
    TooLong,
}

/// Reads one line into `line`, without its line feed; none at the end of the file.
fn next_line(reader: &mut BufReader<File>, line: &mut Vec<u8>) -> io::Result<Option<LineEnd>> {
    line.clear();
    for attempt in 0..=REREADS_MAX {
        let room = (LINE_BYTES_MAX + 1).saturating_sub(line.len());
        reader.by_ref().take(room as u64).read_until(b'\n', line)?;
        if line.is_empty() {
            return Ok(None);
        }
        if line.pop_if(|byte| *byte == b'\n').is_some() {
            return Ok(Some(LineEnd::Complete));
        }
        if line.len() > LINE_BYTES_MAX {
            reader.skip_until(b'\n')?;
            return Ok(Some(LineEnd::TooLong));
        }
        if attempt < REREADS_MAX {
            thread::sleep(Duration::from_millis(REREAD_MS));
        }
    }
    Ok(Some(LineEnd::Torn))
}
