//! The ledger: the API for writing to the audit log, and what happens while the log cannot be written.

use std::{path::PathBuf, sync::Arc, thread, time::Duration};

use crate::{
    clock::Timestamp, credentials::Leased, lock::Lock, ninjaone::operation::RiskClass,
    watchdog::Watchdog,
};

use super::{
    Intended, OpenEntry, Recorded, Unrecordable,
    chain::Head,
    entry::{AuditEntry, AuditEvent, OutcomeDetails, RequestFacts},
    entry_queue::EntryQueue,
    ledger_observer::LedgerObserver,
    ledger_writer::LedgerWriter,
    log_space::{LogSpace, SpaceLimits},
    sink::{
        directory::FILE_BYTES_MAX,
        resume::{LedgerOpenError, resume},
    },
    stranger_queue::StrangerLimits,
    writer_status::{WriterFailure, WriterStatus},
};

pub use super::writer_status::LedgerGap;

/// The default of [`LedgerOptions::intent_wait`].
pub const INTENT_WAIT_MS_MAX: u64 = 1000;

/// The silence after which the writer counts as stalled, unless [`LedgerOptions::watchdog`] says otherwise.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// The thread that writes, and the name by which the watchdog knows it.
pub const WRITER_PART: &str = "audit";

/// How to open a [`Ledger`].
pub struct LedgerOptions {
    /// Made if it is not there; one process at a time.
    pub directory: PathBuf,
    /// Serve reads while the log cannot be written; everything else is always refused then.
    pub serve_reads_unrecorded: bool,
    /// Tells this run of the program from others.
    pub boot: Box<str>,
    /// For the line of the start: the program's version, and the fingerprint of its configuration.
    pub version: &'static str,
    pub config: Box<str>,
    pub file_bytes_max: u64,
    /// The room that the log may take on disk.
    pub space: SpaceLimits,
    /// How many lines of strangers are written one by one.
    pub strangers: StrangerLimits,
    /// How long a request waits for its intent to be durable before it is refused.
    pub intent_wait: Duration,
    /// Watches the writer, by the name `audit`.
    pub watchdog: Watchdog,
    pub observer: Option<LedgerObserver>,
}

impl LedgerOptions {
    /// The defaults: reads are refused while the log cannot be written, files of 64 MiB, one second for an intent.
    #[must_use]
    pub fn new(directory: PathBuf, boot: &str, version: &'static str, config: &str) -> Self {
        Self {
            directory,
            serve_reads_unrecorded: false,
            boot: boot.into(),
            version,
            config: config.into(),
            file_bytes_max: FILE_BYTES_MAX,
            space: SpaceLimits::default(),
            strangers: StrangerLimits::default(),
            intent_wait: Duration::from_millis(INTENT_WAIT_MS_MAX),
            watchdog: Watchdog::new(SILENCE_MAX),
            observer: None,
        }
    }
}

/// A line could not be written in time, or there is no room for it: what it was to record must not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the audit log cannot be written")]
pub struct LedgerWriteError;

/// How the ledger stands.
#[derive(Debug, Clone)]
pub struct LedgerSnapshot {
    /// Lines that this run has written.
    pub records: u64,
    /// Attempts to write that failed.
    pub failures: u64,
    /// Entries that are open or wait to be written.
    pub queued: usize,
    pub failure: Option<WriterFailure>,
    /// The last one of this run.
    pub gap: Option<LedgerGap>,
    /// The end of the chain.
    pub head: Head,
    /// The file that is being written.
    pub path: Option<PathBuf>,
    /// Entries lost since the last line that says so.
    pub lost: u64,
    /// Requests of strangers that were counted instead of written one by one, since the start.
    pub strangers_counted: u64,
    /// The room that is left; none before it was measured.
    pub space: Option<LogSpace>,
    /// Whether reads go on while the log cannot be written.
    pub serves_reads_unrecorded: bool,
    /// Nothing has a place in the log now: what is not served unrecorded is refused.
    pub takes_nothing: bool,
    /// How long a request waits for its intent to be durable before it is refused.
    pub intent_wait: Duration,
}

/// The only way onto the record. Clones share one log.
#[derive(Clone)]
pub struct Ledger(Arc<LedgerShared>);

struct LedgerShared {
    queue: Arc<EntryQueue>,
    writer_status: Arc<Lock<WriterStatus>>,
    serve_reads_unrecorded: bool,
    intent_wait: Duration,
}

impl Drop for LedgerShared {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Ledger {
    /// Takes up the log where it ends, writes a durable `start` line, and starts the thread that writes. Blocks.
    ///
    /// # Errors
    /// The log cannot be written, another process writes it, or its end does not verify.
    pub fn open(options: LedgerOptions) -> Result<Self, LedgerOpenError> {
        let queue = EntryQueue::new(options.strangers);
        let resumed = resume(&options.directory, options.file_bytes_max, options.space)?;
        let (sink, head, torn_bytes) = (resumed.directory, resumed.head, resumed.torn_bytes);
        let mut writer = LedgerWriter::new(Arc::clone(&queue), Box::new(sink), head, options.boot)
            .observed_by(options.observer);
        let torn = (torn_bytes > 0).then(|| AuditEvent::Gap {
            lost: 0,
            reason: format!("torn tail of {torn_bytes} bytes removed").into(),
        });
        let start = AuditEvent::Start {
            version: options.version,
            config: options.config,
        };
        writer.begin(torn.into_iter().chain([start]))?;
        let status = writer.status();
        let heartbeat = options.watchdog.watch(WRITER_PART);
        thread::Builder::new()
            .name(WRITER_PART.to_owned())
            .spawn(move || writer.run(heartbeat))
            .map_err(LedgerOpenError::Thread)?;
        Ok(Self(Arc::new(LedgerShared {
            queue,
            writer_status: status,
            serve_reads_unrecorded: options.serve_reads_unrecorded,
            intent_wait: options.intent_wait,
        })))
    }

    /// Puts a request on record before it is sent. A read only has its entry reserved; everything else is on disk when
    /// this returns.
    ///
    /// # Errors
    /// The log cannot be written: nothing may be sent.
    pub async fn intend(&self, leased: Leased) -> Result<Intended, Box<Unrecordable>> {
        let facts = RequestFacts::from_leased(&leased);
        let entry = match leased.class() {
            RiskClass::Read => self.reserve(facts),
            // Boxed, so that what waiting needs does not lie in every read's future.
            RiskClass::Secrets | RiskClass::Write | RiskClass::Dangerous => {
                Box::pin(self.write_intent(facts)).await
            }
        };
        match entry {
            Ok(entry) => Ok(Intended::assert_intended(leased, entry)),
            Err(LedgerWriteError) => Err(Box::new(Unrecordable { leased })),
        }
    }

    /// Reserves room for an outcome in the queue, so that closing it cannot fail.
    ///
    /// # Errors
    /// The log cannot be written, or the queue is full, and reads are not served unrecorded.
    pub fn reserve(&self, facts: RequestFacts) -> Result<OpenEntry, LedgerWriteError> {
        let queue = &self.0.queue;
        let unrecorded = self.0.serve_reads_unrecorded;
        if queue.is_broken() && !unrecorded {
            return Err(LedgerWriteError);
        }
        let reservation = match queue.reserve() {
            Some(reservation) => reservation,
            None if unrecorded => queue.unreserved(),
            None => return Err(LedgerWriteError),
        };
        Ok(OpenEntry::new(facts, reservation))
    }

    /// Writes an intent and returns when it is durable.
    ///
    /// # Errors
    /// The log cannot be written in time, one second by default, or the queue is full. The intent may still come to be
    /// written; the outcome of the refusal, which its owner records, then follows it.
    pub async fn write_intent(&self, facts: RequestFacts) -> Result<OpenEntry, LedgerWriteError> {
        let queue = &self.0.queue;
        if queue.is_broken() {
            return Err(LedgerWriteError);
        }
        let (Some(reservation), Some(outcome_reservation)) = (queue.reserve(), queue.reserve())
        else {
            return Err(LedgerWriteError);
        };
        let intent = AuditEntry::Intent {
            at: Timestamp::now(),
            facts: facts.clone(),
        };
        // Open before the wait: if nobody waits to the end, the intent still gets its outcome.
        let entry = OpenEntry::new(facts, outcome_reservation);
        let durable = queue.push_durable(reservation, intent);
        let in_time = tokio::time::timeout(self.0.intent_wait, durable).await;
        if let Ok(Ok(())) = in_time {
            Ok(entry)
        } else {
            entry.discard();
            Err(LedgerWriteError)
        }
    }

    /// Puts on record how a request ended for which no line was open; `value` is what its caller gets. Never waits: without
    /// room the line is lost, and counted. A request without a proven caller is a stranger's: beyond
    /// [`LedgerOptions::strangers`] it is counted in one `refused` line, what is public (our server's metadata) as `allowed`.
    pub fn record<T>(&self, facts: RequestFacts, details: OutcomeDetails, value: T) -> Recorded<T> {
        let queue = &self.0.queue;
        // With 5xx we say that we failed, whoever asked.
        let is_stranger = facts.caller.is_none() && details.status < 500;
        let reservation = if is_stranger {
            queue.stranger()
        } else {
            queue.reserve_extra()
        };
        OpenEntry::new(facts, reservation).close_with(details, value)
    }

    /// Puts an event on record. Never waits: without room the line is lost, and counted.
    pub fn event(&self, event: AuditEvent) {
        self.0.queue.push(AuditEntry::event(event));
    }

    /// Returns when everything that was handed over before is durable.
    ///
    /// # Errors
    /// The log cannot be written.
    pub async fn flush(&self) -> Result<(), LedgerWriteError> {
        self.0.queue.flush().await.map_err(|_| LedgerWriteError)
    }

    /// How the ledger is at this moment.
    #[must_use]
    pub fn snapshot(&self) -> LedgerSnapshot {
        let status = self.0.writer_status.lock().clone();
        LedgerSnapshot {
            records: status.records,
            failures: status.failures,
            queued: self.0.queue.occupied(),
            failure: status.failure,
            gap: status.gap,
            head: status.head,
            path: status.path,
            lost: self.0.queue.lost(),
            strangers_counted: self.0.queue.strangers.counted(),
            space: status.space,
            serves_reads_unrecorded: self.0.serve_reads_unrecorded,
            takes_nothing: self.0.queue.is_broken() || self.0.queue.is_full(),
            intent_wait: self.0.intent_wait,
        }
    }

    /// Writes a `stop` line and everything that is left. Blocks, up to `longest`; what is handed over afterwards is lost.
    /// False if the disk took longer, or took not all of it.
    #[must_use]
    pub fn close_within(self, why: &str, longest: Duration) -> bool {
        self.event(AuditEvent::Stop { reason: why.into() });
        self.0.queue.close();
        self.0.queue.wait_for_end(longest) && self.0.queue.lost() == 0
    }
}
