//! Another process that uses the same store: this test binary once more, told by its environment what to do.

use std::{
    env,
    fs::{self, File},
    io::{BufRead, BufReader, Lines, Write},
    path::{Path, PathBuf},
    process::{self, ChildStdout, Command, Stdio},
    time::Duration,
};

use ninjaone_proxy::credentials::store::{LoginStore, error::StoreError};

use super::world::{generation, kept, locked, open, seal_keys, slot};

const TEST: &str = "store::child::does_what_its_environment_says";
const TASK: &str = "STORE_TEST_TASK";
const DIRECTORY: &str = "STORE_TEST_DIRECTORY";
const UMASK: &str = "STORE_TEST_UMASK";
/// Stands before each line that the child says.
const SAID: &str = "> ";

/// How often a child counts.
pub(crate) const ROUNDS: u64 = 12;
const WAIT_MAX: Duration = Duration::from_mins(1);

/// Whether there is time for what takes minutes.
pub(crate) fn is_long() -> bool {
    env::var_os("NJP_LONG").is_some_and(|it| it == "1")
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Task {
    /// Writes the next generation: `stored <generation>` or `error <name>`.
    Write,
    /// The same without end.
    WriteForever,
    /// Logs out and in again without end: `forgot`, `stored <generation>`.
    ForgetForever,
    /// Logs out: `forgot` or `error <name>`.
    Forget,
    /// Adds one to the generation a few times, and fails if somebody else is at it.
    Count,
    /// Takes the lock, says `holds`, and keeps it until it is killed.
    Hold,
}

/// Not a test by itself.
#[tokio::test]
async fn does_what_its_environment_says() {
    let Some(directory) = env::var_os(DIRECTORY).map(PathBuf::from) else {
        return;
    };
    if let Ok(mask) = env::var(UMASK) {
        let bits = u32::from_str_radix(&mask, 8).unwrap();
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(bits));
    }
    // Away from the line that the test harness has begun.
    writeln!(std::io::stdout()).unwrap();
    match env::var(TASK).unwrap().as_str() {
        "Write" => say(&report(write_next(&directory))),
        "Forget" => say(&report(forget(&directory))),
        "WriteForever" => loop {
            say(&write_next(&directory).unwrap());
        },
        "ForgetForever" => loop {
            say(&write_next(&directory).unwrap());
            say("forgets");
            say(&forget(&directory).unwrap());
        },
        "Count" => count(&directory).await,
        "Hold" => {
            let _lock = locked(&open(&directory));
            say("holds");
            std::future::pending::<()>().await;
        }
        other => panic!("no task: {other}"),
    }
}

fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{SAID}{line}").unwrap();
    stdout.flush().unwrap();
}

fn report(result: Result<String, StoreError>) -> String {
    result.unwrap_or_else(|error| format!("error {}: {error}", error.name()))
}

fn lock(directory: &Path) -> Result<ninjaone_proxy::credentials::store::SlotLock, StoreError> {
    let store = LoginStore::open(directory, seal_keys())?;
    Ok(store.try_lock(&slot())?.expect("nobody has the lock"))
}

fn write_next(directory: &Path) -> Result<String, StoreError> {
    let lock = lock(directory)?;
    let generation = lock.read()?.map_or(0, |found| found.login.generation) + 1;
    lock.write(&kept(generation))?;
    Ok(format!("stored {generation}"))
}

fn forget(directory: &Path) -> Result<String, StoreError> {
    lock(directory)?.erase()?;
    Ok("forgot".to_owned())
}

async fn count(directory: &Path) {
    let store = open(directory);
    for _ in 0..ROUNDS {
        count_once(&store, directory).await;
    }
    say("counted");
}

/// Adds one, and fails if somebody else holds the lock at the same time.
pub(crate) async fn count_once(store: &LoginStore, directory: &Path) {
    let lock = store.lock(&slot(), WAIT_MAX).await.unwrap();
    let alone = directory.with_extension("alone");
    File::create_new(&alone).expect("nobody else has the lock");
    let before = generation(store);
    lock.write(&kept(before + 1)).unwrap();
    fs::remove_file(alone).unwrap();
}

/// A process that is about to be started.
pub(crate) struct Child(Command);

impl Child {
    pub(crate) fn new(task: Task, directory: &Path) -> Self {
        Self::by(Command::new(env::current_exe().unwrap()), task, directory)
    }

    /// `command` runs the program that it is given as further arguments.
    pub(crate) fn under(mut command: Command, task: Task, directory: &Path) -> Self {
        command.arg(env::current_exe().unwrap());
        Self::by(command, task, directory)
    }

    fn by(mut command: Command, task: Task, directory: &Path) -> Self {
        command
            .args(["--exact", TEST, "--nocapture", "--test-threads=1"])
            .env(TASK, format!("{task:?}"))
            .env(DIRECTORY, directory)
            .stdout(Stdio::piped());
        Self(command)
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    /// All that it says until it ends.
    pub(crate) fn output(mut self) -> String {
        let output = self.0.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let said = text.lines().filter_map(|line| line.strip_prefix(SAID));
        said.collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn start(mut self) -> Running {
        let mut child = self.0.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Running { child, lines }
    }
}

/// A process that talks.
pub(crate) struct Running {
    child: process::Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    /// The next line that it says; none after its end.
    pub(crate) fn hear(&mut self) -> Option<String> {
        let mut lines = self.lines.by_ref().map_while(Result::ok);
        lines.find_map(|line| Some(line.strip_prefix(SAID)?.to_owned()))
    }

    /// Kills it, and gives what it had said by then.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        let rest = std::iter::from_fn(|| self.hear()).collect();
        self.child.wait().unwrap();
        rest
    }

    pub(crate) fn end(mut self) -> bool {
        while self.hear().is_some() {}
        self.child.wait().unwrap().success()
    }
}
