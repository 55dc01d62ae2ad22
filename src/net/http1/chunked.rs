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
pub enum ChunkedError {
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
pub enum DecodedBody {
    /// Some of the body; never empty.
    Data(Bytes),
    /// All bytes are used up, and the body goes on.
    NeedMore,
    /// The body has ended.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChunkedState {
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
pub struct ChunkedDecoder {
    state: ChunkedState,
    extension_bytes: u32,
    trailer_bytes: u32,
}

impl Default for ChunkedState {
    fn default() -> Self {
        INITIAL_STATE
    }
}

const INITIAL_STATE: ChunkedState = ChunkedState::Size {
    value: 0,
    digits: 0,
};

impl ChunkedDecoder {
    /// Takes the next data off the front of `buffer`.
    ///
    /// # Errors
    /// See [`ChunkedError`]. After an error every call fails.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<DecodedBody, ChunkedError> {
        loop {
            if let ChunkedState::Data { left } = self.state {
                if buffer.is_empty() {
                    return Ok(DecodedBody::NeedMore);
                }
                let length = buffer::clamp_len(left, buffer.len());
                let left = left - length as u64;
                self.state = if left == 0 {
                    ChunkedState::DataCr
                } else {
                    ChunkedState::Data { left }
                };
                return Ok(DecodedBody::Data(buffer::split_bytes(buffer, length)));
            }
            self.skip_framing(buffer)?;
            match self.state {
                ChunkedState::Ended => return Ok(DecodedBody::End),
                ChunkedState::Data { .. } => {}
                _ => return Ok(DecodedBody::NeedMore),
            }
        }
    }

    /// Whether the body has ended, after its last data was taken: its end may be in `buffer` already.
    pub fn is_at_end(&mut self, buffer: &mut BytesMut) -> Result<bool, ChunkedError> {
        if !matches!(self.state, ChunkedState::Data { .. }) {
            self.skip_framing(buffer)?;
        }
        Ok(self.state == ChunkedState::Ended)
    }

    /// Uses up bytes until data begins, the body ends or there are no more.
    fn skip_framing(&mut self, buffer: &mut BytesMut) -> Result<(), ChunkedError> {
        let mut used = 0;
        for byte in buffer.iter() {
            if matches!(self.state, ChunkedState::Data { .. } | ChunkedState::Ended) {
                break;
            }
            match self.transition(*byte) {
                Ok(state) => self.state = state,
                Err(error) => {
                    self.state = ChunkedState::Broken;
                    return Err(error);
                }
            }
            used += 1;
        }
        buffer.advance(used);
        Ok(())
    }

    fn transition(&mut self, byte: u8) -> Result<ChunkedState, ChunkedError> {
        Ok(match (self.state, byte) {
            (ChunkedState::Size { value, digits }, b'\r') if digits > 0 => {
                ChunkedState::SizeEnd { size: value }
            }
            (ChunkedState::Size { value, digits }, b';') if digits > 0 => {
                ChunkedState::Extension { size: value }
            }
            (ChunkedState::Size { value, digits }, _) => push_size_digit(value, digits, byte)?,
            (ChunkedState::Extension { size }, b'\r') => ChunkedState::SizeEnd { size },
            (ChunkedState::Extension { size }, _) => {
                count_within(&mut self.extension_bytes, EXTENSIONS_BYTES_MAX)
                    .ok_or(ChunkedError::Extensions)?;
                check_visible(byte)?;
                ChunkedState::Extension { size }
            }
            (ChunkedState::SizeEnd { size: 0 } | ChunkedState::TrailerLf, b'\n') => {
                ChunkedState::TrailerStart
            }
            (ChunkedState::SizeEnd { size }, b'\n') => ChunkedState::Data { left: size },
            (ChunkedState::DataCr, b'\r') => ChunkedState::DataLf,
            (ChunkedState::DataLf, b'\n') => INITIAL_STATE,
            (ChunkedState::TrailerStart, b'\r') => ChunkedState::EndLf,
            (ChunkedState::EndLf, b'\n') => ChunkedState::Ended,
            (ChunkedState::Trailer, b'\r') => ChunkedState::TrailerLf,
            (ChunkedState::TrailerStart | ChunkedState::TrailerName | ChunkedState::Trailer, _) => {
                count_within(&mut self.trailer_bytes, TRAILERS_BYTES_MAX)
                    .ok_or(ChunkedError::Trailers)?;
                match self.state {
                    ChunkedState::Trailer => check_visible(byte).map(|()| ChunkedState::Trailer)?,
                    ChunkedState::TrailerName if byte == b':' => ChunkedState::Trailer,
                    _ if is_name_byte(byte) => ChunkedState::TrailerName,
                    _ => return Err(ChunkedError::Line),
                }
            }
            _ => return Err(ChunkedError::Line),
        })
    }
}

fn push_size_digit(value: u64, digits: u8, byte: u8) -> Result<ChunkedState, ChunkedError> {
    let digit = char::from(byte).to_digit(16).ok_or(ChunkedError::Size)?;
    if digits >= SIZE_DIGITS_MAX {
        return Err(ChunkedError::Size);
    }
    Ok(ChunkedState::Size {
        value: (value << 4) | u64::from(digit),
        digits: digits + 1,
    })
}

fn count_within(counted: &mut u32, most: u32) -> Option<()> {
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
fn check_visible(byte: u8) -> Result<(), ChunkedError> {
    if byte == b'\t' || (byte >= b' ' && byte != 0x7f) {
        Ok(())
    } else {
        Err(ChunkedError::Line)
    }
}
