//! `help`: explains a command, a problem code or an exit code.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use clap::{Args, Command};
use serde_json::{Value, json};

use crate::proxy::problem_guide::{ProblemGuide, problem_guides};

use super::{
    command,
    exit::ExitStatus,
    exit_guide::{ExitGuide, exit_guides},
};

/// Lists all codes.
const ALL_CODES: &str = "codes";
/// How unlike a word may be and still be offered: 1 is the same.
const SIMILARITY_MIN: f64 = 0.8;
/// Columns of a text.
const COLUMNS: usize = 100;
/// Columns of the labels before a text.
const LABEL_COLUMNS: usize = 12;

#[derive(Debug, Args)]
pub(super) struct HelpArgs {
    /// A command such as "caller add"; a problem code such as policy-denied, or its status; an exit code such as 78; or codes, for all of them
    #[arg(value_name = "COMMAND|CODE")]
    topic: Vec<String>,
}

/// What a topic names.
enum HelpTopic {
    Command(Box<Command>),
    Problems(Vec<ProblemGuide>),
    Exit(ExitGuide),
    AllCodes,
}

/// Prints what the topic is; without one, the commands.
///
/// # Errors
/// `out` or `err` cannot be written to.
pub(super) fn run(
    args: &HelpArgs,
    as_json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let words: Vec<&str> = args
        .topic
        .iter()
        .flat_map(|it| it.split_whitespace())
        .collect();
    let Some(topic) = HelpTopic::find(&words) else {
        writeln!(err, "error: {}", not_found(&words))?;
        return Ok(ExitStatus::WrongUsage);
    };
    if as_json {
        writeln!(out, "{}", topic.to_json())?;
    } else {
        write!(out, "{}", topic.to_text())?;
    }
    Ok(ExitStatus::Done)
}

impl HelpTopic {
    fn find(words: &[&str]) -> Option<Self> {
        if let [word] = words {
            if *word == ALL_CODES {
                return Some(Self::AllCodes);
            }
            if let Some(exit) = exit_guides()
                .into_iter()
                .find(|it| it.number.to_string() == *word)
            {
                return Some(Self::Exit(exit));
            }
            let problems: Vec<_> = problem_guides()
                .into_iter()
                .filter(|it| it.code == *word || it.statuses.iter().any(|it| it == word))
                .collect();
            if !problems.is_empty() {
                return Some(Self::Problems(problems));
            }
        }
        let mut command = command();
        // Gives each command its full name and the global options.
        command.build();
        for word in words {
            command = command.find_subcommand(word)?.clone();
        }
        Some(Self::Command(Box::new(command)))
    }

    fn to_text(&self) -> String {
        match self {
            Self::Command(command) => command.clone().render_long_help().to_string(),
            Self::Problems(problems) => {
                let texts: Vec<_> = problems.iter().map(problem_text).collect();
                texts.join("\n")
            }
            Self::Exit(exit) => exit_text(exit),
            Self::AllCodes => all_codes_text(),
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Command(command) => json!({
                "schema": "help/1",
                "command": command.get_bin_name().unwrap_or_else(|| command.get_name()),
                "text": command.clone().render_long_help().to_string(),
            }),
            Self::Problems(problems) => codes_json(problems, &[]),
            Self::Exit(exit) => codes_json(&[], std::slice::from_ref(exit)),
            Self::AllCodes => codes_json(&problem_guides(), &exit_guides()),
        }
    }
}

fn codes_json(problems: &[ProblemGuide], exits: &[ExitGuide]) -> Value {
    let problems: Vec<_> = problems
        .iter()
        .map(|it| {
            json!({
                "code": it.code,
                "statuses": it.statuses,
                "meaning": it.meaning,
                "caller": it.caller,
                "operator": it.operator,
            })
        })
        .collect();
    let exits: Vec<_> = exits
        .iter()
        .map(|it| json!({ "number": it.number, "meaning": it.meaning, "do": it.remedy }))
        .collect();
    json!({ "schema": "help/1", "problems": problems, "exits": exits })
}

fn problem_text(guide: &ProblemGuide) -> String {
    let ProblemGuide {
        code,
        statuses,
        meaning,
        caller,
        operator,
    } = guide;
    let mut text = format!(
        "{code}: a problem code, HTTP status {}\n\n",
        statuses.join(", ")
    );
    for (label, said) in [
        ("Meaning", meaning),
        ("Callers", caller),
        ("Operators", operator),
    ] {
        text.push_str(&labelled(label, said));
    }
    text
}

fn exit_text(guide: &ExitGuide) -> String {
    let ExitGuide {
        number,
        meaning,
        remedy,
    } = guide;
    format!(
        "{number}: an exit code\n\n{}{}",
        labelled("Meaning", meaning),
        labelled("What to do", remedy)
    )
}

fn all_codes_text() -> String {
    let mut text = "Problem codes ('code' of a refusal, 'decision' in the audit log):\n".to_owned();
    for guide in problem_guides() {
        // Writing to a String does not fail.
        let _ = writeln!(text, "  {:<24} {}", guide.code, guide.statuses.join(", "));
    }
    text.push_str("\nExit codes:\n");
    for guide in exit_guides() {
        let (first, _) = guide
            .meaning
            .split_once(". ")
            .unwrap_or((guide.meaning, ""));
        let _ = writeln!(
            text,
            "  {:<3} {}",
            guide.number,
            first.trim_end_matches('.')
        );
    }
    text.push_str("\nMore about one: ninjaone-proxy help CODE\n");
    text
}

/// A text beside its label, wrapped at [`COLUMNS`].
fn labelled(label: &str, text: &str) -> String {
    let mut lines = format!("{label:<LABEL_COLUMNS$}");
    let mut used = LABEL_COLUMNS;
    for word in text.split(' ') {
        let width = word.chars().count();
        if used > LABEL_COLUMNS && used + 1 + width > COLUMNS {
            lines.push('\n');
            lines.push_str(&" ".repeat(LABEL_COLUMNS));
            used = LABEL_COLUMNS;
        } else if used > LABEL_COLUMNS {
            lines.push(' ');
            used += 1;
        }
        lines.push_str(word);
        used += width;
    }
    lines.push('\n');
    lines
}

fn not_found(words: &[&str]) -> String {
    let command = command();
    let topic = words.join(" ");
    // The words up to the first that is no command.
    let mut known = Vec::new();
    let mut here = &command;
    for word in words {
        let Some(inner) = here.find_subcommand(word) else {
            break;
        };
        known.push(*word);
        here = inner;
    }
    if let (false, Some(unknown)) = (known.is_empty(), words.get(known.len())) {
        let known = known.join(" ");
        return format!(
            "there is no command named \"{unknown}\" under {known}; see those there are with: ninjaone-proxy help {known}"
        );
    }
    let names = command.get_subcommands().map(|it| it.get_name().to_owned());
    let codes = problem_guides().into_iter().map(|it| it.code.to_owned());
    let nearest = names
        .chain(codes)
        .map(|it| (strsim::jaro_winkler(&it, &topic), it))
        .filter(|(likeness, _)| *likeness >= SIMILARITY_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    let tip = nearest.map_or_else(
        || {
            "see all commands with: ninjaone-proxy help; all codes with: ninjaone-proxy help codes"
                .to_owned()
        },
        |(_, it)| format!("did you mean {it}?"),
    );
    format!("there is no command and no code named \"{topic}\"; {tip}")
}
