//! What editors, consoles and clipboards leave around a secret: byte order marks, blanks, line ends, and characters that nobody
//! sees. No secret of NinjaOne's begins or ends with one.

use std::fmt;

/// What was left off around a secret, apart from the line end that every editor makes. There is at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretEdges {
    byte_order_marks: usize,
    blanks: usize,
    invisible: usize,
}

impl SecretEdges {
    /// Whether it is a single character.
    #[must_use]
    pub const fn is_one(self) -> bool {
        self.byte_order_marks + self.blanks + self.invisible == 1
    }
}

impl fmt::Display for SecretEdges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            (
                self.byte_order_marks,
                "a byte order mark",
                "byte order marks",
            ),
            (self.blanks, "a blank", "blanks"),
            (
                self.invisible,
                "an invisible character",
                "invisible characters",
            ),
        ];
        let there = kinds.into_iter().filter(|(count, ..)| *count > 0);
        let words: Vec<&str> = there
            .map(|(count, one, many)| if count == 1 { one } else { many })
            .collect();
        match words.as_slice() {
            [first, second, third] => write!(f, "{first}, {second} and {third}"),
            words => f.write_str(&words.join(" and ")),
        }
    }
}

/// An encoding of more than one byte a character, in either byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WideEncoding {
    Utf16,
    Utf32,
}

impl fmt::Display for WideEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf16 => "UTF-16",
            Self::Utf32 => "UTF-32",
        })
    }
}

/// The text without what nobody meant to be part of it, at both ends.
#[must_use]
pub fn trim(text: &str) -> &str {
    text.trim_matches(is_edge)
}

/// What [`trim`] leaves off that was not just a line end.
#[must_use]
pub fn edges_of(text: &str) -> Option<SecretEdges> {
    let kept = trim(text);
    let start = text.find(kept).unwrap_or_default();
    let ends = [text.get(..start), text.get(start + kept.len()..)];
    let left_off = ends.into_iter().flatten().flat_map(str::chars);
    let mut edges = SecretEdges {
        byte_order_marks: 0,
        blanks: 0,
        invisible: 0,
    };
    for letter in left_off {
        match letter {
            '\r' | '\n' => {}
            BYTE_ORDER_MARK => edges.byte_order_marks += 1,
            letter if is_invisible(letter) => edges.invisible += 1,
            _ => edges.blanks += 1,
        }
    }
    let SecretEdges {
        byte_order_marks,
        blanks,
        invisible,
    } = edges;
    (byte_order_marks + blanks + invisible > 0).then_some(edges)
}

/// A character within a trimmed secret that nobody sees, or that only looks like a space.
#[must_use]
pub fn hidden_within(text: &str) -> Option<char> {
    let is_odd_blank = |it: char| it.is_whitespace() && !it.is_ascii();
    text.chars()
        .find(|it| is_invisible(*it) || is_odd_blank(*it))
}

/// How bytes are encoded that are text in UTF-16, as a Windows console writes it, or in UTF-32: told by the byte order mark, or
/// because all bytes but every second or fourth are 0.
#[must_use]
pub fn wide_encoding(bytes: &[u8]) -> Option<WideEncoding> {
    let has_mark = matches!(bytes, [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..]);
    let ends = [0, 3];
    if bytes.len().is_multiple_of(4) && (has_mark || ends.iter().any(|at| is_sparse(bytes, 4, *at)))
    {
        return Some(WideEncoding::Utf32);
    }
    let has_mark = matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
    let is_utf16 = bytes.len().is_multiple_of(2)
        && (has_mark || bytes.len() > 2 && (is_sparse(bytes, 2, 0) || is_sparse(bytes, 2, 1)));
    is_utf16.then_some(WideEncoding::Utf16)
}

/// Whether all bytes are 0 except some at `place` of each `width`.
fn is_sparse(bytes: &[u8], width: usize, place: usize) -> bool {
    let mut others = bytes
        .iter()
        .enumerate()
        .filter(|(at, _)| at % width != place);
    others.all(|(_, byte)| *byte == 0) && bytes.iter().any(|byte| *byte != 0)
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
        for (text, said) in [
            ("s3cret", ""),
            ("s3cret\n", ""),
            ("s3cret\r\n\r\n", ""),
            ("\u{feff}s3cret", "a byte order mark"),
            ("\u{feff}s3cret \n", "a byte order mark and a blank"),
            ("\u{feff} s3cret \n", "a byte order mark and blanks"),
            ("s3cret ", "a blank"),
            ("\ts3cret", "a blank"),
            ("s3cret\u{a0}", "a blank"),
            ("s3cret \u{3000}\n", "blanks"),
            ("s3cret\u{200b}", "an invisible character"),
            (
                "\u{feff}\u{2060}s3cret\u{200e} \n",
                "a byte order mark, a blank and invisible characters",
            ),
            ("s3cret\u{ad}\u{fe0f}", "invisible characters"),
        ] {
            let named = edges_of(text).map_or_else(String::new, |it| it.to_string());
            assert_eq!((trim(text), &*named), ("s3cret", said), "{text:?}");
        }
        assert!(edges_of("s3cret ").unwrap().is_one());
        assert!(!edges_of("\u{feff}s3cret ").unwrap().is_one());
    }

    #[test]
    fn what_is_hidden_within_is_found_and_a_plain_space_is_not() {
        assert_eq!(hidden_within("two words"), None);
        assert_eq!(hidden_within("pässwörd"), None);
        assert_eq!(hidden_within("s3\u{200b}cret"), Some('\u{200b}'));
        assert_eq!(hidden_within("s3\u{a0}cret"), Some('\u{a0}'));
    }

    #[test]
    fn text_in_utf16_and_utf32_is_told_from_other_bytes() {
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
            assert_eq!(
                wide_encoding(&utf16("\u{feff}s3cret", big)),
                Some(WideEncoding::Utf16)
            );
            assert_eq!(
                wide_encoding(&utf16("s3cret", big)),
                Some(WideEncoding::Utf16)
            );
            assert_eq!(
                wide_encoding(&utf16("\u{feff}sécret\u{4e00}", big)),
                Some(WideEncoding::Utf16)
            );
        }
        let utf32 = |text: &str, big: bool| -> Vec<u8> {
            let letters = text.chars().map(u32::from);
            letters
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
            for text in ["s3cret", "\u{feff}s3cret", "\u{feff}s\u{e9}cret\u{4e00}"] {
                let told = wide_encoding(&utf32(text, big));
                assert_eq!(told, Some(WideEncoding::Utf32), "{text:?}");
            }
        }
        for other in [
            b"s3cret".as_slice(),
            b"",
            b"\0\0\0\0",
            b"ab\0\0",
            b"\xff\xfeo",
        ] {
            assert_eq!(wide_encoding(other), None, "{other:?}");
        }
    }
}
