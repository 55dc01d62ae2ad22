//! How much room is left for the audit log, and what still has a place in it.

/// The default of `audit.max_total`: 50 GiB.
pub const TOTAL_BYTES_MAX: u64 = 50 << 30;
/// The default of `audit.reserve`: 64 MiB.
pub const RESERVE_BYTES: u64 = 64 << 20;

/// At most this much is kept of the reserve for the outcomes of what has begun when writes are refused.
const CLOSING_BYTES_MAX: u64 = 256 << 10;
/// And at most this share of the reserve.
const CLOSING_SHARE: u64 = 8;
/// And, on the file system, of all of it.
const CLOSING_DISK_SHARE: u64 = 64;
/// Of the file system, the reserve is at most this share.
const RESERVE_DISK_SHARE: u64 = 4;

/// The room that the log may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpaceLimits {
    /// `audit.max_total`: of all files of the log together.
    pub total_bytes_max: u64,
    /// `audit.reserve`: the last bytes of it, for intents and outcomes of callers alone.
    pub reserve_bytes: u64,
}

impl Default for SpaceLimits {
    fn default() -> Self {
        Self {
            total_bytes_max: TOTAL_BYTES_MAX,
            reserve_bytes: RESERVE_BYTES,
        }
    }
}

/// What still has a place in the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum SpaceLevel {
    /// Everything.
    #[default]
    Plenty,
    /// Intents, outcomes and events; what strangers do is counted.
    ReserveOnly,
    /// The outcomes of what has begun: nothing new may begin.
    Exhausted,
}

/// Which bound is the nearer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpaceBound {
    /// `audit.max_total`.
    Total,
    /// The file system that the log lies on.
    Disk,
}

/// The file system that the log lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// Bytes that it has left for us.
    pub free_bytes: u64,
    /// Bytes of all of it.
    pub total_bytes: u64,
}

/// The room as it was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSpace {
    pub limits: SpaceLimits,
    /// Bytes of all files of the log.
    pub used_bytes: u64,
    /// None if the file system does not say.
    pub disk: Option<DiskSpace>,
}

impl LogSpace {
    /// Bytes that the file system has left for us; none if it does not say.
    #[must_use]
    pub fn disk_free_bytes(&self) -> Option<u64> {
        self.disk.map(|it| it.free_bytes)
    }

    /// Bytes that may still be written.
    #[must_use]
    pub fn room_bytes(&self) -> u64 {
        let of_total = self.limits.total_bytes_max.saturating_sub(self.used_bytes);
        self.disk_free_bytes()
            .map_or(of_total, |it| it.min(of_total))
    }

    /// What still has a place.
    #[must_use]
    pub fn level(&self) -> SpaceLevel {
        self.level_after(SpaceLevel::Plenty)
    }

    /// The same after `before`: out of the reserve only with an eighth of it to spare, so that the level does not change to and
    /// fro at the edge.
    #[must_use]
    pub fn level_after(&self, before: SpaceLevel) -> SpaceLevel {
        let of_total = self.limits.total_bytes_max.saturating_sub(self.used_bytes);
        let reserve = self.limits.reserve_bytes;
        let closing = CLOSING_BYTES_MAX.min(reserve / CLOSING_SHARE);
        let level = level_of(of_total, reserve, closing, before);
        let Some(disk) = self.disk else { return level };
        // A small disk is not to be given up for what a large one can spare.
        let reserve = reserve.min(disk.total_bytes / RESERVE_DISK_SHARE);
        let closing = closing.min(disk.total_bytes / CLOSING_DISK_SHARE);
        level.max(level_of(disk.free_bytes, reserve, closing, before))
    }

    /// The bound that [`LogSpace::room_bytes`] comes from.
    #[must_use]
    pub fn bound(&self) -> SpaceBound {
        let of_total = self.limits.total_bytes_max.saturating_sub(self.used_bytes);
        if self.disk_free_bytes().is_some_and(|it| it < of_total) {
            SpaceBound::Disk
        } else {
            SpaceBound::Total
        }
    }

    /// Takes note of bytes that were written since.
    pub fn write(&mut self, bytes: u64) {
        self.used_bytes = self.used_bytes.saturating_add(bytes);
        if let Some(disk) = &mut self.disk {
            disk.free_bytes = disk.free_bytes.saturating_sub(bytes);
        }
    }

    /// Why there is no more room, and what helps: a clause.
    #[must_use]
    pub fn shortage(&self) -> String {
        match self.bound() {
            SpaceBound::Total => format!(
                "its files take {} of audit.max_total ({}); move the oldest elsewhere (what `audit verify` calls their head is the `--anchor` of the rest), or raise audit.max_total and restart",
                humanize_bytes(self.used_bytes),
                humanize_bytes(self.limits.total_bytes_max)
            ),
            SpaceBound::Disk => format!(
                "its file system has {} left; make room on it",
                humanize_bytes(self.disk_free_bytes().unwrap_or_default())
            ),
        }
    }
}

fn level_of(room: u64, reserve: u64, closing: u64, before: SpaceLevel) -> SpaceLevel {
    let to_spare = match before {
        SpaceLevel::Plenty => 0,
        SpaceLevel::ReserveOnly | SpaceLevel::Exhausted => reserve / 8,
    };
    if room <= closing {
        SpaceLevel::Exhausted
    } else if room <= reserve.saturating_add(to_spare) {
        SpaceLevel::ReserveOnly
    } else {
        SpaceLevel::Plenty
    }
}

/// A size as settings write it, rounded down: `512 B`, `41 MiB`, `49.9 GiB`.
#[must_use]
pub fn humanize_bytes(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let fits = units.iter().find(|(_, shift)| bytes >> shift > 0);
    let Some((unit, shift)) = fits else {
        return format!("{bytes} B");
    };
    let (whole, tenths) = (bytes >> shift, ((bytes % (1 << shift)) * 10) >> shift);
    match tenths {
        0 => format!("{whole} {unit}"),
        tenths => format!("{whole}.{tenths} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(used_kib: u64, free_kib: Option<u64>) -> LogSpace {
        LogSpace {
            limits: SpaceLimits {
                total_bytes_max: 1024 << 10,
                reserve_bytes: 128 << 10,
            },
            used_bytes: used_kib << 10,
            disk: free_kib.map(|it| DiskSpace {
                free_bytes: it << 10,
                total_bytes: 1 << 30,
            }),
        }
    }

    #[test]
    fn the_nearer_of_the_two_bounds_decides() {
        use SpaceLevel::{Exhausted, Plenty, ReserveOnly};
        for (used_kib, free_kib, level, bound) in [
            (0, None, Plenty, SpaceBound::Total),
            (0, Some(4096), Plenty, SpaceBound::Total),
            (895, Some(4096), Plenty, SpaceBound::Total),
            (896, Some(4096), ReserveOnly, SpaceBound::Total),
            (0, Some(128), ReserveOnly, SpaceBound::Disk),
            (0, Some(16), Exhausted, SpaceBound::Disk),
            (1008, None, Exhausted, SpaceBound::Total),
            (5000, Some(4096), Exhausted, SpaceBound::Total),
        ] {
            let space = space(used_kib, free_kib);
            assert_eq!((space.level(), space.bound()), (level, bound), "{space:?}");
        }
    }

    #[test]
    fn what_was_written_takes_from_both() {
        let mut space = space(100, Some(200));
        space.write(50 << 10);
        assert_eq!(space.used_bytes, 150 << 10);
        assert_eq!(space.disk_free_bytes(), Some(150 << 10));
    }

    #[test]
    fn of_a_small_disk_a_quarter_is_the_reserve_and_a_64th_is_left() {
        let of = |free_bytes| LogSpace {
            disk: Some(DiskSpace {
                free_bytes,
                total_bytes: 64 << 10,
            }),
            ..space(0, None)
        };
        assert_eq!(of((16 << 10) + 1).level(), SpaceLevel::Plenty);
        assert_eq!(of(16 << 10).level(), SpaceLevel::ReserveOnly);
        assert_eq!(of(1025).level(), SpaceLevel::ReserveOnly);
        assert_eq!(of(1024).level(), SpaceLevel::Exhausted);
    }

    #[test]
    fn sizes_are_shown_in_the_largest_unit_that_fits() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (50 << 30, "50 GiB"),
        ] {
            assert_eq!(humanize_bytes(bytes), text);
        }
    }
}
