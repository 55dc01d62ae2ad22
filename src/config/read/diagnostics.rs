//! Diagnostics of a configuration: location, message and hint.

use std::{fmt, ops::Range};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{provenance::Origin, source_file::Text};

/// Most problems that are kept; the rest are only counted.
const PROBLEMS_MAX: usize = 1000;

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
pub struct Problem {
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
pub type Warning = Problem;

impl Problem {
    /// `config.toml:3:7`, `NJP__LISTEN__DRAIN`, or nothing.
    #[must_use]
    pub fn place(&self) -> String {
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
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rendered)
    }
}

/// Everything that is wrong, in the order of the files; at least one of them is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// All problems, errors and warnings.
    #[must_use]
    pub fn as_slice(&self) -> &[Problem] {
        &self.0
    }

    #[must_use]
    pub(crate) fn errors(&self) -> usize {
        self.0.iter().filter(|problem| problem.is_error()).count()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, problem) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str("\n\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The location of a finding, before lines are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum At {
    Bytes {
        file: usize,
        bytes: Range<usize>,
    },
    /// A whole file or directory, or an environment variable, by name.
    Named(String),
    Nowhere,
}

impl At {
    /// The key of what has this origin.
    #[must_use]
    pub(crate) fn key(origin: &Origin) -> Self {
        match origin {
            Origin::File { file, key, .. } => Self::bytes(*file, key.clone()),
            Origin::Variable(name) => Self::Named(name.clone()),
        }
    }

    /// The value of what has this origin.
    #[must_use]
    pub(crate) fn value(origin: &Origin) -> Self {
        match origin {
            Origin::File { file, value, .. } => Self::bytes(*file, value.clone()),
            Origin::Variable(name) => Self::Named(name.clone()),
        }
    }

    #[must_use]
    pub(crate) const fn bytes(file: usize, bytes: Range<usize>) -> Self {
        Self::Bytes { file, bytes }
    }
}

/// A problem whose line and column are not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub at: At,
    pub message: String,
    pub hint: Option<String>,
    pub severity: Severity,
    /// Something is missing. If a file could not be read completely, that may be the only reason.
    pub is_absence: bool,
}

/// Everything found so far.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    pub(crate) fn error(&mut self, at: At, message: impl Into<String>, hint: Option<String>) {
        self.push(at, message.into(), hint, Severity::Error, false);
    }

    pub(crate) fn warning(&mut self, at: At, message: impl Into<String>, hint: Option<String>) {
        self.push(at, message.into(), hint, Severity::Warning, false);
    }

    /// Reports something missing as an error.
    pub(crate) fn absence(&mut self, at: At, message: impl Into<String>, hint: Option<String>) {
        self.push(at, message.into(), hint, Severity::Error, true);
    }

    /// Reports something missing as a warning.
    pub(crate) fn absence_warning(
        &mut self,
        at: At,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        self.push(at, message.into(), hint, Severity::Warning, true);
    }

    fn push(
        &mut self,
        at: At,
        message: String,
        hint: Option<String>,
        severity: Severity,
        is_absence: bool,
    ) {
        let finding = Finding {
            at,
            message,
            hint,
            severity,
            is_absence,
        };
        if self.0.len() > PROBLEMS_MAX || !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Drops the findings in these lines.
    pub(crate) fn drop_lines(&mut self, lines: &[usize], line_of: impl Fn(usize) -> usize) {
        self.0.retain(|finding| match &finding.at {
            At::Bytes { bytes, .. } => !lines.contains(&line_of(bytes.start)),
            _ => true,
        });
    }

    pub(crate) fn drop_absences(&mut self) {
        self.0.retain(|finding| !finding.is_absence);
    }

    /// Whether there is a finding at exactly this location.
    #[must_use]
    pub(crate) fn is_at(&self, at: &At) -> bool {
        self.0.iter().any(|finding| finding.at == *at)
    }

    /// Whether there is a finding within this location.
    #[must_use]
    pub(crate) fn is_within(&self, at: &At) -> bool {
        let At::Bytes { file, bytes } = at else {
            return self.is_at(at);
        };
        self.0.iter().any(|finding| match &finding.at {
            At::Bytes {
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

    /// Resolves the findings to problems, in the order of `texts` and of the locations in them.
    #[must_use]
    pub(crate) fn into_problems(mut self, texts: &[Text]) -> Vec<Problem> {
        self.0.sort_by_key(|finding| match &finding.at {
            At::Bytes { file, bytes } => (*file, bytes.start),
            At::Named(_) => (usize::MAX, 0),
            At::Nowhere => (usize::MAX, 1),
        });
        let more = self.0.len().saturating_sub(PROBLEMS_MAX);
        self.0.truncate(PROBLEMS_MAX);
        let mut problems: Vec<_> = self.0.into_iter().map(|it| placed(it, texts)).collect();
        if more > 0 {
            let message = format!("{more} more problems are not shown");
            problems.push(Problem::nowhere(message, None));
        }
        problems
    }

    /// Resolves the findings to an error.
    #[must_use]
    pub(crate) fn into_refusal(self, texts: &[Text]) -> Problems {
        Problems(self.into_problems(texts))
    }
}

impl Problem {
    /// An error without a location.
    #[must_use]
    pub(crate) fn nowhere(message: String, hint: Option<String>) -> Self {
        let finding = Finding {
            at: At::Nowhere,
            message,
            hint,
            severity: Severity::Error,
            is_absence: false,
        };
        placed(finding, &[])
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

fn placed(finding: Finding, texts: &[Text]) -> Problem {
    let mut problem = Problem {
        file: String::new(),
        line: 0,
        column: 0,
        message: finding.message,
        hint: finding.hint,
        severity: finding.severity,
        rendered: String::new(),
    };
    match &finding.at {
        At::Bytes { file, bytes } => {
            if let Some(text) = texts.get(*file) {
                let position = text.position(bytes.start);
                problem.file.clone_from(&text.name);
                problem.line = position.line;
                problem.column = position.column;
                problem.rendered = render_line(&problem, text, bytes);
                return problem;
            }
        }
        At::Named(name) => problem.file.clone_from(name),
        At::Nowhere => {}
    }
    problem.rendered = render_place(&problem);
    problem
}

const fn level(severity: Severity) -> Level<'static> {
    match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    }
}

fn render_line(problem: &Problem, text: &Text, bytes: &Range<usize>) -> String {
    let (start, line) = text.shown_line(bytes.start);
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
fn render_place(problem: &Problem) -> String {
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

fn render(group: Group<'_>, problem: &Problem) -> String {
    let group = match &problem.hint {
        Some(hint) => group.element(Level::HELP.message(hint.as_str())),
        None => group,
    };
    let rendered = Renderer::plain().render(&[group]);
    let lines: Vec<&str> = rendered.lines().map(str::trim_end).collect();
    lines.join("\n")
}
