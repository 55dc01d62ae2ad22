//! What a `help:` line offers instead of a word is taken: put in its place, it is no longer the problem.

use std::{fs, path::PathBuf};

use ninjaone_proxy::config::read::diagnostics::{ConfigurationError, Diagnostic};

use super::House;

fn invalid_files() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/parts/config/invalid");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "toml"))
        .collect();
    files.sort();
    files
}

/// The word that is offered, as it is written in the file.
fn offered(problem: &Diagnostic) -> Option<&str> {
    let offer = problem.hint.as_deref()?.split_once("did you mean ")?.1;
    Some(offer.strip_suffix('?')?.trim_matches('`'))
}

/// The file with `word` where the problem is: instead of a key, or of a text in quotes.
fn mended(config: &str, problem: &Diagnostic, word: &str) -> String {
    let mut lines: Vec<String> = config.lines().map(str::to_owned).collect();
    let line = &mut lines[problem.line - 1];
    let start = line.char_indices().nth(problem.column - 1).unwrap().0;
    let wrong = &line[start..];
    let length = match wrong.strip_prefix('"') {
        Some(rest) => rest.find('"').unwrap() + 2,
        None => wrong
            .find(|it: char| !it.is_alphanumeric() && !['_', '-'].contains(&it))
            .unwrap_or(wrong.len()),
    };
    line.replace_range(start..start + length, word);
    lines.join("\n")
}

#[test]
fn what_a_problem_offers_instead_mends_it() {
    let mut offers = 0;
    for path in invalid_files() {
        let config = fs::read_to_string(&path).unwrap();
        let house = House::new(&config);
        let problems = house.refused();
        for problem in problems.as_slice().iter().filter(|it| it.line > 0) {
            let Some(word) = offered(problem) else {
                continue;
            };
            offers += 1;
            let better = mended(&config, problem, word);
            let left = House::new(&better).load();
            let left = left.as_ref().err().map(ConfigurationError::as_slice);
            let is_left = left.unwrap_or_default().iter().any(|it| {
                (it.line, it.column) == (problem.line, problem.column)
                    && it.message == problem.message
            });
            assert!(!is_left, "{} with {word}: {problem}", path.display());
        }
    }
    assert!(offers > 8, "only {offers}");
}
