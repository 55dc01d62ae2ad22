//! The built program as its users start it: with a configuration file of its own, over real sockets, ended by a real
//! signal. The files beside this one start it and talk to it; each folder is a suite.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods
)]

// What all suites build on.
mod answer;
mod audit_log;
mod authority;
mod directory;
mod frames;
mod key;
mod newcomer;
mod private_names;
mod program;
mod proxy;
mod settings;
mod small_disk;
mod terminal;
mod tinyproxy;
mod wait;
mod wire;

// The suites.
mod admin_socket;
mod cli;
mod crash;
mod doctor;
mod framing;
mod host;
mod hostile;
mod journeys;
mod login;
mod sandbox;
mod sandbox_window;
mod strangers;
mod texts;
mod verdict;
