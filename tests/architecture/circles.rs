//! Files do not import each other in circles: each can be read after those that it needs, and moved without the others.
//!
//! What counts is where a name is defined. A folder's root that only declares and re-exports what is below it is on no
//! circle: `use super::Name` counts as an import from the file that `super` re-exports `Name` from, and a re-export itself
//! does not count as an import.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    imports::{Import, imports, module_of},
    none,
    source_text::{Source, code_only, sources},
};

/// An import that closes a circle, and why it may: who imports, from where, and the reason.
const CLOSES_A_CIRCLE: &[(&str, &str, &str)] = &[
    (
        "config/value/address.rs",
        "config/mod.rs",
        "the checked address is a part of `Config`",
    ),
    (
        "sandbox/mod.rs",
        "sandbox/faults/mod.rs",
        "the state of a sandbox, and a part that is read with all of it",
    ),
    (
        "sandbox/mod.rs",
        "sandbox/oauth/mod.rs",
        "the state of a sandbox, and a part that is read with all of it",
    ),
    (
        "sandbox/mod.rs",
        "sandbox/oauth/logins.rs",
        "the state of a sandbox, and a part that is read with all of it",
    ),
    (
        "sandbox/oauth/issued_code.rs",
        "sandbox/oauth/token_registry.rs",
        "a code knows the login that it opens",
    ),
];

#[test]
fn files_import_each_other_in_no_circle() {
    let sources = sources();
    let whole = Graph::of(sources);
    let mut findings = Vec::new();
    let mut rest = Graph::of(sources);
    for (from, to, _) in CLOSES_A_CIRCLE.iter().copied() {
        if whole.line(from, to).is_none() || whole.way(to, from).is_none() {
            findings.push(format!(
                "{from}:1: its import from {to} closes no circle any more: take it off CLOSES_A_CIRCLE"
            ));
        }
        rest.remove(from, to);
    }
    findings.extend(rest.circles());
    none(&findings);
}

/// The rule above reads text: this example shows that it would see a breach.
#[test]
fn the_reader_of_circles_sees_through_re_exports_and_qualified_names() {
    let file = |path: &str, text: &str| Source {
        path: path.to_owned(),
        module: path.split('/').next().unwrap().to_owned(),
        code: code_only(text),
        text: text.to_owned(),
    };
    let example = [
        file(
            "a/mod.rs",
            "pub mod b;\npub mod c;\npub use self::b::{B, x as X};",
        ),
        // From its root, which only re-exports: from `b.rs` itself, and so on no circle.
        file(
            "a/c.rs",
            "use super::X;\nmod tests {\n    use crate::d::D;\n}",
        ),
        file("a/b.rs", "use crate::d::{\n    D,\n};"),
        file("d.rs", "fn d() {\n    crate::e::e();\n}"),
        file(
            "e.rs",
            "//! crate::a::c\nuse crate::a;\npub(in crate::a::c) fn e(_: a::b::B) {}\nuse super::a::B;",
        ),
    ];
    let found = Graph::of(&example).circles();
    assert_eq!(found, ["a/b.rs:1: imports from d.rs → e.rs → a/b.rs"]);
}

/// Which file imports from which, and on which line first.
struct Graph<'a>(BTreeMap<&'a str, BTreeMap<&'a str, usize>>);

impl<'a> Graph<'a> {
    fn of(sources: &'a [Source]) -> Self {
        let files: BTreeMap<Vec<String>, &Source> =
            sources.iter().map(|file| (module_of(file), file)).collect();
        let re_exports: BTreeMap<&str, Vec<Import>> = sources
            .iter()
            .map(|file| {
                let found = imports(file).into_iter().filter(|it| it.is_re_export);
                (file.path.as_str(), found.collect())
            })
            .collect();
        let mut graph = BTreeMap::<_, BTreeMap<_, _>>::new();
        for file in sources {
            for import in imports(file).into_iter().filter(|it| !it.is_re_export) {
                let Some(target) = definer(&files, &re_exports, &import.path) else {
                    continue;
                };
                if target.path != file.path {
                    let targets = graph.entry(file.path.as_str()).or_default();
                    targets.entry(target.path.as_str()).or_insert(import.line);
                }
            }
        }
        Self(graph)
    }

    fn line(&self, from: &str, to: &str) -> Option<usize> {
        self.0.get(from)?.get(to).copied()
    }

    fn remove(&mut self, from: &str, to: &str) {
        if let Some(targets) = self.0.get_mut(from) {
            targets.remove(to);
        }
    }

    /// The shortest chain of imports, both ends included.
    fn way(&self, from: &'a str, to: &str) -> Option<Vec<&'a str>> {
        let mut importer_of = BTreeMap::from([(from, from)]);
        let mut next = VecDeque::from([from]);
        while let Some(at) = next.pop_front() {
            if at == to {
                let mut way = vec![at];
                while way[0] != from {
                    way.insert(0, importer_of[way[0]]);
                }
                return Some(way);
            }
            for target in self.0.get(at).into_iter().flat_map(BTreeMap::keys) {
                if !importer_of.contains_key(target) {
                    importer_of.insert(target, at);
                    next.push_back(target);
                }
            }
        }
        None
    }

    /// Circles that share no import with each other, the shortest first, until none is left.
    fn circles(mut self) -> Vec<String> {
        let mut found = Vec::new();
        while let Some((from, way)) = self.shortest_circle() {
            let line = self.line(from, way[0]).unwrap_or_default();
            found.push(format!("{from}:{line}: imports from {}", way.join(" → ")));
            self.remove(from, way[0]);
            for pair in way.windows(2) {
                self.remove(pair[0], pair[1]);
            }
        }
        found
    }

    fn shortest_circle(&self) -> Option<(&'a str, Vec<&'a str>)> {
        let imports = self
            .0
            .iter()
            .flat_map(|(from, targets)| targets.keys().map(|to| (*from, *to)));
        let circles = imports.filter_map(|(from, to)| Some((from, self.way(to, from)?)));
        circles.min_by_key(|(_, way)| way.len())
    }
}

/// The file that defines what `path` names: the longest beginning of it that is a module, or where that re-exports the rest
/// from.
fn definer<'a>(
    files: &BTreeMap<Vec<String>, &'a Source>,
    re_exports: &BTreeMap<&str, Vec<Import>>,
    path: &[String],
) -> Option<&'a Source> {
    let known = (1..=path.len())
        .rev()
        .find(|it| files.contains_key(&path[..*it]))?;
    let file = files[&path[..known]];
    let re_exported = path.get(known).and_then(|name| {
        re_exports[file.path.as_str()]
            .iter()
            .find(|it| it.name == *name)
    });
    match re_exported {
        Some(it) if !it.path.starts_with(&path[..=known]) => definer(files, re_exports, &it.path),
        _ => Some(file),
    }
}
