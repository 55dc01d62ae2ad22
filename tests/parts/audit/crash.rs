//! Killed at any moment: every line that was promised is on disk, and the log continues.

use std::{
    collections::HashSet,
    env, fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

use ninjaone_proxy::ninjaone::operation::RiskClass;
use tempfile::tempdir;

use super::world::{CLOSE_MAX, answered, log_files, open, subject, verdict};

const CHILD: &str = "AUDIT_CRASH_TEST_DIRECTORY";
const KILLS: usize = 10;

/// Not a test by itself: the process that the test below kills. Says every request whose intent it was told is durable.
#[tokio::test]
async fn child_that_writes_until_it_is_killed() {
    let Some(directory) = env::var_os(CHILD) else {
        return;
    };
    let ledger = open(Path::new(&directory));
    let pid = u64::from(std::process::id());
    for number in 0.. {
        let written = subject((pid << 32) + number, RiskClass::Write);
        let request = written.request_id;
        let entry = ledger.write_intent(written).await.unwrap();
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "durable {request}").unwrap();
        stdout.flush().unwrap();
        entry.close(answered());
        for more in 0..50 {
            let read = subject(more, RiskClass::Read);
            ledger.reserve(read).unwrap().close(answered());
        }
    }
}

/// Runs the child until it has said `said_before_kill` requests, kills it, and gives all that it said.
fn run_and_kill(directory: &Path, said_before_kill: usize) -> Vec<String> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "audit::crash::child_that_writes_until_it_is_killed",
            "--nocapture",
        ])
        .env(CHILD, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = Vec::new();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    while said.len() < said_before_kill {
        let line = output.next().expect("the child goes on").unwrap();
        said.extend(line.split_once("durable ").map(|(_, id)| id.to_owned()));
    }
    child.kill().unwrap();
    for line in output.map_while(Result::ok) {
        said.extend(line.split_once("durable ").map(|(_, id)| id.to_owned()));
    }
    child.wait().unwrap();
    said.retain(|id| id.len() == 26);
    said
}

fn intents(directory: &Path) -> HashSet<String> {
    let mut found = HashSet::new();
    for path in log_files(directory) {
        let text = fs::read_to_string(path).unwrap();
        for line in text.lines().filter(|line| line.contains("\"intent\"")) {
            if let Some((_, rest)) = line.split_once("\"request\":\"") {
                found.insert(rest.chars().take(26).collect());
            }
        }
    }
    found
}

#[test]
fn a_killed_process_leaves_every_promised_intent_and_at_most_half_a_line() {
    let temp_dir = tempdir().unwrap();
    let mut promised = Vec::new();
    for kill in 0..KILLS {
        promised.extend(run_and_kill(temp_dir.path(), 1 + kill * 3));
        let report = verdict(temp_dir.path());
        assert!(report.breaks_total <= 1, "{report:?}");
        let torn = report.breaks.iter().all(|it| it.error.kind() == "torn");
        assert!(torn, "{report:?}");
    }
    assert!(open(temp_dir.path()).close_within("test", CLOSE_MAX));
    let report = verdict(temp_dir.path());
    assert!(report.is_intact(), "{report:?}");
    let intents = intents(temp_dir.path());
    let missing: Vec<_> = promised
        .iter()
        .filter(|id| !intents.contains(*id))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(promised.len() >= KILLS);
}
