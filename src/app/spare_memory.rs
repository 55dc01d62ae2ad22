//! Memory that many connections leave behind. The allocator keeps what was freed for the next to come, and gives it to the
//! system only when its thread allocates again for long enough: a worker that has fallen silent would keep it for good.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// How often a worker looks at how many connections it has lost.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// So many connections gone since the last time are worth it.
const GONE_MIN: usize = 64;
/// What one look lets go, the next one gives back: blocks, then the pages that they were on, then what held those.
const ROUNDS: u32 = 10;
/// After so many allocations above [`ALLOCATED_BYTES`] the allocator looks for what it can give back (mimalloc's
/// `generic_collect`); they take about a millisecond.
const ALLOCATIONS: usize = 10_000;
/// Beyond the allocator's lists of short blocks, which it looks at no further than it has to.
const ALLOCATED_BYTES: usize = 2048;

/// Runs on a worker's own thread, whose memory it is, and never ends; `load` is how many connections it serves.
pub(crate) async fn give_back(load: Arc<AtomicUsize>) {
    let (mut most, mut rounds) = (0, 0);
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = load.load(Ordering::Relaxed);
        most = most.max(now);
        if most - now >= GONE_MIN {
            (most, rounds) = (now, ROUNDS);
        }
        if rounds > 0 {
            rounds -= 1;
            for _ in 0..ALLOCATIONS {
                drop(black_box(Vec::<u8>::with_capacity(ALLOCATED_BYTES)));
            }
        }
    }
}
