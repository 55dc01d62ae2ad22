//! Rules that no compiler checks: which module may import which, where each third-party crate lives, who may make a proof
//! or read a secret, what things are called, and how long they may grow. Each rule reads the source text; every finding
//! names file and line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod circles;
mod homes;
mod imports;
mod names;
mod proofs;
mod sizes;
mod source_text;

/// Fails with all `findings`, one a line, each beginning with a path below `src`.
fn none(findings: &[String]) {
    assert!(findings.is_empty(), "\n  src/{}", findings.join("\n  src/"));
}
