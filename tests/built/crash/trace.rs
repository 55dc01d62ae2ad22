//! `strace`, which kills the program at one of its system calls on the store, or makes the call fail.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::program::PROGRAM;

use super::world::{World, until};

/// A program under the eyes of `strace`.
pub(crate) struct Trace {
    pub(crate) command: Command,
    pub(crate) log: PathBuf,
}

impl Trace {
    /// The program is killed as it enters the `at`-th of the calls on the store that one of its threads makes.
    pub(crate) fn killing(world: &World, calls: &str, at: usize) -> Self {
        let paths = world.store_files();
        Self::new(world, calls, &format!("signal=KILL:when={at}"), &paths)
    }

    /// All of the calls on the store fail, until `strace` ends.
    pub(crate) fn failing(world: &World, calls: &str, error: &str) -> Self {
        let paths = match calls {
            // What is read goes on: the draft alone is made anew, by its name in the directory.
            "openat" => vec!["acme.user.draft".into()],
            _ => world.store_files(),
        };
        Self::new(world, calls, &format!("error={error}"), &paths)
    }

    fn new(world: &World, calls: &str, what: &str, paths: &[PathBuf]) -> Self {
        let log = world.store_path().with_extension("trace");
        let mut command = Command::new("strace");
        // With `-I2` it ends when it is told to.
        command.args(["-f", "-qq", "-I2", "-o"]).arg(&log);
        command.args(["-e", &format!("trace={calls}")]);
        command.args(["-e", &format!("inject={calls}:{what}")]);
        for path in paths {
            command.arg("-P").arg(path);
        }
        Self { command, log }
    }

    /// Starts the program: it is our own child, and `strace` only looks at it.
    pub(crate) fn starting(mut self) -> Command {
        self.command.arg("-D").arg(PROGRAM);
        self.command
    }

    /// Begins to look at all threads of a program that runs.
    pub(crate) async fn joining(mut self, program: u32) -> Attached {
        self.command.args(["-p", &program.to_string()]);
        let child = self.command.spawn().expect("strace is installed");
        let attached = Attached(child);
        until("strace, which needs root", async || is_traced(program)).await;
        attached
    }
}

/// A `strace` that looks at a program, ended when dropped.
pub(crate) struct Attached(Child);

impl Drop for Attached {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// True also of a program that has ended.
fn is_traced(program: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{program}/task")) else {
        return true;
    };
    let mut threads = threads.map(|it| it.unwrap().path().join("status"));
    threads.all(|it| tracer(&it).is_none_or(|tracer| tracer != 0))
}

fn tracer(status: &Path) -> Option<u32> {
    let status = fs::read_to_string(status).ok()?;
    let mut lines = status.lines();
    let tracer = lines.find_map(|it| it.strip_prefix("TracerPid:"))?;
    tracer.trim().parse().ok()
}

/// The calls that were made.
pub(crate) fn calls(log: &Path) -> Vec<String> {
    let text = fs::read_to_string(log).expect("strace is installed and may trace");
    let lines = text
        .lines()
        .filter(|it| !it.contains("resumed>") && it.contains('('));
    let calls = lines.filter_map(|it| it.split_once(' '));
    calls.map(|it| it.1.trim().to_owned()).collect()
}

/// Lets a program go on alone.
pub(crate) fn let_go(program: u32) {
    let tracer = tracer(Path::new(&format!("/proc/{program}/status")));
    let tracer = i32::try_from(tracer.unwrap()).unwrap();
    kill_process(Pid::from_raw(tracer).unwrap(), Signal::TERM).unwrap();
}
