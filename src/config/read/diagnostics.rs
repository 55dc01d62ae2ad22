//! Diagnostics of a configuration: location, message and hint.

use std::{fmt, ops::Range};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::typed_command::typed;

use super::{provenance::Provenance, source_file::SourceFile};

/// Most diagnostics that are collected; the rest are only counted.
const DIAGNOSTICS_MAX: usize = 1000;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// The configuration can be used, but probably not as intended.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file as the operator named it, or the environment variable; empty if there is no location.
    pub file: String,
    /// From 1; 0 if it is not in a file.
    pub line: usize,
    /// From 1, in characters; 0 if it is not in a file.
    pub column: usize,
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    pub severity: Severity,
    rendered: String,
}

/// A problem that does not prevent the configuration from being used.
pub type Warning = Diagnostic;

impl Diagnostic {
    /// `config.toml:3:7`, `NJP__LISTEN__DRAIN`, or nothing.
    #[must_use]
    pub fn location(&self) -> String {
        if self.line == 0 {
            self.file.clone()
        } else {
            format!("{}:{}:{}", self.file, self.line, self.column)
        }
    }

    /// Whether the configuration cannot be used because of this.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// With the location, the line and a caret, without a trailing newline.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rendered)
    }
}

/// Everything that is wrong, in the order of the files; at least one of them is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigurationError(Vec<Diagnostic>);

impl ConfigurationError {
    /// All problems, errors and warnings.
    #[must_use]
    pub fn as_slice(&self) -> &[Diagnostic] {
        &self.0
    }

    /// Without the warnings.
    #[must_use]
    pub(crate) fn errors_only(mut self) -> Self {
        self.0.retain(Diagnostic::is_error);
        self
    }

    #[must_use]
    pub(crate) fn error_count(&self) -> usize {
        self.0.iter().filter(|problem| problem.is_error()).count()
    }
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigurationError {}

/// The location of a finding, before lines are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SourceLocation {
    Span {
        file: usize,
        bytes: Range<usize>,
    },
    /// A whole file or directory, or an environment variable, by name.
    Named(String),
    Unknown,
}

impl SourceLocation {
    /// The key of what has this origin.
    #[must_use]
    pub(crate) fn key(origin: &Provenance) -> Self {
        match origin {
            Provenance::File { file, key, .. } => Self::span(*file, key.clone()),
            Provenance::Variable(name) => Self::Named(name.clone()),
        }
    }

    /// The value of what has this origin.
    #[must_use]
    pub(crate) fn value(origin: &Provenance) -> Self {
        match origin {
            Provenance::File { file, value, .. } => Self::span(*file, value.clone()),
            Provenance::Variable(name) => Self::Named(name.clone()),
        }
    }

    #[must_use]
    pub(crate) const fn span(file: usize, bytes: Range<usize>) -> Self {
        Self::Span { file, bytes }
    }
}

/// A problem whose line and column are not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PendingDiagnostic {
    pub location: SourceLocation,
    pub message: String,
    pub hint: Option<String>,
    pub severity: Severity,
    /// Something is missing. If a file could not be read completely, that may be the only reason.
    pub is_missing: bool,
    /// What may be the reason, which is shown first: something else in the same file.
    pub cause: Option<SourceLocation>,
}

/// Everything found so far.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics(Vec<PendingDiagnostic>);

impl Diagnostics {
    pub(crate) fn error(
        &mut self,
        at: SourceLocation,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        self.push(at, message.into(), hint, Severity::Error, false);
    }

    pub(crate) fn warning(
        &mut self,
        at: SourceLocation,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        self.push(at, message.into(), hint, Severity::Warning, false);
    }

    /// Reports something missing as an error.
    pub(crate) fn missing(
        &mut self,
        at: SourceLocation,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        self.push(at, message.into(), hint, Severity::Error, true);
    }

    /// Reports something missing that may be what `cause` was meant to be.
    pub(crate) fn missing_because(
        &mut self,
        at: SourceLocation,
        message: impl Into<String>,
        hint: Option<String>,
        cause: Option<SourceLocation>,
    ) {
        let before = self.0.len();
        self.missing(at, message, hint);
        if let Some(added) = self.0.get_mut(before) {
            added.cause = cause;
        }
    }

    /// Reports something missing as a warning.
    pub(crate) fn missing_warning(
        &mut self,
        at: SourceLocation,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        self.push(at, message.into(), hint, Severity::Warning, true);
    }

    fn push(
        &mut self,
        at: SourceLocation,
        message: String,
        hint: Option<String>,
        severity: Severity,
        is_absence: bool,
    ) {
        let pending = PendingDiagnostic {
            location: at,
            message,
            hint,
            severity,
            is_missing: is_absence,
            cause: None,
        };
        if self.0.len() > DIAGNOSTICS_MAX || !self.0.contains(&pending) {
            self.0.push(pending);
        }
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Drops the diagnostics in these lines.
    pub(crate) fn discard_lines(&mut self, lines: &[usize], line_of: impl Fn(usize) -> usize) {
        self.0.retain(|pending| match &pending.location {
            SourceLocation::Span { bytes, .. } => !lines.contains(&line_of(bytes.start)),
            _ => true,
        });
    }

    pub(crate) fn discard_missing(&mut self) {
        self.0.retain(|pending| !pending.is_missing);
    }

    /// Whether there is a finding at exactly this location.
    #[must_use]
    pub(crate) fn has_at(&self, at: &SourceLocation) -> bool {
        self.0.iter().any(|pending| pending.location == *at)
    }

    /// Whether there is a finding within this location.
    #[must_use]
    pub(crate) fn has_within(&self, at: &SourceLocation) -> bool {
        let SourceLocation::Span { file, bytes } = at else {
            return self.has_at(at);
        };
        self.0.iter().any(|pending| match &pending.location {
            SourceLocation::Span {
                file: other,
                bytes: part,
            } => file == other && bytes.start <= part.start && part.end <= bytes.end,
            _ => false,
        })
    }

    #[must_use]
    pub(crate) fn has_errors(&self) -> bool {
        self.0.iter().any(|found| found.severity == Severity::Error)
    }

    /// Resolves the locations of all diagnostics, and sorts them in the order of `files` and of the locations in them.
    #[must_use]
    pub(crate) fn into_diagnostics(mut self, files: &[SourceFile]) -> Vec<Diagnostic> {
        let place = |at: &SourceLocation| match at {
            SourceLocation::Span { file, bytes } => (*file, bytes.start),
            SourceLocation::Named(_) => (usize::MAX, 0),
            SourceLocation::Unknown => (usize::MAX, 1),
        };
        self.0.sort_by_key(|pending| {
            let own = place(&pending.location);
            match &pending.cause {
                Some(cause) => (place(cause).max(own), true),
                None => (own, false),
            }
        });
        let more = self.0.len().saturating_sub(DIAGNOSTICS_MAX);
        self.0.truncate(DIAGNOSTICS_MAX);
        let mut problems: Vec<_> = self.0.into_iter().map(|it| locate(it, files)).collect();
        if more > 0 {
            let message = format!("{more} more problems are not shown");
            problems.push(Diagnostic::without_location(message, None));
        }
        problems
    }

    /// The errors so far, none of which has a place in a file; none if there is none.
    #[must_use]
    pub(crate) fn errors_so_far(&self) -> Option<ConfigurationError> {
        let all = Self(self.0.clone()).into_error(&[]).errors_only();
        (!all.0.is_empty()).then_some(all)
    }

    /// Turns the diagnostics into an error.
    #[must_use]
    pub(crate) fn into_error(self, files: &[SourceFile]) -> ConfigurationError {
        ConfigurationError(self.into_diagnostics(files))
    }
}

impl Diagnostic {
    /// An error without a location.
    #[must_use]
    pub(crate) fn without_location(message: String, hint: Option<String>) -> Self {
        let pending = PendingDiagnostic {
            location: SourceLocation::Unknown,
            message,
            hint,
            severity: Severity::Error,
            is_missing: false,
            cause: None,
        };
        locate(pending, &[])
    }
}

impl From<Diagnostic> for ConfigurationError {
    fn from(problem: Diagnostic) -> Self {
        Self(vec![problem])
    }
}

fn locate(pending: PendingDiagnostic, files: &[SourceFile]) -> Diagnostic {
    let mut problem = Diagnostic {
        file: String::new(),
        line: 0,
        column: 0,
        message: pending.message,
        hint: pending.hint.map(|it| typed(it).into_owned()),
        severity: pending.severity,
        rendered: String::new(),
    };
    match &pending.location {
        SourceLocation::Span { file, bytes } => {
            if let Some(text) = files.get(*file) {
                let position = text.position(bytes.start);
                problem.file.clone_from(&text.name);
                problem.line = position.line;
                problem.column = position.column;
                problem.rendered = render_line(&problem, text, bytes);
                return problem;
            }
        }
        SourceLocation::Named(name) => problem.file.clone_from(name),
        SourceLocation::Unknown => {}
    }
    problem.rendered = render_without_snippet(&problem);
    problem
}

const fn level(severity: Severity) -> Level<'static> {
    match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    }
}

fn render_line(problem: &Diagnostic, text: &SourceFile, bytes: &Range<usize>) -> String {
    let (start, line) = text.redacted_line(bytes.start);
    let from = bytes.start.saturating_sub(start).min(line.len());
    // At least one caret, and none beyond the first line of the value.
    let to = bytes.end.saturating_sub(start).min(line.len()).max(from);
    let snippet = Snippet::source(line)
        .path(problem.file.as_str())
        .line_start(problem.line)
        .fold(false)
        .annotation(AnnotationKind::Primary.span(from..to));
    let group = level(problem.severity)
        .primary_title(problem.message.as_str())
        .element(snippet);
    render(group, problem)
}

/// Renders a problem without a source line in the same style.
fn render_without_snippet(problem: &Diagnostic) -> String {
    let mut text = format!("{}: {}", problem.severity.as_str(), problem.message);
    if !problem.file.is_empty() {
        text.push_str("\n --> ");
        text.push_str(&problem.file);
    }
    if let Some(hint) = &problem.hint {
        text.push_str("\n  = help: ");
        text.push_str(hint);
    }
    text
}

fn render(group: Group<'_>, problem: &Diagnostic) -> String {
    let group = match &problem.hint {
        Some(hint) => group.element(Level::HELP.message(hint.as_str())),
        None => group,
    };
    let rendered = Renderer::plain().render(&[group]);
    let lines: Vec<&str> = rendered.lines().map(str::trim_end).collect();
    lines.join("\n")
}
