//! `doctor` on the built program: each problem has its check, its verdict and a hint what to do.

mod host;
mod login;
mod machine;
mod outgoing_proxy;
mod service;
mod user;
mod world;
