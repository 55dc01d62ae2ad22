//! Parts of the program in the test's own process: what no caller sees, on a clock and a disk that the test owns.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod admin;
mod audit;
mod catalogue;
mod config;
mod credentials;
mod documents;
mod explain;
mod explain_strangers;
mod explain_words;
mod limits;
mod ninjaone_answers;
mod ops;
mod policy;
mod sandbox;
mod selector;
#[path = "../built/small_disk.rs"]
mod small_disk;
mod store;
