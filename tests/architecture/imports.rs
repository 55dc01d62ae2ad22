//! Which module may import which.

use crate::{
    none,
    source_text::{code_only, declared_modules, is_word, line_of, sources, word_at},
};

/// Modules that alone may read a module, whatever the order of declaration would allow.
const ONLY_FOR: [(&str, &[&str]); 1] = [("config", &["app", "cli"])];

#[test]
fn a_module_imports_only_from_modules_declared_above_it() {
    let order = declared_modules();
    let place = |module: &str| order.iter().position(|it| it == module);
    let mut findings = Vec::new();
    for file in sources() {
        let Some(own) = place(&file.module) else {
            continue;
        };
        for (line, used) in crate_paths(&file.code) {
            match place(&used) {
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
