//! Journeys that must not compile: each file of `tests/compile_fail` tries to skip a station, forge a proof or show a
//! secret, and the compiler's answer is pinned beside it. `BLESS=1 cargo test --test compile_fail` renews it.
//!
//! The compiler is asked directly, with the library that was built for this very test: building it and all that it needs
//! once more, as cargo would, takes minutes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

const MUST_FAIL: &str = "tests/compile_fail";
const MUST_COMPILE: &str = "tests/compile_pass";
/// So that a folder that was emptied or moved is noticed.
const FILES_MIN: usize = 16;

#[test]
fn a_request_cannot_skip_a_station_and_a_secret_cannot_be_printed() {
    let files = sources(MUST_FAIL);
    assert!(files.len() >= FILES_MIN, "{files:?}");
    let mut findings = Vec::new();
    for file in files {
        let (compiled, said) = compile(&file);
        let pinned = file.with_extension("stderr");
        if compiled {
            findings.push(format!("{} compiles", file.display()));
        } else if std::env::var_os("BLESS").is_some() {
            fs::write(pinned, said).unwrap();
        } else if fs::read_to_string(&pinned).unwrap_or_default() != said {
            findings.push(format!(
                "{} is not what was said:\n{said}",
                pinned.display()
            ));
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n\n"));
}

/// Without this, a compiler that is asked in the wrong way would refuse everything.
#[test]
fn what_keeps_to_the_journey_compiles() {
    let files = sources(MUST_COMPILE);
    assert!(!files.is_empty());
    for file in files {
        let (compiled, said) = compile(&file);
        assert!(compiled, "{}:\n{said}", file.display());
    }
}

#[test]
fn what_the_compiler_says_of_other_files_is_pinned_without_places() {
    let said = "error: x\n  --> tests/compile_fail/a.rs:5:13\n   |\n 5 | y\nnote: z\n  --> src/audit/mod.rs:37:24\n   |\n37 | y\n   |   ^\n  ::: src/names.rs:3:1\n\nerror: aborting due to 1 previous error\n\nFor more information about this error, try `rustc --explain E0423`.\n";
    assert_eq!(
        pinnable(said),
        "error: x\n --> tests/compile_fail/a.rs:5:13\n  |\n5 | y\nnote: z\n --> src/audit/mod.rs\n  |\n  | y\n  |   ^\n ::: src/names.rs\n"
    );
}

fn sources(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|it| it.unwrap().path());
    let mut found: Vec<_> = paths
        .filter(|it| it.extension().is_some_and(|it| it == "rs"))
        .collect();
    found.sort();
    found
}

/// Whether the file compiles with our library, and what the compiler says.
fn compile(file: &Path) -> (bool, String) {
    let dependencies = dependencies();
    let library = library(&dependencies);
    let out = tempfile::tempdir().unwrap();
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc
        .args([
            "--edition",
            "2024",
            "--crate-type",
            "bin",
            "--emit",
            "metadata",
        ])
        .args([
            "--cap-lints",
            "allow",
            "--color",
            "never",
            "--diagnostic-width",
            "140",
        ])
        .arg("--out-dir")
        .arg(out.path())
        .arg("--extern")
        .arg(format!("ninjaone_proxy={}", library.display()))
        .arg("-L")
        .arg(format!("dependency={}", dependencies.display()))
        .arg(file);
    let answered = rustc.output().expect("rustc, as cargo found it");
    let said = String::from_utf8(answered.stderr).unwrap();
    (answered.status.success(), pinnable(&said))
}

/// Where this test was built, and all that it needs beside it, whatever `CARGO_TARGET_DIR` and the profile are.
fn dependencies() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().to_owned()
}

/// The library that cargo built before this test. Others may lie beside it, of older sources or other features; cargo
/// builds what is not up to date, so the newest is of the sources as they are.
fn library(dependencies: &Path) -> PathBuf {
    let entries = fs::read_dir(dependencies).unwrap();
    let paths = entries.map(|it| it.unwrap().path());
    let is_ours = |it: &PathBuf| {
        let name = it.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libninjaone_proxy-") && name.ends_with(".rlib")
    };
    let built = |it: &PathBuf| -> SystemTime { fs::metadata(it).unwrap().modified().unwrap() };
    let newest = paths.filter(is_ours).max_by_key(built);
    newest.unwrap_or_else(|| {
        panic!(
            "no libninjaone_proxy-*.rlib in {}: run this test by `cargo test`, which builds it there",
            dependencies.display()
        )
    })
}

/// Without what changes although nothing that is tested does: lines and columns of our sources, and the summary.
fn pinnable(said: &str) -> String {
    let mut pinned = String::new();
    let mut elsewhere = false;
    // The margin is as wide as the longest line number, which may be one of ours.
    let mut margin = 1;
    for line in said.lines() {
        if [
            "error: aborting due to",
            "For more information about",
            "Some errors have detailed",
        ]
        .iter()
        .any(|it| line.starts_with(it))
        {
            continue;
        }
        let inner = line.trim_start();
        if let Some(place) = inner.strip_prefix("--> ").or(inner.strip_prefix("::: ")) {
            elsewhere = !place.starts_with("tests/compile_");
            margin = line.len() - inner.len();
        } else if !inner.starts_with(|it: char| it.is_ascii_digit() || "|=.".contains(it)) {
            elsewhere = false;
        }
        if elsewhere {
            pinned.push_str(&without_place(inner));
        } else {
            let narrower = line.len().min(margin.saturating_sub(1));
            let (cut, rest) = line.split_at(narrower);
            pinned.push_str(if cut.trim().is_empty() { rest } else { line });
        }
        pinned.push('\n');
    }
    let end = pinned.trim_end().len();
    pinned.truncate(end);
    pinned.push('\n');
    pinned
}

fn without_place(line: &str) -> String {
    for arrow in ["--> ", "::: "] {
        if let Some(place) = line.strip_prefix(arrow) {
            let path = place.split(':').next().unwrap_or(place);
            return format!(" {arrow}{path}");
        }
    }
    let code = line.trim_start_matches(|it: char| it.is_ascii_digit());
    format!("  {}", code.trim_start())
}
