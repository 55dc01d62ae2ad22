//! A line of standard input that is no terminal.

use std::{
    io::{self, Read},
    thread,
};

use tokio::sync::oneshot;
use zeroize::{Zeroize, Zeroizing};

use crate::{config::value::secret_text, secret::Secret};

use super::too_long;

/// # Errors
/// The input cannot be read, is not UTF-8, or the line is longer than `bytes_max`.
pub(super) async fn read(bytes_max: usize) -> io::Result<Option<Secret<String>>> {
    let (tell, told) = oneshot::channel();
    // Not a runtime task: one that waits for input would delay the end of the program.
    thread::Builder::new().spawn(move || drop(tell.send(read_blocking(bytes_max))))?;
    told.await.unwrap_or(Ok(None))
}

fn read_blocking(bytes_max: usize) -> io::Result<Option<Secret<String>>> {
    // At its full length from the start: growing would leave copies behind.
    let mut line = Zeroizing::new(Vec::with_capacity(bytes_max));
    let mut input = io::stdin().lock();
    let mut byte = [0];
    loop {
        if input.read(&mut byte)? == 0 {
            if line.is_empty() {
                return Ok(None);
            }
            break;
        }
        match byte {
            [b'\n'] => break,
            _ if line.len() == bytes_max => return Err(too_long(bytes_max)),
            [other] => line.push(other),
        }
    }
    text_of(&mut line).map(Some)
}

/// The line as text, without what a clipboard leaves around it. The bytes are wiped.
///
/// # Errors
/// It is not UTF-8.
pub(super) fn text_of(line: &mut Vec<u8>) -> io::Result<Secret<String>> {
    let text = std::str::from_utf8(line).map(|it| Secret::new(secret_text::trim(it).to_owned()));
    let text = text.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "this is not UTF-8"));
    line.zeroize();
    text
}
