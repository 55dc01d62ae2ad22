//! The terminal while questions are asked: without echo of its own, in character mode, until dropped.

use std::{
    io::{self, IsTerminal, Write},
    os::fd::OwnedFd,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::Signal as RawSignal,
    termios::{
        LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr,
        tcsetattr,
    },
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, timeout_at},
};
use zeroize::Zeroizing;

use super::{
    Echo, TypedLine,
    line_editor::{LineEditor, LineEvent},
    piped_line, too_long,
};

/// Makes the terminal put marks around what is pasted, and no longer.
const PASTE_MARKS_ON: &[u8] = b"\x1b[?2004h";
const PASTE_MARKS_OFF: &[u8] = b"\x1b[?2004l";
/// Disables a special character (termios(3)).
const DISABLED: u8 = 0;

const CHUNK_BYTES: usize = 1024;
/// What is pasted without marks has ended if nothing came for so long.
const PASTE_SILENCE: Duration = Duration::from_millis(80);
/// How long the rest of what was pasted is awaited.
const PASTE_TIME_MAX: Duration = Duration::from_secs(2);

/// What came behind a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Surplus {
    None,
    /// Line ends, as clipboards have them.
    Blank,
    Text,
}

impl Surplus {
    fn of<'a>(bytes: impl Iterator<Item = &'a u8>) -> Self {
        let kind = |byte: &u8| {
            if byte.is_ascii_whitespace() {
                Self::Blank
            } else {
                Self::Text
            }
        };
        bytes.map(kind).max().unwrap_or(Self::None)
    }
}

/// It is in character mode, because in line mode the kernel shows what is pasted before anybody can look at it, and truncates
/// lines to 4,095 bytes.
pub(in crate::cli) struct TerminalSession {
    input: AsyncFd<OwnedFd>,
    before: Termios,
    during: Termios,
    /// After a stop the shell has set its own modes.
    continued: Signal,
    has_paste_marks: bool,
}

impl TerminalSession {
    /// `None` if standard input is not a terminal.
    ///
    /// # Errors
    /// The terminal cannot be used.
    #[expect(
        deprecated,
        reason = "its successor is unsafe for types that may lie about their descriptor; an OwnedFd does not"
    )]
    pub(in crate::cli) fn begin() -> io::Result<Option<Self>> {
        if !io::stdin().is_terminal() {
            return Ok(None);
        }
        let before = tcgetattr(io::stdin())?;
        let mut during = before.clone();
        during
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON);
        // Whoever stops or kills us by a key leaves a terminal behind that shows nothing.
        for key in [SpecialCodeIndex::VSUSP, SpecialCodeIndex::VQUIT] {
            during.special_codes[key] = DISABLED;
        }
        let input = rustix::io::dup(io::stdin())?;
        let mut session = Self {
            input: AsyncFd::with_interest(input, Interest::READABLE)?,
            before,
            during,
            continued: signal(SignalKind::from_raw(RawSignal::CONT.as_raw()))?,
            has_paste_marks: false,
        };
        session.apply()?;
        Ok(Some(session))
    }

    /// Discards what was typed or pasted so far: it answers no question that is asked later.
    pub(in crate::cli) fn discard_typed(&self) {
        // Nothing else can be done about a failure.
        let _ = tcflush(&self.input, QueueSelector::IFlush);
    }

    /// Reads a line; `None` at the end of the input. The rest of what was pasted is discarded.
    ///
    /// # Errors
    /// The terminal cannot be used, the line is not UTF-8 or longer than `bytes_max`: these are `InvalidData`.
    pub(in crate::cli) async fn read_line(
        &mut self,
        echo: Echo,
        bytes_max: usize,
        screen: &mut dyn Write,
    ) -> io::Result<Option<TypedLine>> {
        let mut editor = LineEditor::new(echo, bytes_max);
        let mut chunk = Zeroizing::new([0; CHUNK_BYTES]);
        let (event, mut surplus) = loop {
            let count = self.read(&mut chunk).await?;
            if count == 0 {
                break (LineEvent::EndOfInput, Surplus::None);
            }
            let mut shown = Vec::new();
            let mut bytes = chunk.iter().take(count);
            let mut event = LineEvent::More;
            while event == LineEvent::More
                && let Some(byte) = bytes.next()
            {
                event = editor.push(*byte, &mut shown);
            }
            screen.write_all(&shown)?;
            screen.flush()?;
            if event != LineEvent::More {
                break (event, Surplus::of(bytes));
            }
        };
        writeln!(screen)?;
        if surplus != Surplus::None || editor.is_in_paste() || is_readable(&self.input) {
            surplus = surplus.max(self.discard_rest().await?);
        }
        let (mut line, is_first_of_several) = editor.take();
        match event {
            LineEvent::EndOfInput => Ok(None),
            LineEvent::TooLong => Err(too_long(bytes_max)),
            LineEvent::Done | LineEvent::More => Ok(Some(TypedLine {
                text: piped_line::text_of(&mut line)?,
                is_first_of_several: is_first_of_several || surplus == Surplus::Text,
            })),
        }
    }

    /// Reads on until nothing comes any more: what was pasted may arrive in parts.
    async fn discard_rest(&mut self) -> io::Result<Surplus> {
        let mut chunk = Zeroizing::new([0; CHUNK_BYTES]);
        let deadline = Instant::now() + PASTE_TIME_MAX;
        let mut found = Surplus::None;
        loop {
            let until = deadline.min(Instant::now() + PASTE_SILENCE);
            match timeout_at(until, self.read(&mut chunk)).await {
                Ok(count) => match count? {
                    0 => break,
                    count => found = found.max(Surplus::of(chunk.iter().take(count))),
                },
                Err(_) => break,
            }
        }
        self.discard_typed();
        Ok(found)
    }

    /// Waits for bytes; 0 at the end of the input.
    async fn read(&mut self, chunk: &mut [u8; CHUNK_BYTES]) -> io::Result<usize> {
        loop {
            let mut ready = tokio::select! {
                ready = self.input.readable() => ready?,
                _ = self.continued.recv() => {
                    self.apply()?;
                    continue;
                }
            };
            // The descriptor is shared with the shell, so it stays a blocking one: it is asked before it is read.
            if is_readable(&self.input) {
                let count = rustix::io::read(&self.input, chunk.as_mut_slice())?;
                return Ok(count);
            }
            ready.clear_ready();
        }
    }

    fn apply(&mut self) -> io::Result<()> {
        tcsetattr(&self.input, OptionalActions::Now, &self.during)?;
        let has_marks = std::env::var_os("TERM").is_some_and(|it| !it.is_empty() && it != "dumb");
        if has_marks && io::stderr().is_terminal() {
            self.has_paste_marks = true;
            io::stderr().write_all(PASTE_MARKS_ON)?;
        }
        Ok(())
    }
}

impl Drop for TerminalSession {
    /// Discards what nobody has read before the shell could.
    fn drop(&mut self) {
        self.discard_typed();
        // Nothing else can be done about failures: the terminal may be gone.
        if self.has_paste_marks {
            let _ = io::stderr().write_all(PASTE_MARKS_OFF);
        }
        let _ = tcsetattr(&self.input, OptionalActions::Now, &self.before);
    }
}

fn is_readable(input: &AsyncFd<OwnedFd>) -> bool {
    let mut fds = [PollFd::new(input.get_ref(), PollFlags::IN)];
    let at_once = Timespec::default();
    poll(&mut fds, Some(&at_once)).is_ok_and(|count| count > 0)
}
