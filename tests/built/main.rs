//! The built program as its users start it: with a configuration file of its own, over real sockets, ended by a real
//! signal. The files beside this one start it and talk to it; each folder is a suite.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods
)]

mod cli;
mod crash;
mod doctor;
mod hostile;
mod journeys;
mod login;
mod program;
mod small_disk;
mod strangers;
mod wire;
