//! Whatever is done to a log on disk, both verifiers see it.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{SHA256, digest};
use ninjaone_proxy::audit::{
    chain::Head,
    ledger::Ledger,
    verify::{IntegrityError, verify},
};
use tempfile::{TempDir, tempdir};

use super::world::{CLOSE_MAX, log_files, options, verdict, write_some};

const ROUNDS: u64 = 25;

/// In so many of them the independent verifier is asked as well.
const ROUNDS_OF_BOTH: u64 = 4;

/// A small generator of numbers: the same seed, the same damage.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }
}

/// A log in memory: files of lines, each with its line feed.
struct Log(Vec<(String, Vec<String>)>);

impl Log {
    fn read(directory: &Path) -> Self {
        let file = |path: PathBuf| {
            let text = fs::read_to_string(&path).unwrap();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let lines = text.split_inclusive('\n').map(str::to_owned).collect();
            (name, lines)
        };
        Self(log_files(directory).into_iter().map(file).collect())
    }

    fn write(&self) -> TempDir {
        let temp_dir = tempdir().unwrap();
        for (name, lines) in &self.0 {
            fs::write(temp_dir.path().join(name), lines.concat()).unwrap();
        }
        temp_dir
    }

    /// Any line but the last of all: what is cut off the end does not show without an anchor.
    fn any(&self, dice: &mut Dice) -> (usize, usize) {
        let total: usize = self.0.iter().map(|(_, lines)| lines.len()).sum();
        let mut temp_dir = dice.below(total - 1);
        for (file, (_, lines)) in self.0.iter().enumerate() {
            if temp_dir < lines.len() {
                return (file, temp_dir);
            }
            temp_dir -= lines.len();
        }
        unreachable!("the place is below the total")
    }

    fn line(&mut self, (file, line): (usize, usize)) -> &mut String {
        &mut self.0[file].1[line]
    }
}

/// Makes a line's hash right again, as somebody who knows how it is made would.
fn rehash(line: &str) -> String {
    let (body, _) = line.rsplit_once(",\"hash\":").unwrap();
    let mut line = format!("{body},\"hash\":\"");
    for byte in digest(&SHA256, body.as_bytes()).as_ref() {
        write!(line, "{byte:02x}").unwrap();
    }
    line + "\"}\n"
}

type Tamper = fn(&mut Log, &mut Dice);

const OPERATORS: &[(&str, Tamper)] = &[
    ("flip a bit", |log, dice| {
        let temp_dir = log.any(dice);
        let line = log.line(temp_dir);
        let mut bytes = std::mem::take(line).into_bytes();
        let at = dice.below(bytes.len());
        bytes[at] ^= 1;
        *line = String::from_utf8(bytes).unwrap();
    }),
    ("remove a byte", |log, dice| {
        let temp_dir = log.any(dice);
        let line = log.line(temp_dir);
        let at = dice.below(line.len());
        line.remove(at);
    }),
    ("change a word", |log, dice| {
        let temp_dir = log.any(dice);
        let line = log.line(temp_dir);
        *line = line.replace("boot-1", "boot-2");
    }),
    ("change a word and make the hash right", |log, dice| {
        let temp_dir = log.any(dice);
        let line = log.line(temp_dir);
        *line = rehash(&line.replace("boot-1", "boot-2"));
    }),
    ("delete a line", |log, dice| {
        let (file, line) = log.any(dice);
        log.0[file].1.remove(line);
    }),
    ("duplicate a line", |log, dice| {
        let (file, line) = log.any(dice);
        let copy = log.0[file].1[line].clone();
        log.0[file].1.insert(line, copy);
    }),
    ("move a line to another place", |log, dice| {
        let (file, line) = log.any(dice);
        let moved = log.0[file].1.remove(line);
        let end = log.0[file].1.len();
        let to = (line + 1 + dice.below(end)) % (end + 1);
        let to = if to == line { 0 } else { to };
        log.0[file].1.insert(to, moved);
        if to == line {
            log.0[file].1.swap(0, 1);
        }
    }),
    ("swap neighbours", |log, dice| {
        let (file, _) = log.any(dice);
        let at = dice.below(log.0[file].1.len() - 1);
        log.0[file].1.swap(at, at + 1);
    }),
    ("copy a line elsewhere", |log, dice| {
        let (from_file, from) = log.any(dice);
        let copy = log.0[from_file].1[from].clone();
        let (file, line) = log.any(dice);
        log.0[file].1.insert(line, copy);
    }),
    ("insert a line with another's number", |log, dice| {
        let (file, line) = log.any(dice);
        let forged = rehash(&log.0[file].1[line].replace("boot-1", "boot-2"));
        log.0[file].1.insert(line + 1, forged);
    }),
    ("insert an empty line", |log, dice| {
        let (file, line) = log.any(dice);
        log.0[file].1.insert(line, "\n".to_owned());
    }),
    ("insert a line that is not JSON", |log, dice| {
        let (file, line) = log.any(dice);
        log.0[file].1.insert(line, "# nothing to see\n".to_owned());
    }),
    ("write a line in another way", |log, dice| {
        let temp_dir = log.any(dice);
        let line = log.line(temp_dir);
        *line = line.replacen("\":", "\": ", 1);
    }),
    ("put a member after the hash", |log, dice| {
        let temp_dir = log.any(dice);
        let line = log.line(temp_dir);
        *line = line.replace("\"}\n", "\",\"more\":1}\n");
    }),
    ("write the hash in upper case", |log, dice| {
        let temp_dir = log.any(dice);
        let line = log.line(temp_dir);
        let at = line.rfind(":\"").unwrap();
        let upper = line[at..].to_uppercase();
        line.replace_range(at.., &upper);
    }),
    ("replace a hash by another line's", |log, dice| {
        let temp_dir = log.any(dice);
        let line = log.line(temp_dir);
        let at = line.rfind(":\"").unwrap() + 2;
        line.replace_range(at..at + 64, &"ab".repeat(32));
    }),
    ("replace prev and make the hash right", |log, dice| {
        let temp_dir = log.any(dice);
        let line = log.line(temp_dir);
        let at = line.find("\"prev\":\"").unwrap() + 8;
        line.replace_range(at..at + 64, &"ab".repeat(32));
        *line = rehash(line);
    }),
    ("renumber a line and make the hash right", |log, dice| {
        let temp_dir = log.any(dice);
        let line = log.line(temp_dir);
        *line = rehash(&line.replacen("\"seq\":", "\"seq\":9", 1));
    }),
    ("end a line as Windows does", |log, dice| {
        let temp_dir = log.any(dice);
        let line = log.line(temp_dir);
        *line = line.replace('\n', "\r\n");
    }),
    ("join two lines", |log, dice| {
        let temp_dir = log.any(dice);
        log.line(temp_dir).pop();
    }),
    ("cut the end in the middle of a line", |log, dice| {
        let last = log.0.last_mut().unwrap().1.last_mut().unwrap();
        let kept = 1 + dice.below(last.len() - 1);
        last.truncate(kept);
    }),
    ("append half a line", |log, dice| {
        let (file, line) = log.any(dice);
        let half = log.0[file].1[line][..10 + dice.below(100)].to_owned();
        log.0.last_mut().unwrap().1.push(half);
    }),
    ("remove a file", |log, dice| {
        let file = dice.below(log.0.len() - 1);
        log.0.remove(file);
    }),
    ("swap two files", |log, dice| {
        let file = dice.below(log.0.len() - 1);
        let lines = std::mem::take(&mut log.0[file].1);
        let others = std::mem::replace(&mut log.0[file + 1].1, lines);
        log.0[file].1 = others;
    }),
    ("rename a file", |log, dice| {
        let file = dice.below(log.0.len());
        log.0[file].0 = format!("audit-{:012}.jsonl", 90_000 + dice.below(1000));
    }),
    // The last file's lines are the end of the log.
    ("empty a file", |log, dice| {
        let file = dice.below(log.0.len() - 1);
        log.0[file].1.clear();
    }),
    (
        "cut the end off a file that is followed by another",
        |log, dice| {
            let file = dice.below(log.0.len() - 1);
            let kept = dice.below(log.0[file].1.len());
            log.0[file].1.truncate(kept);
        },
    ),
    ("cut off the beginning of the log", |log, dice| {
        let removed = 1 + dice.below(log.0[0].1.len() - 1);
        log.0[0].1.drain(..removed);
    }),
    ("replace a file by an older one", |log, dice| {
        let file = 1 + dice.below(log.0.len() - 1);
        log.0[file].1 = log.0[file - 1].1.clone();
    }),
];

async fn clean_log(directory: &Path) {
    let mut options = options(directory);
    options.file_bytes_max = 8 * 1024;
    let ledger = Ledger::open(options).unwrap();
    for number in 0..15 {
        write_some(&ledger, number * 4..number * 4 + 4).await;
    }
    assert!(ledger.close_within("test", CLOSE_MAX));
}

#[tokio::test]
async fn every_kind_of_tampering_is_seen_by_both_verifiers() {
    let temp_dir = tempdir().unwrap();
    clean_log(temp_dir.path()).await;
    let clean = verdict(temp_dir.path());
    assert!(clean.is_intact() && clean.files >= 3, "{clean:?}");

    for (operator, (name, tamper)) in OPERATORS.iter().enumerate() {
        for round in 1..=ROUNDS {
            let mut dice = Dice(round * 1_000_003 + operator as u64 * 7919);
            dice.below(2);
            let mut log = Log::read(temp_dir.path());
            tamper(&mut log, &mut dice);
            let tampered = log.write();
            // `verdict` insists that both agree.
            let report = if round <= ROUNDS_OF_BOTH {
                verdict(tampered.path())
            } else {
                verify(tampered.path(), &[]).unwrap()
            };
            assert!(!report.is_intact(), "not seen: {name}, round {round}");
        }
    }
}

#[tokio::test]
async fn a_cut_end_shows_against_an_anchor() {
    let temp_dir = tempdir().unwrap();
    clean_log(temp_dir.path()).await;
    let anchor = verify(temp_dir.path(), &[]).unwrap().head;
    assert!(verify(temp_dir.path(), &[anchor]).unwrap().is_intact());

    let mut log = Log::read(temp_dir.path());
    log.0.last_mut().unwrap().1.pop();
    let tampered = log.write();
    assert!(verdict(tampered.path()).is_intact());
    let report = verify(tampered.path(), &[anchor]).unwrap();
    assert_eq!(
        report.breaks[0].error,
        IntegrityError::AnchorMissing { anchor }
    );

    let other = Head {
        seq: 3,
        hash: anchor.hash,
    };
    let report = verify(temp_dir.path(), &[other]).unwrap();
    let expected = IntegrityError::AnchorContradicted { seq: 3 };
    assert_eq!(report.breaks[0].error, expected);
}

#[tokio::test]
async fn what_is_left_after_archiving_is_whole_against_the_end_of_what_was_archived() {
    let temp_dir = tempdir().unwrap();
    clean_log(temp_dir.path()).await;
    let mut left = Log::read(temp_dir.path());
    let archived = Log(vec![left.0.remove(0)]).write();
    let left = left.write();
    let anchor = verify(archived.path(), &[]).unwrap().head;

    assert!(verify(left.path(), &[anchor]).unwrap().is_intact());

    assert!(!verify(left.path(), &[]).unwrap().is_intact());
    let other = Head {
        seq: anchor.seq,
        hash: verify(temp_dir.path(), &[]).unwrap().head.hash,
    };
    let report = verify(left.path(), &[other]).unwrap();
    assert_eq!(report.breaks[0].error, IntegrityError::Unlinked);
}

#[tokio::test]
async fn the_report_says_where_and_how() {
    let temp_dir = tempdir().unwrap();
    clean_log(temp_dir.path()).await;
    let mut log = Log::read(temp_dir.path());
    log.0[0].1.remove(4);
    let tampered = log.write();
    let report = verdict(tampered.path());
    let found = &report.breaks[0];
    assert_eq!(found.at.file, "audit-000000000001.jsonl");
    assert_eq!((found.at.line, found.at.seq), (5, Some(6)));
    assert_eq!(
        found.error.to_string(),
        "lines 5 to 5 are missing before it"
    );
    assert_eq!(report.breaks_total, 1);
}

#[test]
fn an_empty_directory_is_no_log() {
    let temp_dir = tempdir().unwrap();
    assert!(verify(temp_dir.path(), &[]).is_err());
    assert!(verify(&temp_dir.path().join("nowhere"), &[]).is_err());
}

#[tokio::test]
async fn a_fifo_in_the_place_of_a_file_is_refused_and_holds_nobody_up() {
    let temp_dir = tempdir().unwrap();
    clean_log(temp_dir.path()).await;
    let file = log_files(temp_dir.path()).remove(0);
    fs::remove_file(&file).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&file).status();
    assert!(made.unwrap().success());

    let refused = verify(temp_dir.path(), &[]).unwrap_err();
    assert!(
        refused.to_string().contains("not a regular file"),
        "{refused}"
    );
}
