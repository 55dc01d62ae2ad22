//! Asks one caller's connection to finish what it serves and close.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Waker},
};

/// The bell between the program, which may be on any thread, and a connection.
#[derive(Default)]
pub struct Drain {
    asked: AtomicBool,
    waker: OnceLock<Waker>,
}

impl Drain {
    /// Asks, and wakes the connection so that it hears.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::SeqCst);
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    /// Whether the connection was asked. If it was not, it will be woken when it is: a connection runs on one task.
    pub fn is_asked(&self, cx: &Context<'_>) -> bool {
        // Before the look: whoever asks afterwards wakes us.
        self.waker.get_or_init(|| cx.waker().clone());
        self.asked.load(Ordering::SeqCst)
    }
}
