//! Reads the files of `src`, and tells code from comments and literals.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

pub(crate) struct Source {
    /// Below `src`, with forward slashes.
    pub(crate) path: String,
    /// The module of `lib.rs` that it belongs to.
    pub(crate) module: String,
    pub(crate) text: String,
    /// `text` with comments and literals blanked: same lines, same columns.
    pub(crate) code: String,
}

/// Every file of `src`, sorted by path; read once.
pub(crate) fn sources() -> &'static [Source] {
    static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(read_all);
    &SOURCES
}

fn read_all() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                found.push(read(&root, &path));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 20, "the source is not where it should be");
    found
}

pub(crate) fn read(root: &Path, path: &PathBuf) -> Source {
    let text = fs::read_to_string(path).unwrap();
    let below = path.strip_prefix(root).unwrap();
    let first = below.iter().next().unwrap().to_str().unwrap();
    Source {
        path: below.to_str().unwrap().replace('\\', "/"),
        module: first.trim_end_matches(".rs").to_owned(),
        code: code_only(&text),
        text,
    }
}

/// The modules of `lib.rs`, in order.
pub(crate) fn declared_modules() -> Vec<String> {
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let code = code_only(&fs::read_to_string(lib).unwrap());
    let modules: Vec<String> = code
        .lines()
        .filter_map(|line| line.trim().strip_suffix(';'))
        .filter_map(|line| {
            line.strip_prefix("pub mod ")
                .or(line.strip_prefix("pub(crate) mod "))
                .or(line.strip_prefix("mod "))
        })
        .map(str::to_owned)
        .collect();
    assert!(modules.len() > 10, "lib.rs declares {modules:?} only");
    modules
}

pub(crate) fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

pub(crate) fn word_at(code: &str) -> &str {
    code.split(|c| !is_word(c)).next().unwrap_or_default()
}

/// Line, name and length of every function with a body. Lines without code (comment, inside of a text) do not count.
pub(crate) fn functions(code: &str) -> Vec<(usize, String, usize)> {
    let mut found = Vec::new();
    for (at, token) in code.match_indices("fn ") {
        let name = word_at(&code[at + token.len()..]);
        if code[..at].ends_with(is_word) || name.is_empty() {
            continue;
        }
        if let Some(end) = body_end(&code[at..]) {
            let length = code[at..at + end]
                .lines()
                .filter(|line| !line.trim().is_empty())
                .count();
            found.push((line_of(code, at), name.to_owned(), length));
        }
    }
    found
}

/// One past the closing brace; none for a declaration without a body.
pub(crate) fn body_end(code: &str) -> Option<usize> {
    let mut depth = 0;
    let mut brackets = 0;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            ';' if depth == 0 && brackets == 0 => return None,
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// The text with comments and the insides of literals turned to spaces, so that a search finds code only.
pub(crate) fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut last = ' ';
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |at| at + 2),
            '"' => text_length(rest),
            'r' if !is_word(last) && is_raw(rest) => raw_length(rest),
            '\'' => char_length(rest),
            _ => 0,
        };
        if length == 0 {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            code.extend(rest[..length].chars().map(blank));
            rest = &rest[length..];
        }
        last = c;
    }
    code
}

fn blank(c: char) -> char {
    if c == '\n' { '\n' } else { ' ' }
}

/// Length of the string literal that `rest` opens with, quotes included.
fn text_length(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

fn is_raw(rest: &str) -> bool {
    rest[1..].trim_start_matches('#').starts_with('"')
}

fn raw_length(rest: &str) -> usize {
    let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
    let open = hashes + 2;
    let close = format!("\"{}", "#".repeat(hashes));
    rest[open..]
        .find(&close)
        .map_or(rest.len(), |at| open + at + close.len())
}

/// Length of a character literal; 0 for a lifetime.
fn char_length(rest: &str) -> usize {
    let inside: Vec<(usize, char)> = rest.char_indices().skip(1).take(12).collect();
    match inside.as_slice() {
        [(_, '\\'), _, tail @ ..] => tail
            .iter()
            .find(|(_, c)| *c == '\'')
            .map_or(0, |(at, _)| at + 1),
        [_, (at, '\''), ..] => at + 1,
        _ => 0,
    }
}

#[test]
fn the_reader_of_functions_skips_literals_and_declarations() {
    let code = code_only(
        "fn a<'x>(c: char) -> bool {\n    c == '{' || c == '\\''\n}\nfn b();\nfn d() {\n    \"}\n}\";\n\n    // }\n}\n",
    );
    assert_eq!(
        functions(&code),
        [(1, "a".to_owned(), 3), (5, "d".to_owned(), 3)]
    );
}
