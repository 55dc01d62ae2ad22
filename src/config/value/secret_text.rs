//! What editors, consoles and clipboards leave around a secret: byte order marks, blanks, line ends, and characters that nobody
//! sees. No secret of NinjaOne's begins or ends with one.

use std::fmt;

/// What was left off around a secret, apart from the line end that every editor makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretEdge {
    ByteOrderMark,
    Blank,
    Invisible,
}

impl fmt::Display for SecretEdge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ByteOrderMark => "a byte order mark",
            Self::Blank => "blanks",
            Self::Invisible => "invisible characters",
        })
    }
}

/// The text without what nobody meant to be part of it, at both ends.
#[must_use]
pub fn trim(text: &str) -> &str {
    text.trim_matches(is_edge)
}

/// What [`trim`] leaves off that was not just a line end: the strangest of it.
#[must_use]
pub fn edge_of(text: &str) -> Option<SecretEdge> {
    let kept = trim(text);
    let start = text.find(kept).unwrap_or_default();
    let ends = [text.get(..start), text.get(start + kept.len()..)];
    let left_off = || ends.into_iter().flatten().flat_map(str::chars);
    if left_off().any(|it| it == BYTE_ORDER_MARK) {
        Some(SecretEdge::ByteOrderMark)
    } else if left_off().any(is_invisible) {
        Some(SecretEdge::Invisible)
    } else if left_off().any(|it| !matches!(it, '\r' | '\n')) {
        Some(SecretEdge::Blank)
    } else {
        None
    }
}

/// A character within a trimmed secret that nobody sees, or that only looks like a space.
#[must_use]
pub fn hidden_within(text: &str) -> Option<char> {
    let is_odd_blank = |it: char| it.is_whitespace() && !it.is_ascii();
    text.chars()
        .find(|it| is_invisible(*it) || is_odd_blank(*it))
}

/// Whether bytes are text in UTF-16, as a Windows console writes it: by its byte order mark, or because every other byte
/// is 0.
#[must_use]
pub fn is_utf16(bytes: &[u8]) -> bool {
    let has_mark = matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
    let is_zero = |(index, byte): (usize, &u8), parity: usize| index % 2 != parity || *byte == 0;
    let alternates = |parity| bytes.iter().enumerate().all(|it| is_zero(it, parity));
    let all_zero = bytes.iter().all(|byte| *byte == 0);
    let is_even = bytes.len().is_multiple_of(2);
    is_even && (has_mark || bytes.len() > 2 && !all_zero && (alternates(0) || alternates(1)))
}

const BYTE_ORDER_MARK: char = '\u{feff}';

fn is_edge(letter: char) -> bool {
    letter.is_whitespace() || is_invisible(letter)
}

/// Characters without width or ink: the format characters of Unicode (Cf), and fillers that fonts draw as nothing.
const fn is_invisible(letter: char) -> bool {
    matches!(
        letter,
        '\u{ad}'
            | '\u{34f}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | BYTE_ORDER_MARK
            | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_nobody_meant_to_be_there_is_left_off_and_named() {
        for (text, edge) in [
            ("s3cret", None),
            ("s3cret\n", None),
            ("s3cret\r\n\r\n", None),
            ("\u{feff}s3cret", Some(SecretEdge::ByteOrderMark)),
            ("\u{feff} s3cret \n", Some(SecretEdge::ByteOrderMark)),
            ("s3cret ", Some(SecretEdge::Blank)),
            ("\ts3cret", Some(SecretEdge::Blank)),
            ("s3cret\u{a0}", Some(SecretEdge::Blank)),
            ("s3cret\u{3000}\n", Some(SecretEdge::Blank)),
            ("s3cret\u{200b}", Some(SecretEdge::Invisible)),
            ("\u{2060}s3cret\u{200e} \n", Some(SecretEdge::Invisible)),
            ("s3cret\u{ad}\u{fe0f}", Some(SecretEdge::Invisible)),
        ] {
            assert_eq!((trim(text), edge_of(text)), ("s3cret", edge), "{text:?}");
        }
    }

    #[test]
    fn what_is_hidden_within_is_found_and_a_plain_space_is_not() {
        assert_eq!(hidden_within("two words"), None);
        assert_eq!(hidden_within("pässwörd"), None);
        assert_eq!(hidden_within("s3\u{200b}cret"), Some('\u{200b}'));
        assert_eq!(hidden_within("s3\u{a0}cret"), Some('\u{a0}'));
    }

    #[test]
    fn text_in_utf16_is_told_from_other_bytes() {
        let utf16 = |text: &str, big: bool| -> Vec<u8> {
            let units = text.encode_utf16();
            units
                .flat_map(|it| {
                    if big {
                        it.to_be_bytes()
                    } else {
                        it.to_le_bytes()
                    }
                })
                .collect()
        };
        for big in [false, true] {
            assert!(is_utf16(&utf16("\u{feff}s3cret", big)));
            assert!(is_utf16(&utf16("s3cret", big)));
            assert!(is_utf16(&utf16("\u{feff}sécret\u{4e00}", big)));
        }
        for other in [
            b"s3cret".as_slice(),
            b"",
            b"\0\0\0\0",
            b"ab\0\0",
            b"\xff\xfeo",
        ] {
            assert!(!is_utf16(other), "{other:?}");
        }
    }
}
