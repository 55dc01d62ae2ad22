//! Returns freed memory to the system after many connections have closed. The allocator keeps freed memory until its thread
//! has allocated often enough again, so an idle worker would keep it for good.

use std::{hint::black_box, sync::Arc, time::Duration};

use super::connection_load::ConnectionLoad;

/// How often a worker checks how many connections have closed.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Fewest closed connections that make it worthwhile.
const CLOSED_CONNECTIONS_MIN: usize = 64;
/// Rounds until everything is returned: one frees blocks, the next their pages, then what held those.
const ROUNDS: u32 = 10;
/// After this many allocations above [`ALLOCATED_BYTES`] the allocator returns what it can (mimalloc's
/// `generic_collect`); they take about a millisecond.
const ALLOCATIONS: usize = 10_000;
/// Larger than the blocks on the allocator's small-block lists, which do not count.
const ALLOCATED_BYTES: usize = 2048;

/// Runs on the worker's own thread, which owns the memory, and never ends; `load` is its number of connections.
pub(crate) async fn release_freed_memory(load: Arc<ConnectionLoad>) {
    let (mut most, mut rounds) = (0, 0);
    loop {
        tokio::time::sleep(CHECK_INTERVAL).await;
        let now = load.open();
        most = most.max(load.take_peak());
        if most.saturating_sub(now) >= CLOSED_CONNECTIONS_MIN {
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
