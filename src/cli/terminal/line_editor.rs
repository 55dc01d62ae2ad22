//! What is typed on a terminal in character mode becomes a line: erasing, pasted text between its marks, and keys that send
//! escape sequences. It decides what the screen shows, so that a second pasted line is never seen.

use zeroize::Zeroizing;

use super::Echo;

const END_OF_INPUT: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const ERASE_LINE: u8 = 0x15;
const ESCAPE: u8 = 0x1b;
const DELETE: u8 = 0x7f;

/// The parameters of the sequences that stand around pasted text (xterm's control sequences, Bracketed Paste Mode).
const PASTE_BEGINS: &[u8] = b"200";
const PASTE_ENDS: &[u8] = b"201";
/// Longest parameters that are kept of an escape sequence, in bytes.
const PARAMETERS_BYTES_MAX: usize = 16;

/// Takes the last character off the screen.
const ERASE: &[u8] = b"\x08 \x08";

/// What a byte brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEvent {
    More,
    Done,
    EndOfInput,
    TooLong,
}

/// Where an escape sequence is (ECMA-48 section 5.4).
enum SequenceState {
    None,
    Escape,
    Parameters(Vec<u8>),
    /// One more byte, which says nothing to us.
    Last,
}

/// Where pasted text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PasteState {
    None,
    FirstLine,
    /// What comes until its end is discarded.
    Surplus,
}

pub(super) struct LineEditor {
    echo: Echo,
    line: Zeroizing<Vec<u8>>,
    bytes_max: usize,
    /// Where the character begins that is not whole yet.
    character_at: usize,
    sequence: SequenceState,
    paste: PasteState,
    is_first_of_several: bool,
}

impl LineEditor {
    pub(super) fn new(echo: Echo, bytes_max: usize) -> Self {
        Self {
            echo,
            // At its full length from the start: growing would leave copies behind.
            line: Zeroizing::new(Vec::with_capacity(bytes_max)),
            bytes_max,
            character_at: 0,
            sequence: SequenceState::None,
            paste: PasteState::None,
            is_first_of_several: false,
        }
    }

    /// Takes a byte; what the screen is to show is appended to `screen`.
    pub(super) fn push(&mut self, byte: u8, screen: &mut Vec<u8>) -> LineEvent {
        match std::mem::replace(&mut self.sequence, SequenceState::None) {
            SequenceState::None => {}
            SequenceState::Escape => {
                self.sequence = match byte {
                    b'[' => SequenceState::Parameters(Vec::new()),
                    // Function keys: SS3 and a letter.
                    b'O' => SequenceState::Last,
                    _ => SequenceState::None,
                };
                return LineEvent::More;
            }
            SequenceState::Last => return LineEvent::More,
            SequenceState::Parameters(parameters) => return self.sequence(parameters, byte),
        }
        match byte {
            ESCAPE => {
                self.sequence = SequenceState::Escape;
                LineEvent::More
            }
            b'\r' | b'\n' => self.line_end(),
            _ if self.paste == PasteState::Surplus => {
                self.is_first_of_several |= !byte.is_ascii_whitespace();
                LineEvent::More
            }
            END_OF_INPUT if self.line.is_empty() => LineEvent::EndOfInput,
            END_OF_INPUT => LineEvent::Done,
            DELETE | BACKSPACE => {
                self.erase_character(screen);
                LineEvent::More
            }
            ERASE_LINE => {
                while !self.line.is_empty() {
                    self.erase_character(screen);
                }
                LineEvent::More
            }
            control if control < b' ' => LineEvent::More,
            _ if self.line.len() == self.bytes_max => LineEvent::TooLong,
            other => {
                self.line.push(other);
                self.show_character(screen);
                LineEvent::More
            }
        }
    }

    /// Whether pasted text has begun whose end has not come.
    pub(super) fn is_in_paste(&self) -> bool {
        self.paste != PasteState::None
    }

    /// The line, which is left empty, and whether more lines came with it.
    pub(super) fn take(&mut self) -> (Zeroizing<Vec<u8>>, bool) {
        (std::mem::take(&mut self.line), self.is_first_of_several)
    }

    fn line_end(&mut self) -> LineEvent {
        match self.paste {
            PasteState::None => LineEvent::Done,
            // An empty line before the text is a slip of the selection.
            PasteState::FirstLine if self.line.iter().all(u8::is_ascii_whitespace) => {
                LineEvent::More
            }
            PasteState::FirstLine | PasteState::Surplus => {
                self.paste = PasteState::Surplus;
                LineEvent::More
            }
        }
    }

    fn sequence(&mut self, mut parameters: Vec<u8>, byte: u8) -> LineEvent {
        if !(0x40..=0x7e).contains(&byte) {
            if parameters.len() < PARAMETERS_BYTES_MAX {
                parameters.push(byte);
            }
            self.sequence = SequenceState::Parameters(parameters);
            return LineEvent::More;
        }
        match (byte, parameters.as_slice()) {
            (b'~', PASTE_BEGINS) => {
                self.paste = PasteState::FirstLine;
                LineEvent::More
            }
            (b'~', PASTE_ENDS) => match std::mem::replace(&mut self.paste, PasteState::None) {
                // With its line end it is an answer, as it is on terminals without such marks.
                PasteState::Surplus => LineEvent::Done,
                PasteState::None | PasteState::FirstLine => LineEvent::More,
            },
            _ => LineEvent::More,
        }
    }

    fn show_character(&mut self, screen: &mut Vec<u8>) {
        let tail = self.line.get(self.character_at..).unwrap_or_default();
        let Ok(text) = std::str::from_utf8(tail) else {
            return;
        };
        // A pasted control character must not reach the screen, where it could do anything.
        if self.echo == Echo::On && !text.chars().any(char::is_control) {
            screen.extend_from_slice(tail);
        }
        self.character_at = self.line.len();
    }

    fn erase_character(&mut self, screen: &mut Vec<u8>) {
        let mut erased = None;
        while let Some(byte) = self.line.pop() {
            erased = Some(byte);
            // The bytes behind the first of a character are 10xxxxxx.
            if byte & 0xc0 != 0x80 {
                break;
            }
        }
        self.character_at = self.character_at.min(self.line.len());
        if erased.is_some() && self.echo == Echo::On {
            screen.extend_from_slice(ERASE);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What comes of the bytes: the event that ended the line, the line, the screen, and whether there was more.
    fn typed(echo: Echo, bytes: &str) -> (LineEvent, String, String, bool) {
        let mut editor = LineEditor::new(echo, 16);
        let mut screen = Vec::new();
        let mut last = LineEvent::More;
        for byte in bytes.bytes() {
            last = editor.push(byte, &mut screen);
            if last != LineEvent::More {
                break;
            }
        }
        let (line, more) = editor.take();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (last, text(&line), text(&screen), more)
    }

    #[test]
    fn what_is_typed_is_shown_unless_it_is_a_secret() {
        for (keys, line, screen) in [
            ("eu\r", "eu", "eu"),
            ("ab\x7fc\n", "ac", "ab\x08 \x08c"),
            ("ü\x7fo\n", "o", "ü\x08 \x08o"),
            ("ab\x15c\n", "c", "ab\x08 \x08\x08 \x08c"),
            // Arrows, function keys and Tab are no text.
            ("\x1b[Ae\x1b[1;5Cu\x1bOP\t\n", "eu", "eu"),
        ] {
            let expected = (LineEvent::Done, line.into(), screen.into(), false);
            assert_eq!(typed(Echo::On, keys), expected, "{keys:?}");
            let hidden = (LineEvent::Done, line.into(), String::new(), false);
            assert_eq!(typed(Echo::Off, keys), hidden, "{keys:?}");
        }
    }

    #[test]
    fn of_several_pasted_lines_only_the_first_is_taken_and_shown() {
        for (keys, line, more) in [
            ("\x1b[200~id\x1b[201~\r", "id", false),
            ("\x1b[200~id\n\x1b[201~", "id", false),
            ("\x1b[200~\r\nid\r\n\x1b[201~", "id", false),
            ("\x1b[200~id\nsecret\n\x1b[201~", "id", true),
            ("\x1b[200~id\n\nsecret\x04\x1b[201~", "id", true),
        ] {
            let expected = (LineEvent::Done, line.into(), line.into(), more);
            assert_eq!(typed(Echo::On, keys), expected, "{keys:?}");
        }
    }

    #[test]
    fn a_line_ends_with_the_input_or_is_too_long() {
        assert_eq!(typed(Echo::On, "\x04").0, LineEvent::EndOfInput);
        assert_eq!(typed(Echo::On, "eu\x04").0, LineEvent::Done);
        assert_eq!(typed(Echo::Off, &"x".repeat(17)).0, LineEvent::TooLong);
    }

    #[test]
    fn a_control_character_never_reaches_the_screen() {
        let (event, _, screen, _) = typed(Echo::On, "a\u{9b}b\u{1}\n");
        assert_eq!((event, screen.as_str()), (LineEvent::Done, "ab"));
    }
}
