//! Logging in and out through the built program, against a sandbox: the user's browser is simulated over raw
//! HTTP, and so is everybody else who could send something to the callback.

mod browser;
mod callback;
mod init;
mod init_as_user;
mod init_on_a_terminal;
mod outgoing_proxy;
mod platforms;
mod remote;
mod world;
