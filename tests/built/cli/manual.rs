//! The manual pages: they render, and each page that one of them names exists.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::program::PROGRAM;

/// All pages, as `man --directory` writes them.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let status = Command::new(PROGRAM)
        .args(["man", "--directory"])
        .arg(folder)
        .output()
        .unwrap();
    assert!(status.status.success(), "{status:?}");
    let mut pages: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|it| it.unwrap().path())
        .collect();
    pages.sort();
    assert!(pages.len() > 25, "{pages:?}");
    pages
}

/// `name(1)` of each reference: bold, and the section after it.
fn references(page: &str) -> BTreeSet<String> {
    let plain = page
        .replace("\\fB", "")
        .replace("\\fR", "")
        .replace("\\-", "-");
    plain
        .split_whitespace()
        .filter_map(|word| Some(word.split_once("(1)")?.0.to_owned()))
        .collect()
}

#[test]
fn each_page_that_is_named_exists() {
    let folder = tempfile::tempdir().unwrap();
    let mut named = BTreeSet::new();
    let mut written = BTreeSet::new();
    for page in pages(folder.path()) {
        written.insert(page.file_stem().unwrap().to_str().unwrap().to_owned());
        named.extend(references(&fs::read_to_string(page).unwrap()));
    }
    assert!(named.len() > 25, "{named:?}");
    assert_eq!(named.difference(&written).collect::<Vec<_>>(), [""; 0]);
    // Who reads the first page finds all others.
    assert_eq!(written.difference(&named).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn a_page_has_examples_exit_codes_files_and_environment() {
    let folder = tempfile::tempdir().unwrap();
    for page in pages(folder.path()) {
        let text = fs::read_to_string(&page).unwrap();
        let is_group = text.contains(".SH COMMANDS") && !page.ends_with("ninjaone-proxy.1");
        for section in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "EXIT STATUS",
            "EXAMPLES",
            "FILES",
            "ENVIRONMENT",
            "SEE ALSO",
        ] {
            let heading = [format!(".SH {section}\n"), format!(".SH \"{section}\"\n")];
            let has = heading.iter().any(|it| text.contains(it));
            let may_lack = is_group && matches!(section, "EXIT STATUS" | "EXAMPLES");
            assert!(has || may_lack, "{}: {section}", page.display());
        }
    }
}

#[test]
fn the_pages_render_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let pages = pages(folder.path());
    if !Path::new("/usr/bin/man").exists() {
        return;
    }
    let shown = Command::new("man")
        .args(["--warnings", "-E", "UTF-8", "-l"])
        .args(&pages)
        .env("MANPAGER", "cat")
        .env("MANWIDTH", "80")
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&shown.stderr);
    assert!(shown.status.success() && said.is_empty(), "{said}");
    let text = String::from_utf8_lossy(&shown.stdout);
    assert!(text.contains("ninjaone-proxy caller add powerbi --allow read"));
    assert!(!text.contains("General Commands"), "the header is not ours");
}

#[test]
fn one_page_is_printed_by_its_command() {
    let page = |words: &[&str]| {
        let output = Command::new(PROGRAM).arg("man").args(words).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    assert!(page(&[]).contains(".TH NINJAONE-PROXY 1"), "{}", page(&[]));
    let caller = page(&["caller", "add"]);
    assert!(
        caller.contains(".TH NINJAONE-PROXY-CALLER-ADD 1"),
        "{caller}"
    );
    assert!(!caller.contains("EXTRA"), "{caller}");
    let synopsis = caller.split(".SH SYNOPSIS").nth(1).unwrap();
    let synopsis = synopsis.split(".SH").next().unwrap().replace("\\fR", "");
    let synopsis = synopsis.replace("\\fB", "").replace("\\fI", "");
    let synopsis = synopsis.replace("\\-", "-");
    for part in [
        "caller add",
        "[--allow SELECTOR]",
        "[--config FILE]",
        "[--json]",
        "<name>",
    ] {
        let part = part.replace("<name>", "<NAME>");
        assert!(synopsis.contains(&part), "{part} in {synopsis}");
    }
    let date = caller.lines().find(|it| it.starts_with(".TH")).unwrap();
    assert!(
        date.contains(" 1 2026\\-") || date.contains("2026-"),
        "{date}"
    );
}
