//! The text of a configuration file: line and column numbers, and redaction.

use std::ops::Range;

/// If a line cannot be parsed, the value of a key with one of these words in it is not shown.
pub(in crate::config) const SECRET_WORDS: [&str; 9] = [
    "secr",
    "key",
    "token",
    "passw",
    "passphrase",
    "credential",
    "seal",
    "legacy",
    // Its URL may hold a password, by mistake.
    "proxy",
];

/// A file that was read.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// As shown in diagnostics: the path as the operator gave it.
    pub name: String,
    /// As shown in the location of a rule: `config.toml`, `callers.d/powerbi.toml`.
    pub short_name: String,
    content: String,
    line_starts: Vec<usize>,
    redacted: Vec<Range<usize>>,
}

/// A position in a text. Both numbers start at 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub line: usize,
    pub column: usize,
}

impl SourceFile {
    #[must_use]
    pub(crate) fn new(name: String, short_name: String, content: String) -> Self {
        let breaks = content.match_indices('\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(breaks).collect();
        Self {
            name,
            short_name,
            content,
            line_starts,
            redacted: Vec::new(),
        }
    }

    #[must_use]
    pub(crate) fn content(&self) -> &str {
        &self.content
    }

    #[must_use]
    pub(crate) fn position(&self, offset: usize) -> Position {
        let line = self.line_starts.partition_point(|&start| start <= offset);
        let start = self.line_starts.get(line.saturating_sub(1)).copied();
        let before = self.content.get(start.unwrap_or_default()..offset);
        Position {
            line,
            column: before.map_or(1, |text| text.chars().count() + 1),
        }
    }

    /// Redacts these bytes: they are never shown.
    pub(crate) fn redact(&mut self, bytes: Range<usize>) {
        self.redacted.push(bytes);
    }

    /// Redacts the value in the line of `offset` if it may be a secret, for a line that cannot be parsed.
    pub(crate) fn redact_assignment(&mut self, offset: usize) {
        let line = self.line_starts.partition_point(|&start| start <= offset);
        let start = self.line_starts.get(line.saturating_sub(1)).copied();
        let start = start.unwrap_or_default();
        let rest = self.content.get(start..).unwrap_or_default();
        let text = rest.lines().next().unwrap_or_default();
        let lower = text.to_ascii_lowercase();
        let first = SECRET_WORDS
            .iter()
            .filter_map(|word| lower.find(word))
            .min();
        // A line without a key may be part of a list or of a multi-line string.
        let from = match (first, text.find('=')) {
            (Some(word), _) => text
                .get(word..)
                .and_then(|it| it.find('='))
                .map(|at| word + at + 1),
            (None, Some(_)) => None,
            (None, None) if text.trim_start().starts_with('[') => None,
            (None, None) => Some(0),
        };
        if let Some(from) = from {
            self.redact(start + from..start + text.len());
        }
    }

    /// The start offset and the text of the line at `offset`, without its newline, redacted bytes replaced by `*`.
    #[must_use]
    pub(crate) fn redacted_line(&self, offset: usize) -> (usize, String) {
        let line = self.line_starts.partition_point(|&start| start <= offset);
        let start = self.line_starts.get(line.saturating_sub(1)).copied();
        let start = start.unwrap_or_default();
        let rest = self.content.get(start..).unwrap_or_default();
        let text = rest.lines().next().unwrap_or_default();
        let is_hidden = |at: usize| self.redacted.iter().any(|secret| secret.contains(&at));
        let mut shown = String::with_capacity(text.len());
        for (at, letter) in text.char_indices() {
            if is_hidden(start + at) {
                // As many bytes as before, so that spans stay valid.
                shown.extend(std::iter::repeat_n('*', letter.len_utf8()));
            } else {
                shown.push(letter);
            }
        }
        (start, shown)
    }
}
