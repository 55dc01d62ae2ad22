//! Lines that a person types or pastes on a terminal, or that come through a pipe. What was pasted beyond a line, and what was
//! typed before a question, reaches neither the screen nor the shell.

mod interrupts;
mod line_editor;
mod piped_line;
mod session;

use std::io;

use crate::secret::Secret;

pub(super) use self::{interrupts::Interrupts, session::TerminalSession};

/// Whether a line is echoed while it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Echo {
    On,
    Off,
}

/// A line, without what a clipboard leaves around it.
pub(super) struct TypedLine {
    pub(super) text: Secret<String>,
    /// Whether more lines were pasted, which are discarded.
    pub(super) is_first_of_several: bool,
}

/// Reads one line of standard input, without its newline and what a clipboard leaves around it; `None` at the end of the
/// input. It may be cancelled at any time: the terminal is restored, and what was not read is discarded.
///
/// # Errors
/// The input cannot be read, is not UTF-8, the line is longer than `bytes_max`, or the program is told to end.
pub(super) async fn read_line(echo: Echo, bytes_max: usize) -> io::Result<Option<Secret<String>>> {
    let Some(mut session) = TerminalSession::begin()? else {
        return read_piped_line(bytes_max).await;
    };
    let mut ending = Interrupts::termination()?;
    let screen = &mut io::stderr();
    tokio::select! {
        line = session.read_line(echo, bytes_max, screen) => Ok(line?.map(|it| it.text)),
        () = ending.recv() => Err(io::Error::new(io::ErrorKind::Interrupted, "told to end")),
    }
}

/// Reads one line of a pipe or a file.
///
/// # Errors
/// The input cannot be read, is not UTF-8, or the line is longer than `bytes_max`.
pub(super) async fn read_piped_line(bytes_max: usize) -> io::Result<Option<Secret<String>>> {
    piped_line::read(bytes_max).await
}

fn too_long(bytes_max: usize) -> io::Error {
    let why = format!("the line is longer than {bytes_max} bytes");
    io::Error::new(io::ErrorKind::InvalidData, why)
}
