//! `doctor` on the built program: each trouble has its check, its verdict and words that say what to do.

mod host;
mod login;
mod machine;
mod service;
mod user;
mod world;
