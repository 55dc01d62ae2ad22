//! The audit log: what is written, what survives, and what its two verifiers see.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "audit/cli.rs"]
mod cli;
#[path = "audit/crash.rs"]
mod crash;
#[path = "audit/full_disk.rs"]
mod full_disk;
#[path = "audit/ledger.rs"]
mod ledger;
#[path = "built/small_disk.rs"]
mod small_disk;
#[path = "audit/tamper.rs"]
mod tamper;
#[path = "audit/trouble.rs"]
mod trouble;
#[path = "audit/vector.rs"]
mod vector;
#[path = "audit/world.rs"]
mod world;
