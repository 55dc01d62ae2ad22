//! A user's login is never lost silently: the built program, killed and hindered at every step, in front of a
//! NinjaOne that counts what it exchanged.
//!
//! A login can be lost at one point only: after NinjaOne has exchanged the refresh token and before the answer is on disk.
//! Then the program says so.
//!
//! `strace` does the killing and hindering; without root it may not look into the program, which hides its memory.
//! `tests/built/crash/run` is the long form.

#![allow(clippy::disallowed_methods)]

mod calls;
mod clock;
mod disk;
mod fate;
mod instants;
mod outage;
mod running;
mod shared;
mod steps;
mod storm;
mod trace;
mod world;
