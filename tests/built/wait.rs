//! Waits for a condition: checks it again and again, for a bounded time.

use std::time::Duration;

/// Longest that a test waits for what is known to come, unless it says otherwise. A busy machine takes its time.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Waits until `done`, and panics after [`WAIT_MAX`].
pub(crate) async fn until(what: &str, done: impl AsyncFnMut() -> bool) {
    until_within(WAIT_MAX, what, done).await;
}

/// The same with another bound.
pub(crate) async fn until_within(longest: Duration, what: &str, done: impl AsyncFnMut() -> bool) {
    assert!(eventually(longest, done).await, "waited in vain for {what}");
}

/// Waits until `done`, for at most `longest`; returns whether it was.
pub(crate) async fn eventually(longest: Duration, mut done: impl AsyncFnMut() -> bool) -> bool {
    let looking = async {
        while !done().await {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(longest, looking).await.is_ok()
}
