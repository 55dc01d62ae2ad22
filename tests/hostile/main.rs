//! Hostile callers, hostile networks and a hostile NinjaOne against the built program, over raw sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answers;
mod evil;
mod floods;
mod h2;
mod head_cases;
mod head_writings;
mod heads;
mod hosts;
mod http2_server;
mod levels;
#[path = "../built/program.rs"]
mod program;
mod secrets;
mod stack;
mod targets;
mod upstream;
mod wire;
