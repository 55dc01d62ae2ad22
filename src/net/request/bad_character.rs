//! Names a character of a target that is refused: in which part it stands, where, and how to mend it.

use std::fmt;

/// A part of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TargetPart {
    Path,
    Query,
}

/// A character of a target that must not stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BadCharacter {
    /// Where it stands.
    pub part: TargetPart,
    /// Its first byte, or what its escape stands for.
    pub byte: u8,
    /// It is written as `%` and two digits.
    pub is_escaped: bool,
    /// In bytes from the start of the target, counted from 1.
    pub position: u16,
}

/// Whether the escape of `byte` is refused in a path: it could be read as a separator or as a control.
#[must_use]
pub fn is_refused_escape(part: TargetPart, byte: u8) -> bool {
    match part {
        TargetPart::Path => {
            byte < 0x20 || matches!(byte, 0x7f | b'/' | b'\\' | b'.' | b'%' | b';' | b'?' | b'#')
        }
        TargetPart::Query => matches!(byte, 0 | b'\r' | b'\n'),
    }
}

impl BadCharacter {
    /// `byte` as it is, `offset` bytes from the start of the target.
    #[must_use]
    pub fn plain(part: TargetPart, byte: u8, offset: usize) -> Self {
        Self {
            part,
            byte,
            is_escaped: false,
            position: u16::try_from(offset + 1).unwrap_or(u16::MAX),
        }
    }

    /// The escape of `byte`.
    #[must_use]
    pub fn escaped(part: TargetPart, byte: u8, offset: usize) -> Self {
        Self {
            is_escaped: true,
            ..Self::plain(part, byte, offset)
        }
    }

    /// As a number, to be read by [`from_bits`](Self::from_bits).
    #[must_use]
    pub fn to_bits(self) -> u32 {
        u32::from(self.position) << 16
            | u32::from(self.part == TargetPart::Query) << 9
            | u32::from(self.is_escaped) << 8
            | u32::from(self.byte)
    }

    /// The reverse of [`to_bits`](Self::to_bits).
    #[must_use]
    pub fn from_bits(bits: u32) -> Self {
        let [high, low, flags, byte] = bits.to_be_bytes();
        Self {
            part: if flags & 2 == 0 {
                TargetPart::Path
            } else {
                TargetPart::Query
            },
            byte,
            is_escaped: flags & 1 != 0,
            position: u16::from_be_bytes([high, low]),
        }
    }
}

impl fmt::Display for BadCharacter {
    /// `the query has '<' at position 17 of the target: write '%3C'`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            part,
            byte,
            is_escaped,
            position,
        } = *self;
        f.write_str(match part {
            TargetPart::Path => "the path has ",
            TargetPart::Query => "the query has ",
        })?;
        match byte {
            _ if is_escaped => write!(f, "'%{byte:02X}'")?,
            b' ' => f.write_str("a space")?,
            0x21..=0x7e => write!(f, "'{}'", char::from(byte))?,
            _ => write!(f, "the byte 0x{byte:02X}")?,
        }
        write!(f, " at position {position} of the target")?;
        if is_escaped {
            f.write_str(", which could be read as a separator or a control")
        } else if is_refused_escape(part, byte) {
            f.write_str(", and it must not stand there, escaped or not")
        } else {
            write!(f, ": write '%{byte:02X}'")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_is_wrong_where_and_how_to_mend_it() {
        let said = [
            BadCharacter::plain(TargetPart::Query, b'<', 16).to_string(),
            BadCharacter::plain(TargetPart::Query, b' ', 4).to_string(),
            BadCharacter::plain(TargetPart::Path, 0xc3, 8).to_string(),
            BadCharacter::plain(TargetPart::Path, b';', 8).to_string(),
            BadCharacter::escaped(TargetPart::Path, b'/', 8).to_string(),
        ];
        let expected = [
            "the query has '<' at position 17 of the target: write '%3C'",
            "the query has a space at position 5 of the target: write '%20'",
            "the path has the byte 0xC3 at position 9 of the target: write '%C3'",
            "the path has ';' at position 9 of the target, and it must not stand there, escaped or not",
            "the path has '%2F' at position 9 of the target, which could be read as a separator or a control",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn it_survives_as_a_number() {
        for bad in [
            BadCharacter::plain(TargetPart::Query, b'<', 8190),
            BadCharacter::escaped(TargetPart::Path, 0xff, 0),
            BadCharacter::plain(TargetPart::Path, 0, 99_999),
        ] {
            assert_eq!(BadCharacter::from_bits(bad.to_bits()), bad);
        }
    }
}
