//! Reads a line from the terminal, without echo for a secret.

use std::{
    io::{self, IsTerminal, Read},
    thread,
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::oneshot;
use zeroize::Zeroize;

use crate::{config::value::secret_text, secret::Secret};

const DELETE: u8 = 0x7f;
const BACKSPACE: u8 = 0x08;
const END_OF_INPUT: u8 = 0x04;
const ERASE_LINE: u8 = 0x15;

/// Whether a line is echoed while it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Echo {
    On,
    Off,
}

/// Reads one line of standard input, without its newline and what a clipboard leaves around it; `None` at the end of the input. It may be cancelled at any time: the
/// terminal is restored.
///
/// # Errors
/// The input cannot be read, is not UTF-8, or the line is longer than `bytes_max`.
pub(super) async fn read_line(echo: Echo, bytes_max: usize) -> io::Result<Option<Secret<String>>> {
    let hidden = if echo == Echo::Off {
        NoEchoGuard::begin()?
    } else {
        None
    };
    let raw = hidden.is_some();
    let (tell, told) = oneshot::channel();
    // Not a runtime task: one that waits for input would delay the end of the program.
    thread::Builder::new().spawn(move || drop(tell.send(read(raw, bytes_max))))?;
    told.await.unwrap_or(Ok(None))
}

fn read(raw: bool, bytes_max: usize) -> io::Result<Option<Secret<String>>> {
    let mut line = Vec::new();
    let mut input = io::stdin().lock();
    let mut byte = [0];
    loop {
        let ended = input.read(&mut byte)? == 0 || raw && byte == [END_OF_INPUT];
        match byte {
            _ if ended && line.is_empty() => return Ok(None),
            _ if ended => break,
            [b'\n' | b'\r'] => break,
            [DELETE | BACKSPACE] if raw => drop(line.pop()),
            [ERASE_LINE] if raw => line.clear(),
            _ if line.len() == bytes_max => {
                line.zeroize();
                let why = format!("the line is longer than {bytes_max} bytes");
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
            [other] => line.push(other),
        }
    }
    match String::from_utf8(line) {
        Ok(mut text) => {
            let trimmed = Secret::new(secret_text::trim(&text).to_owned());
            text.zeroize();
            Ok(Some(trimmed))
        }
        Err(error) => {
            error.into_bytes().zeroize();
            Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "this is not UTF-8",
            ))
        }
    }
}

/// A terminal without echo, until dropped. It is in character mode: in line mode the kernel truncates lines to 4,095 bytes.
struct NoEchoGuard(Termios);

impl NoEchoGuard {
    /// `None` if standard input is not a terminal.
    fn begin() -> io::Result<Option<Self>> {
        if !io::stdin().is_terminal() {
            return Ok(None);
        }
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON);
        tcsetattr(io::stdin(), OptionalActions::Drain, &hidden)?;
        Ok(Some(Self(before)))
    }
}

impl Drop for NoEchoGuard {
    fn drop(&mut self) {
        // Nothing else can be done about a failure.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.0);
    }
}
