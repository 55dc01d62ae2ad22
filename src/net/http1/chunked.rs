//! A strict decoder for the chunked transfer coding (RFC 9112 section 7.1): every line ends with CRLF, a size is hexadecimal
//! digits and nothing else, extensions and trailers are bounded and dropped.

use bytes::{Buf, Bytes, BytesMut};

use super::buffer;

/// Most digits of a chunk's size: 16 fill 64 bits.
const SIZE_DIGITS_MAX: u8 = 16;
/// All chunk extensions of a body together, in bytes.
const EXTENSIONS_BYTES_MAX: u32 = 8 * 1024;
/// All trailer lines of a body together, in bytes.
const TRAILERS_BYTES_MAX: u32 = 16 * 1024;

/// Why bytes are not the chunked coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    #[error("a chunk's size is not 1 to {SIZE_DIGITS_MAX} hexadecimal digits")]
    Size,
    #[error(
        "a line does not end with CRLF, has a control character, or is a trailer without a name"
    )]
    Line,
    #[error("the extensions of chunks are longer than {EXTENSIONS_BYTES_MAX} bytes")]
    Extensions,
    #[error("the trailers are longer than {TRAILERS_BYTES_MAX} bytes")]
    Trailers,
}

/// What decoding came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Some of the body; never empty.
    Data(Bytes),
    /// All bytes are used up, and the body goes on.
    More,
    /// The body has ended.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Size { value: u64, digits: u8 },
    Extension { size: u64 },
    SizeEnd { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    Trailer,
    TrailerLf,
    EndLf,
    Ended,
    Broken,
}

/// Decodes one body.
#[derive(Debug, Default)]
pub struct Chunks {
    state: State,
    extension_bytes: u32,
    trailer_bytes: u32,
}

impl Default for State {
    fn default() -> Self {
        START
    }
}

const START: State = State::Size {
    value: 0,
    digits: 0,
};

impl Chunks {
    /// Takes the next data off the front of `buffer`.
    ///
    /// # Errors
    /// See [`ChunkError`]. After an error every call fails.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Piece, ChunkError> {
        loop {
            if let State::Data { left } = self.state {
                if buffer.is_empty() {
                    return Ok(Piece::More);
                }
                let length = buffer::within(left, buffer.len());
                let left = left - length as u64;
                self.state = if left == 0 {
                    State::DataCr
                } else {
                    State::Data { left }
                };
                return Ok(Piece::Data(buffer::take(buffer, length)));
            }
            self.skip_framing(buffer)?;
            match self.state {
                State::Ended => return Ok(Piece::End),
                State::Data { .. } => {}
                _ => return Ok(Piece::More),
            }
        }
    }

    /// Whether the body has ended, after its last data was taken: its end may be in `buffer` already.
    pub fn is_at_end(&mut self, buffer: &mut BytesMut) -> Result<bool, ChunkError> {
        if !matches!(self.state, State::Data { .. }) {
            self.skip_framing(buffer)?;
        }
        Ok(self.state == State::Ended)
    }

    /// Uses up bytes until data begins, the body ends or there are no more.
    fn skip_framing(&mut self, buffer: &mut BytesMut) -> Result<(), ChunkError> {
        let mut used = 0;
        for byte in buffer.iter() {
            if matches!(self.state, State::Data { .. } | State::Ended) {
                break;
            }
            match self.after(*byte) {
                Ok(state) => self.state = state,
                Err(error) => {
                    self.state = State::Broken;
                    return Err(error);
                }
            }
            used += 1;
        }
        buffer.advance(used);
        Ok(())
    }

    fn after(&mut self, byte: u8) -> Result<State, ChunkError> {
        Ok(match (self.state, byte) {
            (State::Size { value, digits }, b'\r') if digits > 0 => State::SizeEnd { size: value },
            (State::Size { value, digits }, b';') if digits > 0 => State::Extension { size: value },
            (State::Size { value, digits }, _) => size_digit(value, digits, byte)?,
            (State::Extension { size }, b'\r') => State::SizeEnd { size },
            (State::Extension { size }, _) => {
                count(&mut self.extension_bytes, EXTENSIONS_BYTES_MAX)
                    .ok_or(ChunkError::Extensions)?;
                visible(byte)?;
                State::Extension { size }
            }
            (State::SizeEnd { size: 0 } | State::TrailerLf, b'\n') => State::TrailerStart,
            (State::SizeEnd { size }, b'\n') => State::Data { left: size },
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => START,
            (State::TrailerStart, b'\r') => State::EndLf,
            (State::EndLf, b'\n') => State::Ended,
            (State::Trailer, b'\r') => State::TrailerLf,
            (State::TrailerStart | State::TrailerName | State::Trailer, _) => {
                count(&mut self.trailer_bytes, TRAILERS_BYTES_MAX).ok_or(ChunkError::Trailers)?;
                match self.state {
                    State::Trailer => visible(byte).map(|()| State::Trailer)?,
                    State::TrailerName if byte == b':' => State::Trailer,
                    _ if is_name_byte(byte) => State::TrailerName,
                    _ => return Err(ChunkError::Line),
                }
            }
            _ => return Err(ChunkError::Line),
        })
    }
}

fn size_digit(value: u64, digits: u8, byte: u8) -> Result<State, ChunkError> {
    let digit = char::from(byte).to_digit(16).ok_or(ChunkError::Size)?;
    if digits >= SIZE_DIGITS_MAX {
        return Err(ChunkError::Size);
    }
    Ok(State::Size {
        value: (value << 4) | u64::from(digit),
        digits: digits + 1,
    })
}

fn count(counted: &mut u32, most: u32) -> Option<()> {
    *counted += 1;
    (*counted <= most).then_some(())
}

/// RFC 9110 section 5.6.2: what a field's name is made of.
const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Text and tabs; RFC 9110 section 5.5 allows bytes from 0x80 on.
fn visible(byte: u8) -> Result<(), ChunkError> {
    if byte == b'\t' || (byte >= b' ' && byte != 0x7f) {
        Ok(())
    } else {
        Err(ChunkError::Line)
    }
}
