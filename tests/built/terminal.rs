//! A program on a terminal: what is typed, what the screen shows, and what is left for the shell.

use std::{
    io::{Read, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread,
};

use crate::wait::WAIT_MAX;

/// Runs its arguments on a terminal of their own, and passes on what is typed and shown.
const BRIDGE: &str = r"
import os, pty, select, sys
child, master = pty.fork()
if child == 0:
    os.execv(sys.argv[1], sys.argv[1:])
watched = [0, master]
while True:
    ready = select.select(watched, [], [])[0]
    if 0 in ready:
        typed = os.read(0, 65536)
        if not typed:
            watched.remove(0)
        while typed:
            typed = typed[os.write(master, typed):]
    if master in ready:
        try:
            shown = os.read(master, 65536)
        except OSError:
            break
        if not shown:
            break
        os.write(1, shown)
status = os.waitpid(child, 0)[1]
sys.exit(os.waitstatus_to_exitcode(status) % 256)
";

/// A program whose standard streams are a terminal.
pub(crate) struct Terminal {
    child: Child,
    keys: ChildStdin,
    shown: Arc<Shown>,
    /// How much of what was shown has been waited for.
    seen: usize,
}

#[derive(Default)]
struct Shown {
    screen: Mutex<(Vec<u8>, bool)>,
    more: Condvar,
}

impl Terminal {
    /// Runs a program with these arguments and variables.
    pub(crate) fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new("python3");
        // Found before the environment is emptied, whichever manager of versions it comes from.
        command.args(["-c", BRIDGE]).args(arguments);
        command.env_remove("NO_COLOR").env("TERM", "xterm");
        command.envs(variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let keys = child.stdin.take().unwrap();
        let mut output = child.stdout.take().unwrap();
        let shown = Arc::new(Shown::default());
        let filled = Arc::clone(&shown);
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            loop {
                let count = output.read(&mut chunk).unwrap_or(0);
                let mut screen = filled.screen.lock().unwrap();
                screen.0.extend_from_slice(&chunk[..count]);
                screen.1 = count == 0;
                filled.more.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        Self {
            child,
            keys,
            shown,
            seen: 0,
        }
    }

    /// Types.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits until this is shown behind what was waited for before. Gives what was shown up to it.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let mut screen = self.shown.screen.lock().unwrap();
        loop {
            let all = String::from_utf8_lossy(&screen.0).into_owned();
            let new = all.get(self.seen..).unwrap_or_default();
            if let Some(at) = new.find(text) {
                let end = self.seen + at + text.len();
                let passed = all[self.seen..end].to_owned();
                self.seen = end;
                return passed;
            }
            assert!(!screen.1, "it ended without {text:?}:\n{all}");
            let (next, waited) = self.shown.more.wait_timeout(screen, WAIT_MAX).unwrap();
            assert!(!waited.timed_out(), "waited in vain for {text:?}:\n{all}");
            screen = next;
        }
    }

    /// Waits for the end: the exit code, and all that the screen has shown.
    pub(crate) fn end(mut self) -> (i32, String) {
        let mut screen = self.shown.screen.lock().unwrap();
        while !screen.1 {
            let (next, waited) = self.shown.more.wait_timeout(screen, WAIT_MAX).unwrap();
            let all = String::from_utf8_lossy(&next.0).into_owned();
            assert!(!waited.timed_out(), "it does not end:\n{all}");
            screen = next;
        }
        let all = String::from_utf8_lossy(&screen.0).into_owned();
        (self.child.wait().unwrap().code().unwrap(), all)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
