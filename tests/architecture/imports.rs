//! Which module may import which.

use std::collections::BTreeMap;

use crate::{
    none,
    source_text::{Source, code_only, declared_modules, is_word, line_of, sources, word_at},
};

/// Modules that alone may read a module, whatever the order of declaration would allow.
const ONLY_FOR: [(&str, &[&str]); 1] = [("config", &["app", "cli"])];

/// Inside `net`, the folders that a folder may import from, besides itself and the files of `net` itself. Those files import
/// from no folder, but for `mod.rs`, which re-exports.
const NET_FOLDERS: [(&str, &[&str]); 5] = [
    ("http1", &[]),
    ("body", &[]),
    ("request", &["body"]),
    ("server", &["http1", "body", "request"]),
    ("client", &["http1", "body"]),
];

#[test]
fn a_module_imports_only_from_modules_declared_above_it() {
    let order = declared_modules();
    let position = |module: &str| order.iter().position(|it| it == module);
    let mut findings = Vec::new();
    for file in sources() {
        let Some(own) = position(&file.module) else {
            continue;
        };
        for (line, used) in crate_paths(&file.code) {
            match position(&used) {
                Some(other) if other <= own => {}
                Some(_) => findings.push(format!(
                    "{}:{line}: `{}` may not import `{used}`, which lib.rs declares below it",
                    file.path, file.module
                )),
                None => findings.push(format!(
                    "{}:{line}: `crate::{used}` is no module of lib.rs",
                    file.path
                )),
            }
        }
    }
    none(&findings);
}

#[test]
fn every_file_belongs_to_a_module_of_lib_rs() {
    let order = declared_modules();
    let findings: Vec<_> = sources()
        .iter()
        .filter(|file| !matches!(file.path.as_str(), "main.rs" | "lib.rs"))
        .filter(|file| !order.contains(&file.module))
        .map(|file| format!("{}:1: lib.rs does not declare `{}`", file.path, file.module))
        .collect();
    none(&findings);
}

#[test]
fn the_operators_file_is_read_by_wiring_and_command_line_alone() {
    let mut findings = Vec::new();
    for file in sources() {
        for (line, used) in crate_paths(&file.code) {
            for (module, readers) in ONLY_FOR {
                let at_home = file.module == module || readers.contains(&file.module.as_str());
                if used == module && !at_home {
                    findings.push(format!(
                        "{}:{line}: `{module}` is for {readers:?} only",
                        file.path
                    ));
                }
            }
        }
    }
    none(&findings);
}

#[test]
fn nothing_in_net_imports_upwards() {
    let mut findings = Vec::new();
    let mut seen = BTreeMap::new();
    for file in sources().iter().filter(|it| it.module == "net") {
        let parts: Vec<&str> = file.path.split('/').collect();
        let own = if parts.len() > 2 { parts[1] } else { "" };
        if parts == ["net", "mod.rs"] {
            continue;
        }
        *seen.entry(own.to_owned()).or_insert(0) += 1;
        let allowed = NET_FOLDERS
            .iter()
            .find(|it| it.0 == own)
            .map_or(&[][..], |it| it.1);
        for Import { line, path, .. } in imports(file) {
            let [module, folder, ..] = path.as_slice() else {
                continue;
            };
            let is_folder = NET_FOLDERS.iter().any(|it| it.0 == folder);
            if module == "net" && is_folder && folder != own && !allowed.contains(&folder.as_str())
            {
                findings.push(format!(
                    "{}:{line}: `net/{own}` may not import from `net/{folder}`",
                    file.path
                ));
            }
        }
    }
    for (folder, _) in NET_FOLDERS {
        assert!(
            seen.contains_key(folder),
            "src/net/{folder} is gone: say so in NET_FOLDERS"
        );
    }
    none(&findings);
}

#[test]
fn the_reader_of_imports_sees_each_member_of_a_brace() {
    let code = code_only(
        "use crate::{\n    names::{A, B},\n    net,\n};\nlet a = crate::audit::X; // crate::cli\nlet s = \"crate::app\";",
    );
    let seen: Vec<_> = crate_paths(&code);
    assert_eq!(
        seen,
        [(2, "names".into()), (3, "net".into()), (5, "audit".into())]
    );
}

/// Line and first name of every `crate::…`, the members of `crate::{…}` included.
fn crate_paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, token) in code.match_indices("crate::") {
        if code[..at].ends_with(|c| is_word(c) || c == '$') {
            continue;
        }
        let start = at + token.len();
        for name_at in path_starts(code, start) {
            let name = word_at(&code[name_at..]);
            // `crate::Name` is a re-export of lib.rs itself, which has none.
            found.push((line_of(code, name_at), name.to_owned()));
        }
    }
    found
}

/// Where the first names of a path tree begin: one, or one a member if it opens with a brace.
fn path_starts(code: &str, start: usize) -> Vec<usize> {
    if !code[start..].starts_with('{') {
        return vec![start];
    }
    let mut starts = Vec::new();
    let (mut depth, mut expecting) = (0, false);
    for (offset, c) in code[start..].char_indices() {
        match c {
            '{' => {
                depth += 1;
                expecting = depth == 1;
            }
            '}' => depth -= 1,
            ',' => expecting = depth == 1,
            c if expecting && is_word(c) => {
                starts.push(start + offset);
                expecting = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    starts
}

/// Something that a file takes from another module.
pub(crate) struct Import {
    pub(crate) line: usize,
    /// From the crate's root.
    pub(crate) path: Vec<String>,
    /// What it is called here.
    pub(crate) name: String,
    /// Whether it is passed on: `pub use`.
    pub(crate) is_re_export: bool,
}

/// The path of a file's module, from the crate's root.
pub(crate) fn module_of(file: &Source) -> Vec<String> {
    let path = file.path.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').map(str::to_owned).collect()
}

/// What a file imports with `use` and what it names by a path that begins with `crate`, `super` or `self`; without its own
/// tests.
pub(crate) fn imports(file: &Source) -> Vec<Import> {
    let own = module_of(file);
    if own.last().is_some_and(|it| it == "tests") {
        return Vec::new();
    }
    let code = &file.code[..file.code.find("mod tests {").unwrap_or(file.code.len())];
    let mut found = Vec::new();
    let mut used = 0..0;
    for (at, _) in code.match_indices(['u', 'c', 's']) {
        let (before, rest) = (&code[..at], &code[at..]);
        let is_inside = before.ends_with(|c| is_word(c) || c == ':' || c == '$');
        if used.contains(&at) || is_inside || before.ends_with("(in ") {
            continue;
        }
        let (trees, is_re_export) = if let Some(tree) = rest.strip_prefix("use ") {
            let tree = tree.split(';').next().unwrap_or_default();
            used = at..at + "use ".len() + tree.len();
            let line = before.rsplit('\n').next().unwrap_or_default();
            let tree = tree.replace(" as ", "@").replace(char::is_whitespace, "");
            (leaves(&tree), line.trim_start().starts_with("pub"))
        } else if ["crate::", "super::", "self::"]
            .iter()
            .any(|it| rest.starts_with(it))
        {
            let path = rest
                .split(|c| !is_word(c) && c != ':')
                .next()
                .unwrap_or_default();
            (vec![path.to_owned()], false)
        } else {
            continue;
        };
        for tree in trees {
            let (path, alias) = tree.split_once('@').unwrap_or((&tree, ""));
            let Some(path) = from_root(&own, path) else {
                continue;
            };
            let last = path.last().cloned().unwrap_or_default();
            found.push(Import {
                line: line_of(code, at),
                name: if alias.is_empty() {
                    last
                } else {
                    alias.to_owned()
                },
                path,
                is_re_export,
            });
        }
    }
    found
}

/// A path that begins with `crate`, `super` or `self`, from the crate's root; none for a path that does not.
fn from_root(own: &[String], path: &str) -> Option<Vec<String>> {
    let mut base = own.to_vec();
    let mut rest = path;
    loop {
        if let Some(after) = rest.strip_prefix("super::") {
            base.pop();
            rest = after;
        } else if let Some(after) = rest.strip_prefix("self::") {
            rest = after;
        } else if let Some(after) = rest.strip_prefix("crate::") {
            base.clear();
            rest = after;
        } else {
            break;
        }
    }
    let names = rest
        .split("::")
        .filter(|it| !it.is_empty() && *it != "self");
    base.extend(names.map(str::to_owned));
    (rest.len() < path.len()).then_some(base)
}

/// The paths of a `use` tree without blanks: `a::{b,c::{d}}` has `a::b` and `a::c::d`.
fn leaves(tree: &str) -> Vec<String> {
    let Some((stem, rest)) = tree.split_once('{') else {
        return vec![tree.to_owned()];
    };
    let inner = rest.strip_suffix('}').unwrap_or(rest);
    let mut found = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let part = &inner[start..at];
                if !part.is_empty() {
                    found.extend(leaves(part).into_iter().map(|it| format!("{stem}{it}")));
                }
                start = at + 1;
            }
            _ => {}
        }
    }
    found
}
