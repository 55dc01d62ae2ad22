//! What the writer makes of the room that is left: who may still be recorded, and who is told.

use crate::clock::Timestamp;

use super::{
    entry_queue::EntryQueue,
    log_space::{LogSpace, SpaceLevel, humanize_bytes},
};

/// `refused` lines come each second. From the reserve they come at growing distances, up to this: a flood that lasts for
/// days must not use it up.
const RESERVE_TALLY_SECONDS_MAX: u64 = 64;

/// The level of the room, since when, and what follows from it.
pub(super) struct SpaceWatch {
    space: Option<LogSpace>,
    level: SpaceLevel,
    since: Timestamp,
    /// Seconds that a `refused` line tells of.
    tally_seconds: u64,
    /// Why lines were lost, for the `gap` line to come.
    gap_reason: Option<Box<str>>,
}

impl SpaceWatch {
    pub(super) fn new() -> Self {
        Self {
            space: None,
            level: SpaceLevel::Plenty,
            since: Timestamp::now(),
            tally_seconds: 1,
            gap_reason: None,
        }
    }

    pub(super) fn space(&self) -> Option<LogSpace> {
        self.space
    }

    pub(super) fn level(&self) -> SpaceLevel {
        self.level
    }

    /// Why nothing new may begin, and since when.
    pub(super) fn failure(&self) -> Option<(Box<str>, Timestamp)> {
        let space = self.space.as_ref()?;
        (self.level == SpaceLevel::Exhausted).then(|| {
            (
                format!("no room is left: {}", space.shortage()).into(),
                self.since,
            )
        })
    }

    /// Takes note of the room that is left, and logs each change of the level once.
    pub(super) fn update(&mut self, space: LogSpace, queue: &EntryQueue) {
        self.space = Some(space);
        let level = space.level_after(self.level);
        if level == self.level {
            return;
        }
        let before = std::mem::replace(&mut self.level, level);
        self.since = Timestamp::now();
        let (room, why) = (humanize_bytes(space.room_bytes()), space.shortage());
        match level {
            SpaceLevel::Plenty => {
                self.tally_seconds = 1;
                tracing::warn!(room, "the audit log has room again");
            }
            SpaceLevel::ReserveOnly => tracing::warn!(
                room,
                why,
                "only the audit log's reserve is left: requests without a valid key are counted, not recorded one by one"
            ),
            SpaceLevel::Exhausted => {
                tracing::error!(
                    room,
                    why,
                    "the audit log is full: everything but reads is refused"
                );
                self.gap_reason = Some(format!("since {}: no room: {why}", self.since).into());
            }
        }
        if before == SpaceLevel::Exhausted && queue.lost() == 0 {
            self.gap_reason = None;
        }
    }

    /// Since when and why there was no room, for the line that tells of what was lost by that; once.
    pub(super) fn take_gap_reason(&mut self) -> Option<Box<str>> {
        self.gap_reason.take()
    }

    /// Seconds that the next `refused` line tells of. Where no room is left it waits until there is.
    pub(super) fn tally_seconds(&self) -> u64 {
        match self.level {
            SpaceLevel::Plenty | SpaceLevel::ReserveOnly => self.tally_seconds,
            SpaceLevel::Exhausted => u64::MAX,
        }
    }

    /// A `refused` line is about to be written.
    pub(super) fn note_tally(&mut self) {
        if self.level != SpaceLevel::Plenty {
            self.tally_seconds = (2 * self.tally_seconds).min(RESERVE_TALLY_SECONDS_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::audit::{
        log_space::{DiskSpace, SpaceLimits},
        stranger_queue::StrangerLimits,
    };

    fn space(room_kib: u64) -> LogSpace {
        LogSpace {
            limits: SpaceLimits {
                total_bytes_max: 1 << 30,
                reserve_bytes: 128 << 10,
            },
            used_bytes: 0,
            disk: Some(DiskSpace {
                free_bytes: room_kib << 10,
                total_bytes: 1 << 30,
            }),
        }
    }

    #[test]
    fn the_reserve_is_left_only_with_room_to_spare() {
        let queue = EntryQueue::new(StrangerLimits::default());
        let mut watch = SpaceWatch::new();
        for (room_kib, level) in [
            (129, SpaceLevel::Plenty),
            (128, SpaceLevel::ReserveOnly),
            (130, SpaceLevel::ReserveOnly),
            (145, SpaceLevel::Plenty),
            (16, SpaceLevel::Exhausted),
            (17, SpaceLevel::ReserveOnly),
        ] {
            watch.update(space(room_kib), &queue);
            assert_eq!(watch.level(), level, "{room_kib} KiB");
            assert_eq!(watch.failure().is_some(), level == SpaceLevel::Exhausted);
        }
    }

    #[test]
    fn refused_lines_come_less_often_from_the_reserve() {
        let queue = EntryQueue::new(StrangerLimits::default());
        let mut watch = SpaceWatch::new();
        watch.note_tally();
        assert_eq!(watch.tally_seconds(), 1);
        watch.update(space(100), &queue);
        for expected in [2, 4, 8, 16, 32, 64, 64] {
            watch.note_tally();
            assert_eq!(watch.tally_seconds(), expected);
        }
        watch.update(space(1), &queue);
        assert_eq!(watch.tally_seconds(), u64::MAX);
        watch.update(space(1000), &queue);
        assert_eq!(watch.tally_seconds(), 1);
    }
}
