//! Reading what a person types, hidden where it is a secret.

use std::{
    io::{self, IsTerminal, Read},
    thread,
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::oneshot;
use zeroize::Zeroize;

use crate::secret::Secret;

const DELETE: u8 = 0x7f;
const BACKSPACE: u8 = 0x08;
const END_OF_INPUT: u8 = 0x04;
const ERASE_LINE: u8 = 0x15;

/// Whether a line is seen while it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Echo {
    On,
    Off,
}

/// One line of standard input, without its end; none at the end of the input. It can be given up at any time: the terminal
/// is then as it was.
///
/// # Errors
/// The input cannot be read, is not UTF-8, or the line is longer than `bytes_max`.
pub(super) async fn line(echo: Echo, bytes_max: usize) -> io::Result<Option<Secret<String>>> {
    let hidden = if echo == Echo::Off {
        Hidden::begin()?
    } else {
        None
    };
    let raw = hidden.is_some();
    let (tell, told) = oneshot::channel();
    // Not a task of the runtime: one that waits for a person would hold up the end of the program.
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
        Ok(text) => Ok(Some(Secret::new(text))),
        Err(error) => {
            error.into_bytes().zeroize();
            Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "this is not UTF-8",
            ))
        }
    }
}

/// A terminal that shows nothing of what is typed, until dropped. It gives single characters: as lines, the kernel would
/// cut off what is longer than 4,095 bytes.
struct Hidden(Termios);

impl Hidden {
    /// None where standard input is no terminal.
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

impl Drop for Hidden {
    fn drop(&mut self) {
        // There is nothing else to be done about it.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.0);
    }
}
