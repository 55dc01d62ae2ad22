//! The result of a command, on stdout. Commands colour it always; here colours are taken off where nobody wants them.

use std::io::{self, Stdout, Write};

use anstream::AutoStream;

pub(super) struct ResultOutput {
    stream: AutoStream<Stdout>,
    is_used: bool,
}

impl ResultOutput {
    #[must_use]
    pub(super) fn new() -> Self {
        // Not locked: a command may run for months, and other threads write to it too.
        Self {
            stream: AutoStream::auto(io::stdout()),
            is_used: false,
        }
    }

    /// Whether the command has a result.
    #[must_use]
    pub(super) const fn is_used(&self) -> bool {
        self.is_used
    }
}

impl Write for ResultOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.is_used = self.is_used || !bytes.is_empty();
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
