//! What people are told to do can be done: each command that a text names is one that the program takes, and each setting exists.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::program;

use super::{error_reference::codes, setting_names::has_setting};

const PROGRAM: &str = "ninjaone-proxy ";
/// Where a string begins with the name of the program and is no command.
const NO_TEXTS: [&str; 3] = [
    "src/caller/access_token.rs",
    "src/config/read/json_schema.rs",
    "src/credentials/store/seal_key.rs",
];
/// Sections of the configuration, as texts name settings of them.
const SECTIONS: [&str; 11] = [
    "admin",
    "audit",
    "caller",
    "limits",
    "listen",
    "policy",
    "retry",
    "store",
    "telemetry",
    "tenant",
    "timeouts",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for item in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = item.path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.extension().is_some_and(|it| it == ending) {
            found.push(path);
        }
    }
}

/// Lines of source that hold texts of the program: neither comments nor its own tests.
fn texts_of_the_program() -> Vec<(String, String)> {
    let mut sources = Vec::new();
    files(&root().join("src"), "rs", &mut sources);
    let mut texts = Vec::new();
    sources.retain(|path| NO_TEXTS.iter().all(|it| !path.ends_with(it)));
    for path in sources {
        let source = fs::read_to_string(&path).unwrap();
        let product = source.split("#[cfg(test)]").next().unwrap();
        for (number, line) in product.lines().enumerate() {
            // Help lines of commands are comments in the source.
            if line.trim_start().starts_with("//") && !line.contains("///") {
                continue;
            }
            texts.push((
                format!("{}:{}", path.display(), number + 1),
                line.to_owned(),
            ));
        }
    }
    texts
}

/// What documents and the commented configuration tell people to type.
fn texts_of_the_documents() -> Vec<(String, String)> {
    let mut documents = vec![
        root().join("README.md"),
        root().join("SECURITY.md"),
        root().join("config/ninjaone-proxy.toml"),
    ];
    for folder in ["docs", "deploy", "examples"] {
        files(&root().join(folder), "md", &mut documents);
    }
    let mut texts = Vec::new();
    for path in documents {
        let document = fs::read_to_string(&path).unwrap();
        for (number, line) in document.lines().enumerate() {
            texts.push((
                format!("{}:{}", path.display(), number + 1),
                line.to_owned(),
            ));
        }
    }
    texts
}

fn texts_of_the_codes() -> Vec<(String, String)> {
    let codes = codes();
    let mut texts = Vec::new();
    for (kind, members) in [
        ("problems", &["meaning", "caller", "operator"][..]),
        ("exits", &["meaning", "do"]),
    ] {
        for code in codes[kind].as_array().unwrap() {
            for member in members {
                let text = code[member].as_str().unwrap().to_owned();
                texts.push((format!("help codes, {code}"), text));
            }
        }
    }
    texts
}

/// The commands of the program, as its help lists them.
fn command_names() -> BTreeSet<String> {
    let help = Command::new(program::PROGRAM).arg("help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let (_, list) = help.split_once("\nCommands:\n").unwrap();
    let lines = list.lines().take_while(|it| !it.is_empty());
    lines
        .filter_map(|it| it.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

/// Commands that stand in quotes without the name of the program: two words or more, of which the first is a command.
fn short_commands(text: &str, names: &BTreeSet<String>) -> Vec<Vec<String>> {
    let quoted = ['`', '\''].into_iter().flat_map(|mark| quoted(text, mark));
    quoted
        .map(|it| it.split(['|', '>', '…', '=', ';', '\\']).next().unwrap())
        .map(|it| it.split_whitespace().collect::<Vec<_>>())
        .filter(|words| words.len() > 1 && names.contains(words[0]))
        .map(|words| {
            let words = words.into_iter();
            words
                .map(|it| it.replace(['{', '}', '[', ']', '"'], ""))
                .collect()
        })
        .collect()
}

/// The commands that a text names, as words. A command ends where its quotes do, and otherwise at the end of its sentence.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices(PROGRAM) {
        let before = text[..at].chars().next_back().unwrap_or(' ');
        if before.is_alphanumeric() || ['/', '-', '.'].contains(&before) {
            continue;
        }
        let rest = &text[at + PROGRAM.len()..];
        let rest = match before {
            '\'' | '`' | '"' => rest.split(before).next().unwrap(),
            _ => rest,
        };
        let end = rest
            .find([
                '\'', '`', '"', ';', '(', ')', ',', '|', '>', '<', '&', '\\', '#', '…', '=',
            ])
            .unwrap_or(rest.len());
        let rest = rest[..end].split("   ").next().unwrap();
        let mut words = Vec::new();
        for word in rest.split_whitespace() {
            let bare = word.trim_end_matches(['.', ':', '?']);
            words.push(bare.replace(['{', '}', '[', ']', '$'], ""));
            if bare.len() < word.len() {
                break;
            }
        }
        let is_told = ['\'', '`', '"'].contains(&before)
            || ["run", "run:", "with:", "Run:", "See:", "See", "$"]
                .iter()
                .any(|it| text[..at].trim_end().ends_with(it))
            || text[..at].trim_end().ends_with(':');
        let first = words.first().cloned().unwrap_or_default();
        if is_told && first.chars().next().is_some_and(char::is_alphabetic) {
            found.push(words);
        }
    }
    found
}

/// Whether the program takes these words: `--help` at their end is answered only if all before it is understood.
fn is_taken(words: &[String]) -> Result<(), String> {
    let mut line: Vec<&str> = words.iter().map(String::as_str).collect();
    // Prose may go on after a command: a shorter one is enough, but never less than its name.
    loop {
        let output = Command::new(program::PROGRAM)
            .args(&line)
            .arg("--help")
            .output()
            .unwrap();
        if output.status.success() {
            let help = String::from_utf8_lossy(&output.stdout);
            let misses_command = line.len() < words.len() && help.contains("\nCommands:\n");
            return if misses_command {
                Err(format!("{} has no such command", line.join(" ")))
            } else {
                Ok(())
            };
        }
        // A text may name an option without its value.
        if String::from_utf8_lossy(&output.stderr).contains("a value is required for")
            && line.last().is_some_and(|it| it.starts_with("--"))
        {
            line.push("VALUE");
            continue;
        }
        let is_prose = line.len() > 1 && !line.last().is_some_and(|it| it.starts_with('-'));
        if !is_prose {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        line.pop();
    }
}

#[test]
fn each_command_that_a_text_names_is_one_that_the_program_takes() {
    let commands_known = command_names();
    let mut named: BTreeMap<Vec<String>, String> = BTreeMap::new();
    let texts = [
        texts_of_the_program(),
        texts_of_the_documents(),
        texts_of_the_codes(),
    ];
    for (place, text) in texts.into_iter().flatten() {
        for words in commands(&text)
            .into_iter()
            .chain(short_commands(&text, &commands_known))
        {
            named.entry(words).or_insert_with(|| place.clone());
        }
    }
    assert!(named.len() > 40, "only {named:?}");
    let wrong: Vec<_> = named
        .iter()
        .filter_map(|(words, place)| {
            let why = is_taken(words).err()?;
            Some(format!("{place}: {}: {why}", words.join(" ")))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_command_is_found_where_somebody_is_told_to_type_it_and_a_wrong_one_is_not_taken() {
    let of = |text: &str| {
        commands(text)
            .into_iter()
            .map(|it| it.join(" "))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of("Log in: run 'ninjaone-proxy login {tenant}'. Then `ninjaone-proxy status`."),
        ["login tenant", "status"]
    );
    assert_eq!(
        of("See: ninjaone-proxy audit verify. Keep a copy."),
        ["audit verify"]
    );
    assert_eq!(of("when ninjaone-proxy is started again"), [""; 0]);
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    assert!(is_taken(&words("caller add NAME --allow read")).is_ok());
    assert!(is_taken(&words("caller ad NAME")).is_err());
    assert!(is_taken(&words("login --pasted")).is_err());
    assert!(is_taken(&words("mend")).is_err());
}

/// Names of settings: a section, and what follows its dot. `*` stands for a name that is filled in.
fn settings(text: &str) -> BTreeSet<String> {
    const FILES: [&str; 3] = [".key", ".lock", ".sock"];
    let is_part = |it: char| it.is_ascii_alphanumeric() || ['_', '.', '-', '*'].contains(&it);
    let words = text.split(|it: char| !is_part(it));
    words
        .map(|it| it.trim_matches('.'))
        .filter(|it| {
            let mut parts = it.split('.');
            let section = parts.next().unwrap_or_default();
            SECTIONS.contains(&section)
                && parts.next().is_some()
                && !FILES.iter().any(|file| it.ends_with(file))
        })
        .map(str::to_owned)
        .collect()
}

/// The parts of a line that stand between two of the marks.
fn quoted(line: &str, mark: char) -> Vec<&str> {
    line.split(mark).skip(1).step_by(2).collect()
}

/// A string of source with `*` for each value that is filled in.
fn with_any_value(text: &str) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((_, after)) = after.split_once('}') else {
            break;
        };
        filled.push('*');
        rest = after;
    }
    filled + rest
}

#[test]
fn each_setting_that_a_text_names_exists() {
    let mut named: BTreeMap<String, String> = BTreeMap::new();
    let mut note = |place: &str, text: &str| {
        for setting in settings(text) {
            named.entry(setting).or_insert_with(|| place.to_owned());
        }
    };
    for (place, line) in texts_of_the_program() {
        for text in quoted(&line, '"') {
            note(&place, &with_any_value(text));
        }
    }
    for (place, line) in texts_of_the_documents() {
        // Members of the status have the names of sections, too.
        if !place.contains("reference/status.md") {
            for text in quoted(&line, '`') {
                note(&place, text);
            }
        }
    }
    for (place, text) in texts_of_the_codes() {
        note(&place, &text);
    }
    assert!(named.len() > 30, "only {named:?}");
    let wrong: Vec<_> = named
        .iter()
        .filter(|(setting, _)| !has_setting(setting))
        .map(|(setting, place)| format!("{place}: {setting}"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
