//! Transcripts: what a user types and what the program prints, kept as documents that run. The `console` blocks of
//! `tests/built/cli/*.md` and of `README.md` are typed into the built binary, in a folder of their own for each document.
//!
//! ```text
//! ```toml file=my.toml           a block that names a file is written, 0600, before the commands below it run
//! ```console
//! $ ninjaone-proxy config check --config my.toml      $ NAME=value before the command sets its environment
//! expected standard output       `[..]` stands for any text in a line, a line `...` for any lines
//! ! expected standard error      a README may leave it out
//! ? 78                           the exit code, where it is not 0
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod completions;
mod flags;
mod manual;

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use crate::{directory::write_private, program};

const PROGRAM: &str = "ninjaone-proxy";
/// A transcript holds commands that end by themselves, soon.
const COMMAND_TURNS_MAX: u32 = 400;
const TURN_MS: u64 = 25;

#[test]
fn the_transcripts_are_what_the_program_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/built/cli");
    let mut documents: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "md"))
        .collect();
    documents.sort();
    assert!(!documents.is_empty(), "no transcript in tests/built/cli");
    let mut run = 0;
    let mut wrong = Vec::new();
    for path in documents {
        let document = Document::read(&path, Strictness::Whole);
        assert!(document.runs() > 0, "{} has no command", path.display());
        run += document.runs();
        wrong.extend(document.differences(program::PROGRAM));
    }
    println!("{run} commands");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn what_the_readme_shows_is_what_the_program_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let document = Document::read(&path, Strictness::StderrMayBeLeftOut);
    assert!(document.runs() > 0, "README.md shows no command");
    let wrong = document.differences(program::PROGRAM);
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_transcript_that_tells_the_truth_passes() {
    let document = shell_document(
        "```text file=greeting\nhello\n```\n```console\n$ ninjaone-proxy -c 'cat greeting; echo talk >&2; exit 7'\nhel[..]\n! talk\n? 7\n\n$ WHO=you ninjaone-proxy -c 'echo 1; echo 2; echo $WHO'\n...\nyou\n```\n",
        Strictness::Whole,
    );
    assert_eq!(document.runs(), 2);
    assert_eq!(document.differences("/bin/sh"), [""; 0]);
}

#[test]
fn a_transcript_that_is_wrong_in_output_talk_or_code_fails() {
    for (lie, strictness, found) in [
        ("$ ninjaone-proxy -c 'echo a'\nb", Strictness::Whole, 1),
        ("$ ninjaone-proxy -c 'echo a'", Strictness::Whole, 1),
        ("$ ninjaone-proxy -c 'echo a >&2'", Strictness::Whole, 1),
        (
            "$ ninjaone-proxy -c 'echo a >&2'",
            Strictness::StderrMayBeLeftOut,
            0,
        ),
        (
            "$ ninjaone-proxy -c 'echo a >&2'\n! b",
            Strictness::StderrMayBeLeftOut,
            1,
        ),
        ("$ ninjaone-proxy -c 'exit 2'", Strictness::Whole, 1),
        ("$ ninjaone-proxy -c 'exit 2'\n? 1", Strictness::Whole, 1),
    ] {
        let document = shell_document(&format!("```console\n{lie}\n```\n"), strictness);
        let differences = document.differences("/bin/sh");
        assert_eq!(differences.len(), found, "{lie}: {differences:?}");
    }
}

fn shell_document(text: &str, strictness: Strictness) -> Document {
    Document::parse("example.md", text, strictness)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Strictness {
    Whole,
    StderrMayBeLeftOut,
}

struct Document {
    name: String,
    strictness: Strictness,
    steps: Vec<Step>,
}

enum Step {
    File { name: String, text: String },
    Run(Expectation),
}

#[derive(Default)]
struct Expectation {
    line: usize,
    command: String,
    stdout: Vec<String>,
    stderr: Vec<String>,
    code: i32,
}

impl Document {
    fn read(path: &Path, strictness: Strictness) -> Self {
        let name = path
            .strip_prefix(env!("CARGO_MANIFEST_DIR"))
            .unwrap()
            .display()
            .to_string();
        Self::parse(&name, &fs::read_to_string(path).unwrap(), strictness)
    }

    fn parse(name: &str, text: &str, strictness: Strictness) -> Self {
        let mut steps = Vec::new();
        let mut lines = text.lines().enumerate();
        while let Some((_, opening)) = lines.next() {
            let Some(info) = opening.strip_prefix("```") else {
                continue;
            };
            let block: Vec<(usize, &str)> = lines
                .by_ref()
                .take_while(|(_, line)| !line.starts_with("```"))
                .map(|(at, line)| (at + 1, line))
                .collect();
            if info == "console" {
                steps.extend(commands(name, &block).into_iter().map(Step::Run));
            } else if let Some((_, file)) = info.split_once(" file=") {
                let lines: Vec<&str> = block.iter().map(|(_, line)| *line).collect();
                steps.push(Step::File {
                    name: file.trim().to_owned(),
                    text: lines.join("\n") + "\n",
                });
            }
        }
        Self {
            name: name.to_owned(),
            strictness,
            steps,
        }
    }

    /// How many commands it has.
    fn runs(&self) -> usize {
        let is_run = |step: &&Step| matches!(step, Step::Run(_));
        self.steps.iter().filter(is_run).count()
    }

    /// Runs the document in a new folder; one text for each command that did not answer as written.
    fn differences(&self, program: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let mut found = Vec::new();
        for step in &self.steps {
            match step {
                Step::File { name, text } => {
                    let path = folder.path().join(name);
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    write_private(&path, text);
                }
                Step::Run(expected) => {
                    let actual = run(program, &expected.command, folder.path());
                    found.extend(self.difference(expected, &actual));
                }
            }
        }
        found
    }

    fn difference(&self, expected: &Expectation, actual: &Actual) -> Option<String> {
        let leave_stderr =
            self.strictness == Strictness::StderrMayBeLeftOut && expected.stderr.is_empty();
        let stdout_fits = fits(&expected.stdout, &actual.stdout);
        let stderr_fits = leave_stderr || fits(&expected.stderr, &actual.stderr);
        let code = actual.status.code();
        if stdout_fits && stderr_fits && code == Some(expected.code) {
            return None;
        }
        Some(format!(
            "{}:{}: $ {}\n--- expected, exit code {}\n{}\n--- was, {}\n{}",
            self.name,
            expected.line,
            expected.command,
            expected.code,
            shown(&expected.stdout, &expected.stderr),
            actual.status,
            shown(&actual.stdout, &actual.stderr),
        ))
    }
}

fn commands(document: &str, block: &[(usize, &str)]) -> Vec<Expectation> {
    let mut found: Vec<Expectation> = Vec::new();
    let mut lines = block.iter();
    while let Some(&(line, text)) = lines.next() {
        if let Some(typed) = text.strip_prefix("$ ") {
            let mut command = typed.to_owned();
            while let Some(part) = command.strip_suffix('\\') {
                let more = lines.next().map_or("", |(_, text)| text.trim());
                command = format!("{part}{more}");
            }
            found.push(Expectation {
                line,
                command,
                ..Expectation::default()
            });
            continue;
        }
        let Some(last) = found.last_mut() else {
            panic!("{document}:{line}: a console block begins with `$ `");
        };
        if let Some(code) = text.strip_prefix("? ") {
            last.code = code.trim().parse().unwrap();
        } else if let Some(talk) = text.strip_prefix('!') {
            last.stderr
                .push(talk.strip_prefix(' ').unwrap_or(talk).to_owned());
        } else {
            last.stdout.push(text.to_owned());
        }
    }
    for expectation in &mut found {
        trim_end(&mut expectation.stdout);
    }
    found
}

fn trim_end(lines: &mut Vec<String>) {
    while lines.last().is_some_and(|line| line.trim().is_empty()) {
        lines.pop();
    }
}

fn shown(stdout: &[String], stderr: &[String]) -> String {
    let talk = stderr.iter().map(|line| format!("! {line}"));
    stdout
        .iter()
        .cloned()
        .chain(talk)
        .collect::<Vec<_>>()
        .join("\n")
}

struct Actual {
    stdout: Vec<String>,
    stderr: Vec<String>,
    status: ExitStatus,
}

fn run(program: &str, command: &str, folder: &Path) -> Actual {
    let words = words_of(command);
    let program_at = words
        .iter()
        .position(|word| word == PROGRAM)
        .unwrap_or_else(|| panic!("a console block runs {PROGRAM} only: $ {command}"));
    let settings = words[..program_at].iter().map(|word| {
        word.split_once('=')
            .unwrap_or_else(|| panic!("`{word}` is no NAME=value: $ {command}"))
    });
    let mut child = Command::new(program)
        .args(&words[program_at + 1..])
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("PATH", "/usr/bin:/bin")
        .envs(settings)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = reader(child.stdout.take().unwrap());
    let stderr = reader(child.stderr.take().unwrap());
    let status = wait(&mut child, command);
    Actual {
        stdout: stdout.join().unwrap(),
        stderr: stderr.join().unwrap(),
        status,
    }
}

fn reader(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<Vec<String>> {
    thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        let mut lines: Vec<String> = text.lines().map(|it| it.trim_end().to_owned()).collect();
        trim_end(&mut lines);
        lines
    })
}

fn wait(child: &mut Child, command: &str) -> ExitStatus {
    for _ in 0..COMMAND_TURNS_MAX {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        thread::sleep(Duration::from_millis(TURN_MS));
    }
    child.kill().unwrap();
    panic!("does not end: $ {command}");
}

/// Words as a shell would see them: quotes keep spaces; nothing is expanded.
fn words_of(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in command.chars() {
        match (quote, c) {
            (None, ' ') => words.extend(word.take()),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if c == open => quote = None,
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Whether the lines are as expected, where `...` stands for any lines and `[..]` for any text in a line.
fn fits(expected: &[String], actual: &[String]) -> bool {
    match expected.split_first() {
        None => actual.is_empty(),
        Some((first, rest)) if first == "..." => {
            (0..=actual.len()).any(|skipped| fits(rest, &actual[skipped..]))
        }
        Some((first, rest)) => actual
            .split_first()
            .is_some_and(|(line, others)| line_fits(first.trim_end(), line) && fits(rest, others)),
    }
}

fn line_fits(expected: &str, actual: &str) -> bool {
    match expected.split_once("[..]") {
        None => expected == actual,
        Some((before, after)) => actual.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices()
                .map(|(at, _)| at)
                .chain([rest.len()])
                .any(|at| line_fits(after, &rest[at..]))
        }),
    }
}
