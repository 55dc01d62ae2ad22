//! systemd's journal at the other end of stderr: it takes a priority in front of each line (`sd-daemon(3)`), so that
//! `journalctl -p err` shows what it should.

use std::io::{self, Write};

use rustix::fs::fstat;
use tracing::Level;

/// Whether stderr goes to the journal: `JOURNAL_STREAM` holds device and inode of the stream (`systemd.exec(5)`). A stderr that
/// was redirected since has others.
#[must_use]
pub(crate) fn is_behind_stderr() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    fstat(io::stderr()).is_ok_and(|it| stream == format!("{}:{}", it.st_dev, it.st_ino))
}

/// The prefix of a line of this level: the priorities of `syslog(3)`.
#[must_use]
pub(crate) const fn prefix(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    }
}

/// The text with `prefix` in front of each of its lines.
#[must_use]
pub(crate) fn with_prefix(text: &[u8], prefix: &str) -> Vec<u8> {
    let mut lines = Vec::with_capacity(text.len() + prefix.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        lines.extend_from_slice(prefix.as_bytes());
        lines.extend_from_slice(line);
    }
    lines
}

/// Writes an error of many lines before the log has started.
///
/// # Errors
/// `err` cannot be written to.
pub(crate) fn write_error(err: &mut dyn Write, text: &str) -> io::Result<()> {
    if is_behind_stderr() {
        err.write_all(&with_prefix(text.as_bytes(), prefix(Level::ERROR)))?;
        writeln!(err)
    } else {
        writeln!(err, "{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_gets_the_prefix() {
        let lines = with_prefix(b"one\ntwo\n\nfour", "<3>");
        assert_eq!(lines, b"<3>one\n<3>two\n<3>\n<3>four");
        assert_eq!(with_prefix(b"one\n", "<6>"), b"<6>one\n");
    }
}
