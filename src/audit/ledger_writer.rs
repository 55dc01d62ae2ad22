//! The writer thread: takes batches off the queue, chains and writes them, syncs, and recovers from errors.

use std::{collections::VecDeque, iter, sync::Arc, thread, time::Duration};

use crate::{
    clock::{Moment, Timestamp, rfc3339},
    lock::Lock,
    watchdog::Heartbeat,
};

use super::{
    chain::{Chain, Head, WRITE_BYTES_MAX},
    entry::{AuditEntry, AuditEvent},
    entry_queue::{Batch, EntryQueue, QueuedEntry},
    ledger_observer::LedgerObserver,
    log_space::SpaceLevel,
    sink::{DAY_LENGTH, Day, SinkError, directory::DirectorySink},
    space_watch::SpaceWatch,
    writer_status::{LedgerGap, WriterFailure, WriterStatus},
};

/// How long a line that nobody waits for may stay in the queue.
const GATHER_MS: u64 = 5;
/// And how long while nothing comes: nobody is waited for then.
const IDLE_MS: u64 = 25;

/// What was written is durable, and known to be still there, after this time.
const SYNC_MS: u64 = 1000;

/// Most lines, other than those of reads, that are written without a sync.
const UNSYNCED_ENTRIES_MAX: usize = 4096;

/// How long the last lines are tried to be written while the log is closed.
const CLOSE_MS_MAX: u64 = 5000;

/// How often a broken log is tried again.
const RETRY_MS: u64 = 250;

pub(super) struct LedgerWriter {
    queue: Arc<EntryQueue>,
    sink: Box<DirectorySink>,
    chain: Chain,
    boot: Box<str>,
    /// Taken off the queue and not yet written.
    pending: VecDeque<QueuedEntry>,
    /// Lines for which there is no room: what is left of it is for the outcomes of what has begun.
    held: VecDeque<QueuedEntry>,
    /// The last line of the run, which waits for all others.
    stop: Option<QueuedEntry>,
    unsynced: Unsynced,
    buffer: Vec<u8>,
    synced: Moment,
    /// The last line that is known to be durable.
    durable_seq: u64,
    outage: Option<Outage>,
    space: SpaceWatch,
    /// Strangers' lines are counted only.
    counts_strangers: bool,
    observer: Option<LedgerObserver>,
    status: Arc<Lock<WriterStatus>>,
    /// Last, so that the sink has let go of its lock when others hear of the end.
    _end_guard: EndGuard,
}

/// What was written since the last sync: the outcomes of reads are counted, the rest is kept.
#[derive(Default)]
struct Unsynced {
    entries: VecDeque<AuditEntry>,
    reads: u64,
}

impl Unsynced {
    fn take(&mut self, items: impl Iterator<Item = QueuedEntry>) {
        for QueuedEntry { entry, .. } in items {
            if entry.is_read() {
                self.reads += 1;
            } else {
                self.entries.push_back(entry);
            }
        }
    }
}

struct Outage {
    failure: WriterFailure,
    /// Somebody else has changed the files: whoever looks at them has to know, whether lines are missing or not.
    is_interference: bool,
    retry_at: Moment,
}

impl LedgerWriter {
    pub(super) fn new(
        queue: Arc<EntryQueue>,
        sink: Box<DirectorySink>,
        head: Head,
        boot: Box<str>,
    ) -> Self {
        let status = WriterStatus {
            head,
            path: None,
            records: 0,
            failures: 0,
            failure: None,
            gap: None,
            space: None,
        };
        Self {
            _end_guard: EndGuard(Arc::clone(&queue)),
            queue,
            sink,
            chain: Chain::resume(head),
            boot,
            pending: VecDeque::new(),
            held: VecDeque::new(),
            stop: None,
            unsynced: Unsynced::default(),
            buffer: Vec::with_capacity(2 * WRITE_BYTES_MAX),
            synced: Moment::now(),
            durable_seq: head.seq,
            outage: None,
            space: SpaceWatch::new(),
            counts_strangers: false,
            observer: None,
            status: Arc::new(Lock::new(status)),
        }
    }

    pub(super) fn observed_by(mut self, observer: Option<LedgerObserver>) -> Self {
        self.observer = observer;
        self
    }

    /// Once for each entry: what a broken disk makes the writer write again is not told again.
    fn observe(&self, item: &QueuedEntry) {
        if let Some(observer) = &self.observer {
            observer(&item.entry);
        }
    }

    pub(super) fn status(&self) -> Arc<Lock<WriterStatus>> {
        Arc::clone(&self.status)
    }

    /// Writes the first lines of a run, and proves by that that the log can be written.
    pub(super) fn begin(
        &mut self,
        events: impl IntoIterator<Item = AuditEvent>,
    ) -> Result<(), SinkError> {
        for event in events {
            self.append_event(event)?;
        }
        self.sync()?;
        self.watch_space();
        self.publish_status();
        Ok(())
    }

    /// Until the ledger is closed, and all is written then or cannot be.
    pub(super) fn run(mut self, heartbeat: Heartbeat) {
        let mut batch = Batch::new();
        let mut gather_ms = GATHER_MS;
        while !batch.closing {
            self.queue
                .take_batch(&mut batch, Duration::from_millis(gather_ms));
            gather_ms = if batch.items.is_empty() {
                IDLE_MS
            } else {
                GATHER_MS
            };
            for item in batch.items.drain(..) {
                self.queue_up(item);
            }
            let somebody_waits = batch.closing || !batch.waiters.is_empty();
            let durable =
                heartbeat.in_system_call(|| self.write_batch(somebody_waits, batch.closing));
            for waiter in batch.waiters.drain(..) {
                if durable {
                    // Whoever waited may have given up.
                    let _ = waiter.send(());
                }
            }
        }
        self.finish(&heartbeat);
        heartbeat.retire();
    }

    /// The log is closing and could not be written: what is left is tried again for a while.
    fn finish(&mut self, heartbeat: &Heartbeat) {
        let gives_up = Moment::now().plus(Duration::from_millis(CLOSE_MS_MAX));
        while self.outage.is_some() && Moment::now() < gives_up {
            thread::sleep(Duration::from_millis(RETRY_MS));
            heartbeat.in_system_call(|| self.write_batch(true, true));
        }
        let lines = self.count_unwritten();
        if lines > 0 {
            self.queue.count_lost(lines);
            tracing::error!(
                lines,
                "lines of the audit log are lost: its end could not be written"
            );
        }
    }

    fn queue_up(&mut self, item: QueuedEntry) {
        self.observe(&item);
        if item.entry.is_stop() {
            self.stop = Some(item);
        } else if self.space.level() == SpaceLevel::Exhausted && item.entry.has_no_intent() {
            self.held.push_back(item);
        } else {
            self.pending.push_back(item);
        }
    }

    /// What is left when the log is given up; nothing is left of it then.
    fn count_unwritten(&mut self) -> u64 {
        let strangers = &self.queue.strangers;
        let counted = strangers.take_tally(Timestamp::now(), 0);
        let lines = self.pending.len() + self.held.len() + strangers.take_lines().len();
        let lines = lines + usize::from(self.stop.is_some());
        lines as u64 + counted.map_or(0, |it| it.count)
    }

    /// True if everything that was taken is written, and durable if somebody waits.
    fn write_batch(&mut self, somebody_waits: bool, closing: bool) -> bool {
        let too_soon = |outage: &Outage| Moment::now() < outage.retry_at && !closing;
        if self.outage.as_ref().is_some_and(too_soon) {
            return false;
        }
        let done = if self.outage.is_some() {
            self.recover()
        } else {
            self.write(somebody_waits, closing)
        };
        let is_durable = done.is_ok();
        if let Err(error) = done.and_then(|()| self.write_strangers(closing)) {
            self.enter_outage(&error);
        }
        self.watch_space();
        self.publish_status();
        is_durable
    }

    fn write(&mut self, somebody_waits: bool, closing: bool) -> Result<(), SinkError> {
        self.write_pending()?;
        let due = Moment::now().since(self.synced) >= Duration::from_millis(SYNC_MS);
        if closing {
            // There was no room for them to the end.
            self.queue.count_lost(self.held.len() as u64);
            self.held.clear();
        }
        // Without room, lines beyond the queue's bound are lost all the time: one line tells of them when there is.
        let has_room = self.space.level() != SpaceLevel::Exhausted;
        if (due || somebody_waits) && (has_room || closing) && self.queue.lost() > 0 {
            let shortage = self.space.take_gap_reason();
            self.write_gap(shortage.unwrap_or_else(|| "the queue was full".into()))?;
        }
        if due || somebody_waits {
            self.sync()?;
        }
        Ok(())
    }

    /// After all others, and not waited for: the lines of strangers, and what was counted of them. The last line of a run
    /// comes after these.
    fn write_strangers(&mut self, closing: bool) -> Result<(), SinkError> {
        let strangers = &self.queue.strangers;
        let seconds = if closing {
            0
        } else {
            self.space.tally_seconds()
        };
        let (lines, tally) = (
            strangers.take_lines(),
            strangers.take_tally(Timestamp::now(), seconds),
        );
        if tally.is_some() {
            self.space.note_tally();
        }
        for line in &lines {
            self.observe(line);
        }
        self.pending.extend(lines);
        if let Some(tally) = tally {
            let entry = AuditEntry::event(AuditEvent::Refused(Box::new(tally)));
            let item = self.queue.unreserved_entry(entry);
            self.observe(&item);
            self.pending.push_back(item);
        }
        self.write_pending()?;
        if !closing {
            return Ok(());
        }
        self.pending.extend(self.stop.take());
        self.write_pending()?;
        self.sync()
    }

    fn sync(&mut self) -> Result<(), SinkError> {
        self.sink.sync()?;
        self.unsynced = Unsynced::default();
        self.synced = Moment::now();
        self.durable_seq = self.chain.head().seq;
        Ok(())
    }

    fn write_pending(&mut self) -> Result<(), SinkError> {
        while !self.pending.is_empty() {
            self.rotate_if_due()?;
            let entries = self.pending.iter().map(|item| &item.entry);
            let linked = self.chain.link(&mut self.buffer, &self.boot, entries);
            self.sink.append(&linked)?;
            let (head, count) = (linked.head(), linked.line_count());
            self.advance_chain(head, count);
            self.unsynced.take(self.pending.drain(..count));
            if self.unsynced.entries.len() >= UNSYNCED_ENTRIES_MAX {
                self.sync()?;
            }
        }
        Ok(())
    }

    /// A line of the writer's own.
    fn append_event(&mut self, event: AuditEvent) -> Result<(), SinkError> {
        self.rotate_if_due()?;
        self.append(event)
    }

    fn rotate_if_due(&mut self) -> Result<(), SinkError> {
        self.sink
            .rotate_if_due(self.chain.head().seq.saturating_add(1), today())?;
        if let Some((from, why)) = self.sink.pending_rotation() {
            let from = from.into();
            self.append(AuditEvent::Rotate { from, reason: why })?;
        }
        Ok(())
    }

    fn append(&mut self, event: AuditEvent) -> Result<(), SinkError> {
        let entry = AuditEntry::event(event);
        let linked = self
            .chain
            .link(&mut self.buffer, &self.boot, iter::once(&entry));
        self.sink.append(&linked)?;
        let (head, count) = (linked.head(), linked.line_count());
        self.advance_chain(head, count);
        Ok(())
    }

    fn advance_chain(&mut self, head: Head, count: usize) {
        self.chain.advance(head);
        self.status.lock().records += count as u64;
    }

    fn write_gap(&mut self, why: Box<str>) -> Result<(), SinkError> {
        let lost = self.queue.lost();
        self.append_event(AuditEvent::Gap { lost, reason: why })?;
        self.queue.acknowledge_lost(lost);
        Ok(())
    }

    fn recover(&mut self) -> Result<(), SinkError> {
        // Any other finding has made the sink give up its file: the next line goes to a new one.
        if let Err(error @ SinkError::Io { .. }) = self.sink.inspect() {
            return Err(error);
        }
        let lost = self.queue.lost();
        self.write_outage()?;
        self.sync()?;
        self.end_outage(lost);
        tracing::warn!("the audit log can be written again");
        Ok(())
    }

    fn end_outage(&mut self, lost: u64) {
        let Some(outage) = self.outage.take() else {
            return;
        };
        if outage.is_interference || lost > 0 {
            self.status.lock().gap = Some(LedgerGap {
                reason: outage.failure.reason,
                from: outage.failure.since,
                to: Timestamp::now(),
                lost,
            });
        }
    }

    /// What waited, and why it had to.
    fn write_outage(&mut self) -> Result<(), SinkError> {
        self.write_pending()?;
        let outage = self.outage.as_ref();
        let why: Box<str> = outage.map_or_else(Box::default, |outage| {
            format!("since {}: {}", outage.failure.since, outage.failure.reason).into()
        });
        let why = match self.space.take_gap_reason() {
            Some(shortage) => format!("{shortage}; {why}").into(),
            None => why,
        };
        self.write_gap(why)
    }

    /// What was written since the last sync and may be nowhere any more is written again, or counted as lost.
    fn requeue_unsynced(&mut self, error: &SinkError) {
        // A file that is still open is written on.
        if self.sink.active_path().is_some() {
            return;
        }
        let unsynced = std::mem::take(&mut self.unsynced);
        if error.loses_lines() {
            self.queue.count_lost(unsynced.reads);
            for entry in unsynced.entries.into_iter().rev() {
                let item = self.queue.unreserved_entry(entry);
                if item.entry.is_stop() {
                    self.stop = Some(item);
                } else {
                    self.pending.push_front(item);
                }
            }
        }
    }

    fn enter_outage(&mut self, error: &SinkError) {
        if let Some(stop) = self.pending.pop_back_if(|it| it.entry.is_stop()) {
            self.stop = Some(stop);
        }
        self.requeue_unsynced(error);
        let retry_at = Moment::now().plus(Duration::from_millis(RETRY_MS));
        if let Some(outage) = &mut self.outage {
            outage.retry_at = retry_at;
        } else {
            tracing::error!(%error, "the audit log cannot be written: everything but reads is refused");
            let broken = WriterFailure {
                reason: format!("{error}; durable up to line {}", self.durable_seq).into(),
                since: Timestamp::now(),
            };
            self.outage = Some(Outage {
                failure: broken,
                is_interference: error.is_interference(),
                retry_at,
            });
        }
        self.status.lock().failures += 1;
    }

    /// Measures the room, and tells the queue what has a place.
    fn watch_space(&mut self) {
        self.space.update(self.sink.space(), &self.queue);
        let level = self.space.level();
        if level != SpaceLevel::Exhausted {
            self.pending.append(&mut self.held);
        }
        let fails = self.outage.is_some();
        self.queue
            .set_broken(fails || level == SpaceLevel::Exhausted);
        let counts_strangers = fails || level != SpaceLevel::Plenty;
        if self.counts_strangers != counts_strangers {
            self.counts_strangers = counts_strangers;
            self.queue.strangers.set_counts_all(counts_strangers);
        }
    }

    fn publish_status(&self) {
        let failure = match &self.outage {
            Some(outage) => Some(outage.failure.clone()),
            None => self
                .space
                .failure()
                .map(|(reason, since)| WriterFailure { reason, since }),
        };
        let mut status = self.status.lock();
        status.head = self.chain.head();
        status.failure = failure;
        status.space = self.space.space();
        // While there is no file, the one that was given up is where to look.
        if let Some(path) = self.sink.active_path()
            && status.path.as_deref() != Some(path)
        {
            status.path = Some(path.to_owned());
        }
    }
}

/// However the thread ends: nothing is accepted that nobody would write.
struct EndGuard(Arc<EntryQueue>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.0.set_broken(true);
        self.0.mark_ended();
    }
}

fn today() -> Day {
    let mut day = [0; DAY_LENGTH];
    for (to, from) in day.iter_mut().zip(rfc3339(Timestamp::now())) {
        *to = from;
    }
    day
}
