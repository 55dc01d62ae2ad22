//! The sandbox's window: one line a request, as it happens, and a sum at the end.
//!
//! The thread that writes the audit log makes the lines and never waits for stdout: a thread of their own writes them, from a
//! bounded queue. What finds it full is counted, and the window says so.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, SyncSender, TrySendError},
    },
    thread,
    time::Duration,
};

use arc_swap::ArcSwap;
use serde_json::json;

use crate::{
    app::{
        refusal_remedy::{RefusalRemedy, RulesInForce},
        request_line::{EventLine, LiveLine, RequestLine, RequestResult},
    },
    audit::{entry::AuditEntry, ledger_observer::LedgerObserver},
    cli::global_args::GlobalArgs,
    proxy::rules::Rules,
};

/// Lines that wait for stdout, at most.
const QUEUED_LINES_MAX: usize = 1024;
/// Longest that the end of the sandbox waits for the last lines.
const LAST_LINES_MAX: Duration = Duration::from_secs(1);

/// For whom the lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineFormat {
    Text {
        has_colours: bool,
    },
    /// One object a line.
    Json,
}

impl LineFormat {
    /// What the arguments ask for.
    pub(super) fn of(global: &GlobalArgs) -> Self {
        if global.json {
            return Self::Json;
        }
        Self::Text {
            has_colours: global.color.is_on_stdout(),
        }
    }
}

/// What the requests came to.
#[derive(Default)]
struct RequestCounts {
    served: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    /// Lines that stdout took too slowly.
    lost: AtomicU64,
}

impl RequestCounts {
    fn count(&self, result: RequestResult) {
        let counter = match result {
            RequestResult::Served => &self.served,
            RequestResult::Refused => &self.refused,
            RequestResult::Failed => &self.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// The way to the window. Clones share it.
#[derive(Clone)]
pub(super) struct LiveLines {
    format: LineFormat,
    counts: Arc<RequestCounts>,
    queue: SyncSender<QueuedLine>,
    /// For what would allow a refused request; none before the proxy runs.
    rules: RulesInForce,
}

enum QueuedLine {
    Line(String),
    /// The last one; whoever holds the other end waits for it to be written.
    Last(String, SyncSender<()>),
}

impl LiveLines {
    /// The way to the window, and the window itself, which shows nothing before it is started.
    pub(super) fn new(format: LineFormat) -> (Self, LiveWindow) {
        let (queue, queued) = mpsc::sync_channel(QUEUED_LINES_MAX);
        let lines = Self {
            format,
            counts: Arc::default(),
            queue,
            rules: RulesInForce::default(),
        };
        let window = LiveWindow {
            format,
            counts: Arc::clone(&lines.counts),
            queued,
        };
        (lines, window)
    }

    /// What the ledger tells of each entry.
    pub(super) fn observer(&self) -> LedgerObserver {
        let lines = self.clone();
        Arc::new(move |entry| lines.show(entry))
    }

    /// From now on refusals show what would allow them, by these rules.
    pub(super) fn explain_by(&self, rules: Arc<ArcSwap<Rules>>) {
        self.rules.set(rules);
    }

    fn show(&self, entry: &AuditEntry) {
        let Some(line) = LiveLine::of(entry) else {
            return;
        };
        if let LiveLine::Request(request) = &line {
            self.counts.count(request.result);
        }
        let remedy = self.rules.remedy(entry);
        let remedy = remedy.as_ref();
        let text = match (&line, self.format) {
            (LiveLine::Request(it), LineFormat::Json) => request_json(it, remedy),
            (LiveLine::Event(it), LineFormat::Json) => event_json(it),
            (LiveLine::Request(it), LineFormat::Text { has_colours }) => {
                request_text(it, remedy, has_colours)
            }
            (LiveLine::Event(it), LineFormat::Text { has_colours }) => event_text(it, has_colours),
        };
        self.queue(text);
    }

    /// For people only: programs know what they have asked for.
    pub(super) fn say(&self, text: String) {
        if self.format != LineFormat::Json {
            self.queue(text);
        }
    }

    fn queue(&self, text: String) {
        if let Err(TrySendError::Full(_)) = self.queue.try_send(QueuedLine::Line(text)) {
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sums up, after all other lines. Waits up to [`LAST_LINES_MAX`].
    pub(super) fn finish(self) {
        let [served, refused, failed] = [
            &self.counts.served,
            &self.counts.refused,
            &self.counts.failed,
        ]
        .map(|it| it.load(Ordering::Relaxed));
        let all = served + refused + failed;
        let text = match self.format {
            LineFormat::Json => {
                json!({"type": "end", "requests": all, "served": served, "refused": refused, "failed": failed})
                    .to_string()
            }
            LineFormat::Text { .. } => {
                let noun = if all == 1 { "request" } else { "requests" };
                format!("Stopped. {all} {noun}: {served} served, {refused} refused, {failed} failed.")
            }
        };
        let (tell, told) = mpsc::sync_channel(1);
        if self.queue.try_send(QueuedLine::Last(text, tell)).is_ok() {
            // stdout that takes nothing does not keep the sandbox from ending.
            let _ = told.recv_timeout(LAST_LINES_MAX);
        }
    }
}

/// Writes what is queued to stdout.
pub(super) struct LiveWindow {
    format: LineFormat,
    counts: Arc<RequestCounts>,
    queued: Receiver<QueuedLine>,
}

impl LiveWindow {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// The thread cannot be started, or there is no stdout.
    pub(super) fn start(self) -> io::Result<()> {
        let out = unlocked_stdout()?;
        let thread = thread::Builder::new().name("live-lines".to_owned());
        thread.spawn(move || self.write_on(out)).map(drop)
    }

    /// Until the last line is written, or stdout is closed.
    fn write_on(self, mut out: File) {
        while let Ok(queued) = self.queued.recv() {
            let (text, last) = match queued {
                QueuedLine::Line(text) => (text, None),
                QueuedLine::Last(text, tell) => (text, Some(tell)),
            };
            let missing = self.counts.lost.swap(0, Ordering::Relaxed);
            let mut block = missing_text(missing, self.format);
            block.push_str(&text);
            block.push('\n');
            let written = out.write_all(block.as_bytes()).and_then(|()| out.flush());
            if let Some(tell) = last {
                let _ = tell.try_send(());
            }
            if written.is_err() {
                return;
            }
        }
    }
}

/// Stdout without its lock: whoever holds that one while a pipe takes nothing keeps the whole program from ending.
///
/// # Errors
/// Stdout is closed.
pub(super) fn unlocked_stdout() -> io::Result<File> {
    io::stdout().as_fd().try_clone_to_owned().map(File::from)
}

fn missing_text(lines: u64, format: LineFormat) -> String {
    match (lines, format) {
        (0, _) => String::new(),
        (_, LineFormat::Json) => format!("{}\n", json!({"type": "lost", "lines": lines})),
        (_, LineFormat::Text { .. }) => {
            format!("({lines} lines are missing here: stdout took them too slowly)\n")
        }
    }
}

// === For programs

fn request_json(line: &RequestLine<'_>, remedy: Option<&RefusalRemedy>) -> String {
    json!({
        "type": "request",
        "at": line.at.to_string(),
        "request": line.request.as_str(),
        "caller": line.caller,
        "operation": line.operation,
        "decision": line.decision,
        "status": line.status,
        "duration_us": u64::try_from(line.duration.as_micros()).unwrap_or(u64::MAX),
        "detail": line.detail,
        "explain": remedy.map(|it| &it.explain),
        "allow": remedy.and_then(|it| it.allow.as_ref()),
    })
    .to_string()
}

fn event_json(line: &EventLine) -> String {
    json!({
        "type": line.kind,
        "at": line.at.to_string(),
        "subject": line.subject,
        "text": line.text,
    })
    .to_string()
}

// === For people

/// A colour of the terminal (ECMA-48, SGR).
#[derive(Clone, Copy)]
enum Colour {
    Red,
    Green,
    Yellow,
    Grey,
}

impl Colour {
    const fn code(self) -> &'static str {
        match self {
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Grey => "90",
        }
    }
}

fn paint(text: &str, colour: Colour, has_colours: bool) -> String {
    if has_colours {
        format!("\u{1b}[{}m{text}\u{1b}[0m", colour.code())
    } else {
        text.to_owned()
    }
}

fn request_text(
    line: &RequestLine<'_>,
    remedy: Option<&RefusalRemedy>,
    has_colours: bool,
) -> String {
    let colour = match line.result {
        RequestResult::Served => Colour::Green,
        RequestResult::Refused => Colour::Yellow,
        RequestResult::Failed => Colour::Red,
    };
    let mut text = paint(&line.at.local_time_of_day(), Colour::Grey, has_colours);
    let decided = format!("{:<15} {}", line.decision, line.status);
    // Writing to a String does not fail.
    let _ = write!(
        text,
        "  {:<10} {:<28} {} {:>8}",
        line.caller.unwrap_or("-"),
        line.operation,
        paint(&decided, colour, has_colours),
        duration_text(line.duration),
    );
    if let Some(detail) = &line.detail {
        let _ = write!(text, "\n          {detail}");
    }
    if let Some(remedy) = remedy {
        let _ = write!(text, "\n          Why: {}", remedy.explain);
        if let Some(allow) = &remedy.allow {
            let _ = write!(text, "\n          To allow it: {allow}");
        }
    }
    text
}

fn event_text(line: &EventLine, has_colours: bool) -> String {
    let colour = if line.is_good {
        Colour::Green
    } else {
        Colour::Red
    };
    let at = paint(&line.at.local_time_of_day(), Colour::Grey, has_colours);
    let said = paint(&line.text, colour, has_colours);
    format!("{at}  {:<10} {:<28} {said}", line.kind, line.subject)
}

fn duration_text(duration: Duration) -> String {
    let millis = duration.as_secs_f64() * 1000.0;
    if millis < 10.0 {
        format!("{millis:.1} ms")
    } else {
        format!("{millis:.0} ms")
    }
}
