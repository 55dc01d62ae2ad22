//! `doctor` on the built program: each trouble has its check, its verdict and words that say what to do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod host;
mod login;
mod machine;
mod service;
mod user;
mod world;
