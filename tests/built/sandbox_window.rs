//! The window of a sandbox.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStdout, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::program::PROGRAM;

pub(crate) const ANYWHERE: [&str; 6] = [
    "--listen",
    "127.0.0.1:0",
    "--admin",
    "127.0.0.1:0",
    "--ninjaone",
    "127.0.0.1:0",
];

pub(crate) const LAST_OF_GREETING: &str = "audit verify";

/// A sandbox, and what it has said so far.
pub(crate) struct Window {
    child: Child,
    out: BufReader<ChildStdout>,
    pub(crate) told: String,
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Window {
    pub(crate) fn open(arguments: &[&str]) -> Self {
        Self::open_with("TMPDIR", std::env::temp_dir().as_os_str(), arguments)
    }

    /// With a variable of the environment.
    pub(crate) fn open_with(variable: &str, value: &OsStr, arguments: &[&str]) -> Self {
        let child = Command::new(PROGRAM)
            .arg("sandbox")
            .args(arguments)
            .env(variable, value)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            out,
            told: String::new(),
        }
    }

    /// Reads on, up to a line that holds `words`; returns it.
    pub(crate) fn until(&mut self, words: &str) -> String {
        loop {
            let before = self.told.len();
            let length = self.out.read_line(&mut self.told).unwrap();
            assert!(length > 0, "waited for {words}: {}", self.told);
            let line = &self.told[before..];
            if line.contains(words) {
                return line.to_owned();
            }
        }
    }

    /// Ctrl-C; returns the rest of what it says.
    pub(crate) fn close(mut self) -> String {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::INT).unwrap();
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success(), "{rest}");
        rest
    }

    /// Ctrl-C, with nobody to read what it says; returns whether it ended well.
    pub(crate) fn end_unread(mut self) -> bool {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::INT).unwrap();
        self.child.wait().unwrap().success()
    }
}
