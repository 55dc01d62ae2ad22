//! What a command says beside its result, on stderr: the one place where `--quiet`, `--json` and colours decide about it.
//!
//! Commands write plain lines. A line that begins with `error:`, `warning:`, `hint:` or `help:` begins a message of that kind; any
//! other is a note. A message ends at an empty line or where the next one begins.

use std::{
    io::{self, Write},
    mem,
};

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use crate::typed_command::typed;

use super::exit::ExitStatus;

/// Most bytes that are kept of what `--quiet` holds back until the reader is asked something.
const HELD_BYTES_MAX: usize = 64 << 10;

/// How it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TalkFormat {
    Text {
        colors: bool,
    },
    /// One object a line; at the end, where the command failed, an `error/1`.
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MessageKind {
    Error,
    Warning,
    Hint,
    Note,
}

struct ErrorMessage {
    text: String,
    hints: Vec<String>,
}

impl ErrorMessage {
    /// Below a quoted line of the configuration, what to do stands as `= help: …`.
    fn parse(lines: &[String]) -> Self {
        let hint = |line: &str| {
            let hint = line.trim_start().strip_prefix("= help: ");
            hint.map(str::to_owned)
        };
        let text: Vec<&str> = lines
            .iter()
            .map(String::as_str)
            .filter(|it| hint(it).is_none())
            .collect();
        Self {
            text: text.join("\n").trim().to_owned(),
            hints: lines.iter().filter_map(|it| hint(it)).collect(),
        }
    }
}

/// What a command says, line by line.
pub(super) struct Talk<W> {
    sink: W,
    format: TalkFormat,
    /// Errors with their hints only, and what the reader is asked to act on at once: a prompt, an address to open.
    is_quiet: bool,
    /// The line that has no end yet.
    line: Vec<u8>,
    kind: MessageKind,
    /// Whether hints belong to an error.
    is_about_error: bool,
    /// With `--quiet`: what is shown only if the writer flushes, because somebody waits for an answer.
    held: Vec<u8>,
    /// With `--json`: the message under way, and the errors so far.
    message: Vec<String>,
    errors: Vec<ErrorMessage>,
}

impl<W: Write> Talk<W> {
    pub(super) const fn new(sink: W, format: TalkFormat, is_quiet: bool) -> Self {
        Self {
            sink,
            format,
            is_quiet,
            line: Vec::new(),
            kind: MessageKind::Note,
            is_about_error: false,
            held: Vec::new(),
            message: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Ends the talk: with `--json` a failed command says why in one object, unless its result on stdout has said so.
    ///
    /// # Errors
    /// The sink cannot be written to.
    pub(super) fn finish(&mut self, exit: ExitStatus, has_result: bool) -> io::Result<()> {
        if !self.line.is_empty() {
            self.end_line()?;
        }
        if self.format != TalkFormat::Json {
            return self.sink.flush();
        }
        self.end_message()?;
        let is_silent_failure = exit != ExitStatus::Done && !has_result;
        if self.errors.is_empty() && is_silent_failure {
            self.errors.push(ErrorMessage {
                text: "the command failed".to_owned(),
                hints: Vec::new(),
            });
        }
        if exit != ExitStatus::Done && !self.errors.is_empty() {
            let object = error_object(exit, &self.errors);
            writeln!(self.sink, "{object}")?;
        }
        self.sink.flush()
    }

    fn end_line(&mut self) -> io::Result<()> {
        let line = mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches('\n');
        // What is quoted of a file stays as it is.
        let text = if is_quoted(text) {
            text.into()
        } else {
            typed(text)
        };
        let text = &*text;
        match self.format {
            TalkFormat::Json => self.json_line(text),
            TalkFormat::Text { colors } => self.text_line(text, colors),
        }
    }

    /// The kind of a message begins with the line that names it, and an error lasts to the next empty line.
    fn classify(&mut self, text: &str) {
        let text = without_priority(text);
        let named = named_kind(text);
        self.kind = match named {
            Some((kind, _)) => kind,
            None if text.trim().is_empty() => MessageKind::Note,
            None if self.kind == MessageKind::Note || continues(text) => self.kind,
            None if self.kind == MessageKind::Error => MessageKind::Error,
            None => MessageKind::Note,
        };
        match (named, self.kind) {
            (Some(_), MessageKind::Error) => self.is_about_error = true,
            (Some(_), MessageKind::Warning) => self.is_about_error = false,
            (None, MessageKind::Note) if !text.trim().is_empty() => self.is_about_error = false,
            _ => {}
        }
    }

    fn is_of_an_error(&self) -> bool {
        match self.kind {
            MessageKind::Error => true,
            MessageKind::Hint => self.is_about_error,
            MessageKind::Warning | MessageKind::Note => false,
        }
    }

    fn text_line(&mut self, text: &str, colors: bool) -> io::Result<()> {
        self.classify(text);
        let mut shown = if colors {
            colored(text)
        } else {
            text.to_owned()
        };
        shown.push('\n');
        if !self.is_quiet || self.is_of_an_error() {
            return self.sink.write_all(shown.as_bytes());
        }
        if self.held.len() + shown.len() <= HELD_BYTES_MAX {
            self.held.extend_from_slice(shown.as_bytes());
        }
        Ok(())
    }

    fn json_line(&mut self, text: &str) -> io::Result<()> {
        let text = without_priority(text);
        let is_begin = named_kind(text).is_some() || text.trim().is_empty();
        let before = self.kind;
        if is_begin {
            self.end_message()?;
        }
        self.classify(text);
        if !is_begin && self.kind != before {
            let now = mem::replace(&mut self.kind, before);
            self.end_message()?;
            self.kind = now;
        }
        if !text.trim().is_empty() {
            let said = named_kind(text).map_or(text, |(_, rest)| rest);
            self.message.push(said.trim_end().to_owned());
        }
        Ok(())
    }

    fn end_message(&mut self) -> io::Result<()> {
        let lines = mem::take(&mut self.message);
        if lines.is_empty() {
            return Ok(());
        }
        if self.kind == MessageKind::Error {
            self.errors.push(ErrorMessage::parse(&lines));
            return Ok(());
        }
        let text = lines.join("\n").trim().to_owned();
        let schema = match self.kind {
            MessageKind::Hint if self.is_about_error => {
                if let Some(error) = self.errors.last_mut() {
                    error.hints.push(text);
                }
                return Ok(());
            }
            MessageKind::Warning => "warning/1",
            MessageKind::Hint | MessageKind::Note | MessageKind::Error => "note/1",
        };
        if self.is_quiet {
            return Ok(());
        }
        let object = json!({"schema": schema, "message": text});
        writeln!(self.sink, "{object}")
    }
}

impl<W: Write> Write for Talk<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.end_line()?;
            }
        }
        Ok(bytes.len())
    }

    /// Somebody waits for what was said: it is shown whatever was asked for, a line without its end too.
    fn flush(&mut self) -> io::Result<()> {
        if self.format == TalkFormat::Json {
            if !self.line.is_empty() {
                self.end_line()?;
            }
            let was_quiet = mem::replace(&mut self.is_quiet, false);
            let ended = self.end_message();
            self.is_quiet = was_quiet;
            ended?;
        } else {
            self.sink.write_all(&mem::take(&mut self.held))?;
            self.sink.write_all(&mem::take(&mut self.line))?;
        }
        self.sink.flush()
    }
}

/// `error/1`: why a command failed, for programs.
fn error_object(exit: ExitStatus, errors: &[ErrorMessage]) -> Value {
    let errors: Vec<Value> = errors
        .iter()
        .map(|it| json!({"message": it.text, "hints": it.hints}))
        .collect();
    json!({"schema": "error/1", "exit": u8::from(exit), "errors": errors})
}

/// `error/1` of a single error.
pub(super) fn single_error(exit: ExitStatus, text: String, hints: Vec<String>) -> Value {
    error_object(exit, &[ErrorMessage { text, hints }])
}

/// A line of the journal begins with its priority, such as `<3>`.
fn without_priority(text: &str) -> &str {
    match text.as_bytes() {
        [b'<', b'0'..=b'7', b'>', ..] => text.get(3..).unwrap_or_default(),
        _ => text,
    }
}

/// The kind that a line names, and what follows its name.
fn named_kind(text: &str) -> Option<(MessageKind, &str)> {
    const NAMES: [(&str, MessageKind); 4] = [
        ("error:", MessageKind::Error),
        ("warning:", MessageKind::Warning),
        ("hint:", MessageKind::Hint),
        ("help:", MessageKind::Hint),
    ];
    if text.starts_with("did you mean ") {
        return Some((MessageKind::Hint, text));
    }
    NAMES.iter().find_map(|(name, kind)| {
        let rest = text.strip_prefix(name)?;
        Some((*kind, rest.trim_start()))
    })
}

/// Whether a line belongs to the one above: it is indented, or of a quoted source with its number.
fn continues(text: &str) -> bool {
    let after_number = text.trim_start_matches(|c: char| c.is_ascii_digit());
    text.starts_with([' ', '\t', '|', '.'])
        || (after_number != text && after_number.starts_with(" |"))
}

/// A line of a file, with its number.
fn is_quoted(text: &str) -> bool {
    let after_number = text
        .trim_start()
        .trim_start_matches(|c: char| c.is_ascii_digit());
    after_number.starts_with(" |")
}

fn colored(text: &str) -> String {
    let Some((kind, _)) = named_kind(text) else {
        return text.to_owned();
    };
    let Some((name, rest)) = text.split_once(':') else {
        return text.to_owned();
    };
    let color = match kind {
        MessageKind::Error => AnsiColor::Red,
        MessageKind::Warning => AnsiColor::Yellow,
        MessageKind::Hint | MessageKind::Note => AnsiColor::Cyan,
    };
    let style = Style::new().bold().fg_color(Some(color.into()));
    format!("{style}{name}:{style:#}{rest}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const PLAIN: TalkFormat = TalkFormat::Text { colors: false };

    fn said(format: TalkFormat, is_quiet: bool, exit: ExitStatus, text: &str) -> String {
        let mut sink = Vec::new();
        let mut talk = Talk::new(&mut sink, format, is_quiet);
        talk.write_all(text.as_bytes()).unwrap();
        talk.finish(exit, false).unwrap();
        String::from_utf8(sink).unwrap()
    }

    #[test]
    fn text_passes_as_it_is() {
        let text = "Wrote a file.\n\nerror: no\n  more\nhint: do\n";
        assert_eq!(said(PLAIN, false, ExitStatus::Failed, text), text);
    }

    #[test]
    fn quiet_keeps_errors_with_their_hints_alone() {
        let text = "Wrote a file.\nwarning: odd\n 3 | a\nhint: of the warning\nerror: no\nmore of it\nhint: of the error\n";
        assert_eq!(
            said(PLAIN, true, ExitStatus::Failed, text),
            "error: no\nmore of it\nhint: of the error\n"
        );
    }

    #[test]
    fn quiet_shows_what_somebody_is_asked() {
        let mut sink = Vec::new();
        let mut talk = Talk::new(&mut sink, PLAIN, true);
        talk.write_all(b"Which one?\n> ").unwrap();
        talk.flush().unwrap();
        talk.write_all(b"Thanks.\n").unwrap();
        talk.finish(ExitStatus::Done, true).unwrap();
        assert_eq!(String::from_utf8(sink).unwrap(), "Which one?\n> ");
    }

    #[test]
    fn json_is_an_object_a_line_and_the_errors_come_last() {
        let text = "Wrote a file.\nSecond line.\n\n<3>error: one\n<3> --> f:1\n<3>  = help: one\n\nwarning: odd\nerror: two\nhint: do\n";
        let lines = said(
            TalkFormat::Json,
            false,
            ExitStatus::ConfigurationWrong,
            text,
        );
        let lines: Vec<Value> = lines
            .lines()
            .map(|it| serde_json::from_str(it).unwrap())
            .collect();
        assert_eq!(
            lines,
            [
                json!({"schema": "note/1", "message": "Wrote a file.\nSecond line."}),
                json!({"schema": "warning/1", "message": "odd"}),
                json!({"schema": "error/1", "exit": 78, "errors": [
                    {"message": "one\n --> f:1", "hints": ["one"]},
                    {"message": "two", "hints": ["do"]},
                ]}),
            ]
        );
    }

    #[test]
    fn a_failure_without_a_word_still_has_its_object() {
        let lines = said(TalkFormat::Json, false, ExitStatus::Failed, "");
        assert!(
            lines.starts_with(r#"{"schema":"error/1","exit":1"#),
            "{lines}"
        );
    }

    #[test]
    fn colours_are_on_the_name_of_the_kind() {
        let text = said(
            TalkFormat::Text { colors: true },
            false,
            ExitStatus::Failed,
            "error: no: such\nplain: line\n",
        );
        assert_eq!(
            text,
            "\u{1b}[1m\u{1b}[31merror:\u{1b}[0m no: such\nplain: line\n"
        );
    }
}
