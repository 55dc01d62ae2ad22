//! How a message's body is framed (RFC 9112 section 6), and strict parsers for the header lines that say so.

use bytes::BytesMut;

use super::{
    buffer,
    chunked::{ChunkedDecoder, ChunkedError, DecodedBody},
};

/// How long a message's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    None,
    /// So many bytes.
    Length(u64),
    /// The chunked coding.
    Chunked,
    /// Everything up to the end of the connection: responses only.
    UntilClose,
}

/// Decodes a body: what is left of it.
#[derive(Debug)]
pub enum BodyDecoder {
    /// It has been read to its end.
    Done,
    /// So many bytes.
    Length(u64),
    Chunked(ChunkedDecoder),
    UntilClose,
}

impl BodyDecoder {
    /// For a body whose head has been read.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        match framing {
            Framing::None => Self::Done,
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(ChunkedDecoder::default()),
            Framing::UntilClose => Self::UntilClose,
        }
    }

    /// Takes the next data off the front of `read`.
    ///
    /// # Errors
    /// When the bytes are not the coding that was declared.
    pub fn decode(&mut self, read: &mut BytesMut) -> Result<DecodedBody, ChunkedError> {
        match self {
            Self::Done | Self::Length(0) => Ok(DecodedBody::End),
            Self::Chunked(chunks) => chunks.decode(read),
            _ if read.is_empty() => Ok(DecodedBody::NeedMore),
            Self::Length(left) => {
                let length = buffer::clamp_len(*left, read.len());
                *left -= length as u64;
                Ok(DecodedBody::Data(buffer::split_bytes(read, length)))
            }
            Self::UntilClose => {
                let length = read.len();
                Ok(DecodedBody::Data(buffer::split_bytes(read, length)))
            }
        }
    }

    /// Whether the last data has been taken, as far as can be told without reading more.
    pub fn is_at_end(&mut self, read: &mut BytesMut) -> bool {
        match self {
            Self::Done | Self::Length(0) => true,
            // An error in the framing is told in its turn, after the data before it.
            Self::Chunked(chunks) => chunks.is_at_end(read).unwrap_or(false),
            Self::Length(_) | Self::UntilClose => false,
        }
    }

    /// Whether the body has been read to its end.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }
}

/// Whether each of a head's lines ends with CRLF: the parser accepts a bare LF too. It refuses CR elsewhere, so there must be
/// as many CR as lines: `fields`, the first line and the empty one.
#[must_use]
pub fn ends_lines_with_crlf(head: &[u8], headers: usize) -> bool {
    /// The first line and the empty one.
    const OTHER_LINES: usize = 2;
    /// So few that a byte can count them: then the compiler counts many at once.
    const COUNTED_BYTES: usize = 255;
    let returns_of = |part: &[u8]| part.iter().map(|it| u8::from(*it == b'\r')).sum::<u8>();
    let returns: usize = head
        .chunks(COUNTED_BYTES)
        .map(|part| usize::from(returns_of(part)))
        .sum();
    returns == headers + OTHER_LINES
}

/// Parses decimal digits of at most 64 bits: no sign, no list.
#[must_use]
pub fn parse_decimal(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// Whether a value of `Connection` has the option `close`.
#[must_use]
pub fn has_close_option(value: &[u8]) -> bool {
    value
        .split(|it| *it == b',')
        .any(|it| it.trim_ascii().eq_ignore_ascii_case(b"close"))
}
