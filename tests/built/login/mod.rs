//! Logging in and out through the built program, against a make-believe NinjaOne: a person's browser is played over raw
//! HTTP, and so is everybody else who could send something to the callback.

mod browser;
mod callback;
mod init;
mod platforms;
mod remote;
mod world;
