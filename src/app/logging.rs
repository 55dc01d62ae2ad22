//! The program's own log: text on a terminal, JSON elsewhere. It covers the program itself; who did what is in the audit
//! log.
//!
//! A dedicated thread writes the lines from a bounded queue, so logging never blocks, even if stderr is a pipe that nobody
//! reads or a stopped terminal. Lines that find the queue full are dropped and counted.

use std::{
    fs::File,
    io::{self, IsTerminal, Write},
    os::fd::AsFd,
    panic::PanicHookInfo,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use anstream::{AutoStream, ColorChoice};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};
use tracing::{Level, Metadata};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    EnvFilter,
    fmt::{MakeWriter, format::Writer, time::FormatTime},
};

use crate::{
    admin::status_snapshot::{LogState, LogStatus},
    clock::Moment,
    config::LogFormat,
    watchdog::CHECK_INTERVAL,
};

use super::journal;

/// Most lines that wait to be written.
pub(crate) const QUEUED_LINES_MAX: usize = 8_192;

/// How long the program waits at its end for the lines that are still queued.
pub(crate) const FLUSH_MAX: Duration = Duration::from_millis(500);
const FLUSH_LOOK_INTERVAL: Duration = Duration::from_millis(2);

const THREAD_NAME: &str = "log";

/// What commands say with `--verbose`: of this program, not of its libraries.
const COMMAND_FILTER: &str = "ninjaone_proxy=debug";

static LOG: OnceLock<LogQueue> = OnceLock::new();

/// The running log.
struct LogQueue {
    queued: Arc<AtomicU64>,
    written: Arc<AtomicU64>,
    unwritable: Arc<AtomicU64>,
    dropped: ErrorCounter,
    /// Lost lines that have been reported, and how many lines had been written by then.
    reported: AtomicU64,
    written_when_reported: AtomicU64,
    /// How long nothing has left the queue though lines wait, and how many had left it at the last look.
    silent_ms: AtomicU64,
    done_when_looked: AtomicU64,
    /// Never dropped: dropping would join a thread that may be blocked on a pipe.
    _guard: WorkerGuard,
}

/// Starts the log on stderr. Later calls have no effect.
///
/// # Errors
/// stderr cannot be duplicated.
pub(crate) fn start(format: LogFormat, level: &str) -> io::Result<()> {
    if LOG.get().is_some() {
        return Ok(());
    }
    let filter = EnvFilter::try_new(cap_level(level)).unwrap_or_else(|_| EnvFilter::new("info"));
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !io::stderr().is_terminal(),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(open()?)
        // It would report them on stderr itself, and block on it.
        .log_internal_errors(false)
        .with_target(false);
    // If logging is already running, nothing changes: only tests start it twice.
    let _ = if json {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.with_ansi(has_colors()).try_init()
    };
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Lets a command say on stderr what it does, each line with the time since its beginning. Not for what serves: it writes at once.
pub(crate) fn start_for_command(as_json: bool) {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(COMMAND_FILTER))
        .with_writer(io::stderr)
        .log_internal_errors(false)
        .with_target(false);
    // If logging is already running, nothing changes.
    let _ = if as_json {
        builder.json().flatten_event(true).try_init()
    } else {
        let since = SinceStart(Moment::now());
        builder.with_timer(since).with_ansi(has_colors()).try_init()
    };
}

/// `--color`, `NO_COLOR` and `CLICOLOR_FORCE` have been read: see `cli::global_args`.
fn has_colors() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

/// `  12 ms`
struct SinceStart(Moment);

impl FormatTime for SinceStart {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        let passed = Moment::now().since(self.0).as_millis();
        write!(writer, "{passed:>5} ms")
    }
}

/// Turns `trace` into `debug`: more is not compiled in, and the library would say so on stderr itself.
fn cap_level(level: &str) -> String {
    let parts = level.split(',').map(|part| match part.rsplit_once('=') {
        Some((target, level)) if level.eq_ignore_ascii_case("trace") => format!("{target}=debug"),
        None if part.trim().eq_ignore_ascii_case("trace") => "debug".to_owned(),
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join(",")
}

fn open() -> io::Result<LogMakeWriter> {
    // The log has its own descriptor, so others that write to stderr never wait for a lock that its thread holds.
    let stderr = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    let (queued, written, unwritable) =
        <(Arc<AtomicU64>, Arc<AtomicU64>, Arc<AtomicU64>)>::default();
    let sink = StderrWriter {
        stderr,
        written: Arc::clone(&written),
        unwritable: Arc::clone(&unwritable),
    };
    let (queue, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(QUEUED_LINES_MAX)
        .thread_name(THREAD_NAME)
        .finish(sink);
    let dropped = queue.error_counter();
    let lines = LogMakeWriter {
        queue,
        queued: Arc::clone(&queued),
        has_priorities: journal::is_behind_stderr(),
    };
    // Set once: `start` has checked that there is none.
    let _ = LOG.set(LogQueue {
        queued,
        written,
        unwritable,
        dropped,
        reported: AtomicU64::new(0),
        written_when_reported: AtomicU64::new(0),
        silent_ms: AtomicU64::new(0),
        done_when_looked: AtomicU64::new(0),
        _guard: guard,
    });
    Ok(lines)
}

/// Lines lost since the start, because the queue was full or stderr did not take them.
#[must_use]
pub(crate) fn lost_lines() -> u64 {
    LOG.get().map_or(0, LogQueue::lost)
}

/// How the log stands; it fails if lines were lost that it could not yet tell of, or if it writes nothing for `silence_max`
/// though lines wait.
#[must_use]
pub(crate) fn status(silence_max: Duration) -> LogStatus {
    let Some(log) = LOG.get() else {
        return LogStatus::default();
    };
    let lines_lost = log.lost();
    let silent = Duration::from_millis(log.silent_ms.load(Ordering::Relaxed));
    let is_untold = lines_lost > log.reported.load(Ordering::Relaxed);
    LogStatus {
        state: if is_untold || silent >= silence_max {
            LogState::Failing
        } else {
            LogState::Writing
        },
        lines_lost,
        lines_waiting: log.waiting(),
        silent_s: silent.as_secs(),
    }
}

/// Looks whether lines leave the queue; `passed` is the time since the last look.
pub(crate) fn look(passed: Duration) {
    let Some(log) = LOG.get() else { return };
    let done = log.done();
    let before = log.done_when_looked.swap(done, Ordering::Relaxed);
    if done != before || log.waiting() == 0 {
        log.silent_ms.store(0, Ordering::Relaxed);
    } else {
        // More than that, and it was the looker that stalled.
        let passed = passed.min(2 * CHECK_INTERVAL).as_millis();
        let passed = u64::try_from(passed).unwrap_or_default();
        log.silent_ms.fetch_add(passed, Ordering::Relaxed);
    }
}

/// Logs how many lines were lost, once there is room for that line.
pub(crate) fn report_lost_lines() {
    let Some(log) = LOG.get() else { return };
    let (lost, told) = (log.lost(), log.reported.load(Ordering::Relaxed));
    // Where stderr takes nothing, this line would itself be lost and reported.
    let written = log.written.load(Ordering::Acquire);
    let takes_lines = written > log.written_when_reported.load(Ordering::Relaxed);
    if lost == told || !takes_lines || log.waiting() >= QUEUED_LINES_MAX as u64 {
        return;
    }
    log.reported.store(lost, Ordering::Relaxed);
    log.written_when_reported.store(written, Ordering::Relaxed);
    tracing::warn!(
        lines = lost - told,
        "log lines were lost: stderr took them too slowly, or not at all"
    );
}

/// Returns when every line has been written, at the latest after [`FLUSH_MAX`].
pub(crate) fn flush() {
    let Some(log) = LOG.get() else { return };
    let mut waited = Duration::ZERO;
    while log.waiting() > 0 && waited < FLUSH_MAX {
        thread::sleep(FLUSH_LOOK_INTERVAL);
        waited += FLUSH_LOOK_INTERVAL;
    }
}

impl LogQueue {
    fn lost(&self) -> u64 {
        self.dropped() + self.unwritable.load(Ordering::Relaxed)
    }

    fn dropped(&self) -> u64 {
        self.dropped.dropped_lines() as u64
    }

    /// Lines that have left the queue.
    fn done(&self) -> u64 {
        self.written.load(Ordering::Acquire) + self.unwritable.load(Ordering::Acquire)
    }

    fn waiting(&self) -> u64 {
        let queued = self.queued.load(Ordering::Acquire);
        queued.saturating_sub(self.done() + self.dropped())
    }
}

/// Makes a writer into the queue for each line.
struct LogMakeWriter {
    queue: NonBlocking,
    queued: Arc<AtomicU64>,
    /// Each line begins with its priority, as the journal takes it.
    has_priorities: bool,
}

impl LogMakeWriter {
    fn writer(&self, level: Level) -> LineWriter<'_> {
        LineWriter {
            queue: self.queue.clone(),
            queued: &self.queued,
            prefix: self.has_priorities.then(|| journal::prefix(level)),
        }
    }
}

impl<'a> MakeWriter<'a> for LogMakeWriter {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        self.writer(Level::INFO)
    }

    fn make_writer_for(&'a self, about: &Metadata<'_>) -> LineWriter<'a> {
        self.writer(*about.level())
    }
}

/// The writer of one event. It is one write, even if the text has many lines: the subscriber formats all of it first.
struct LineWriter<'q> {
    queue: NonBlocking,
    queued: &'q AtomicU64,
    prefix: Option<&'static str>,
}

impl Write for LineWriter<'_> {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        // Only here: an event that could not be formatted is waited for by nobody.
        self.queued.fetch_add(1, Ordering::AcqRel);
        match self.prefix {
            Some(prefix) => {
                self.queue.write_all(&journal::with_prefix(lines, prefix))?;
                Ok(lines.len())
            }
            None => self.queue.write(lines),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.queue.flush()
    }
}

/// What the log's thread writes to. A line that cannot be written is counted and dropped.
struct StderrWriter {
    stderr: File,
    written: Arc<AtomicU64>,
    unwritable: Arc<AtomicU64>,
}

impl StderrWriter {
    /// Like `write_all`, but also for descriptors that another process has made non-blocking.
    fn write_line(&mut self, mut line: &[u8]) -> io::Result<()> {
        while !line.is_empty() {
            match self.stderr.write(line) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => line = line.get(length..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let mut ready = [PollFd::new(&self.stderr, PollFlags::OUT)];
                    match poll(&mut ready, None) {
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Write for StderrWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let count = match self.write_line(line) {
            Ok(()) => &self.written,
            Err(_) => &self.unwritable,
        };
        count.fetch_add(1, Ordering::AcqRel);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Logs the location of a panic only: a message formatted at run time may hold the data being worked on.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let said = panic.payload().downcast_ref::<&'static str>();
    let said = said.copied().unwrap_or("(a message with values)");
    let place = panic.location().map(ToString::to_string);
    let thread = thread::current();
    let name = thread.name().unwrap_or("unnamed");
    tracing::error!(
        thread = name,
        place,
        said,
        "a panic: this is a bug in ninjaone-proxy"
    );
}
