//! Waiting for something to be so: it is looked at again and again, for a bounded time.

use std::time::Duration;

/// Longest that a test waits for what is known to come, unless it says otherwise. A busy machine takes its time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Waits until `done`, and panics when [`TIMEOUTS`] is over.
pub(crate) async fn until(what: &str, done: impl AsyncFnMut() -> bool) {
    until_within(PATIENCE, what, done).await;
}

/// The same with another patience.
pub(crate) async fn until_within(longest: Duration, what: &str, done: impl AsyncFnMut() -> bool) {
    assert!(eventually(longest, done).await, "waited in vain for {what}");
}

/// Waits until `done`, for at most `longest`; whether it came to be.
pub(crate) async fn eventually(longest: Duration, mut done: impl AsyncFnMut() -> bool) -> bool {
    let looking = async {
        while !done().await {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(longest, looking).await.is_ok()
}
