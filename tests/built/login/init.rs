//! `init` writes a first configuration once, and only if NinjaOne accepts the credentials.

use std::{
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

use ninjaone_proxy::sandbox::faults::Faults;

use crate::{directory::write_private, program::PROGRAM};

use super::world::{NATIVE, World};

const SECRET: &str = "sandbox-secret-not-a-real-one";

fn init(home: &Path, arguments: &[&str], typed: &str) -> Output {
    let mut child = Command::new(PROGRAM)
        .env_clear()
        .env("HOME", home)
        .arg("--config")
        .arg(home.join("new/config.toml"))
        .arg("init")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have ended without reading.
    let _ = child.stdin.take().unwrap().write_all(typed.as_bytes());
    child.wait_with_output().unwrap()
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn three_answers_make_a_configuration_that_is_right() {
    let world = World::new(NATIVE);
    let home = world.directory.path();
    let typed = format!(
        "http://{}\nsandbox-client\n{SECRET}\n",
        world.ninja.address()
    );
    let output = init(home, &[], &typed);
    let talk = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{talk}");
    assert!(talk.contains("caller add") && !talk.contains(SECRET));
    let (config, secret) = (home.join("new/config.toml"), home.join("new/main.secret"));
    assert_eq!(mode(&secret), 0o600);
    let written = std::fs::read_to_string(&config).unwrap();
    assert!(
        !written.contains(SECRET) && written.lines().count() <= 6,
        "{written}"
    );
    let check = Command::new(PROGRAM)
        .arg("--config")
        .arg(&config)
        .args(["config", "check"])
        .output()
        .unwrap();
    assert_eq!(check.status.code(), Some(0));

    let again = init(home, &[], &typed);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(&config).unwrap(), written);
}

#[test]
fn what_is_wrong_with_the_credentials_is_named_and_nothing_is_written() {
    let world = World::new(NATIVE);
    let home = world.directory.path();
    write_private(&home.join("right"), SECRET.as_bytes());
    write_private(&home.join("wrong"), b"not-the-secret-of-the-sandbox");
    let url = format!("http://{}", world.ninja.address());
    for (url, id, secret, code, word) in [
        (&*url, "sandbox-client", "wrong", 78, "secret"),
        (&*url, "nobody", "right", 78, "region"),
        (
            "http://127.0.0.1:9",
            "sandbox-client",
            "right",
            75,
            "reached",
        ),
        (
            "http://ninja.example",
            "sandbox-client",
            "right",
            2,
            "http://",
        ),
    ] {
        let secret = home.join(secret);
        let secret = secret.to_str().unwrap();
        let arguments = [
            "--url",
            url,
            "--client-id",
            id,
            "--client-secret-file",
            secret,
            "--no-input",
        ];
        let output = init(home, &arguments, "");
        let talk = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{talk}");
        assert!(talk.contains(word), "{talk}");
        assert!(!home.join("new/config.toml").exists());
    }
}

/// A fault of the token endpoint, what is typed, what is said, what is asked for then, and the exit code if nobody answers.
const REFUSALS: [(&str, &str, &str, &str, i32); 9] = [
    (
        "",
        "PLACE nobody SECRET",
        "does not know this client ID",
        "Press Enter for http",
        78,
    ),
    (
        "",
        "PLACE nobody SECRET KEEP",
        "does not know this client ID",
        "Press Enter for nobody",
        78,
    ),
    (
        "",
        "PLACE sandbox-client wrong",
        "refuses the client secret",
        "the same secret",
        78,
    ),
    // Nothing listens there.
    (
        "",
        "127.0.0.1:9 sandbox-client SECRET",
        "could not be reached",
        "Press Enter for http",
        75,
    ),
    (
        "html",
        "PLACE sandbox-client SECRET",
        "does not answer as NinjaOne does",
        "Press Enter for http",
        78,
    ),
    (
        "invalid_grant",
        "PLACE sandbox-client SECRET",
        "refuses the grant",
        "Press Enter to try again",
        78,
    ),
    (
        "429",
        "PLACE sandbox-client SECRET",
        "throttles",
        "Press Enter to try again",
        75,
    ),
    (
        "503",
        "PLACE sandbox-client SECRET",
        "status 503",
        "Press Enter to try again",
        75,
    ),
    (
        "expires_in:absent",
        "PLACE sandbox-client SECRET",
        "is of no use",
        "Press Enter to try again",
        1,
    ),
];

#[test]
fn each_refusal_asks_for_the_part_that_was_refused() {
    let world = World::new(NATIVE);
    let place = world.ninja.address().to_string();
    for (fault, typed, said, asked, code) in REFUSALS {
        let typed = typed.replace("PLACE", &place).replace("SECRET", SECRET);
        let typed = typed.replace("KEEP", "").replace(' ', "\n") + "\n";
        let token = (!fault.is_empty()).then(|| fault.parse().unwrap());
        world.ninja.faults().set(Faults {
            token,
            ..Faults::default()
        });
        let home = tempfile::tempdir().unwrap();
        let output = init(home.path(), &[], &typed);
        let talk = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{talk}");
        let refused = talk.find(said).unwrap_or_else(|| panic!("{said}:\n{talk}"));
        assert!(talk[refused..].contains(asked), "{asked}:\n{talk}");
        assert!(talk.contains("Nothing was written."), "{talk}");
        assert!(!home.path().join("new").exists() && !talk.contains(SECRET));
    }
}

#[test]
fn wrong_answers_are_explained_and_have_a_bound() {
    let world = World::new(NATIVE);
    let home = world.directory.path();
    let place = world.ninja.address();
    let typed = format!(
        "\nmars\nhttp://acme.example\n{place}/v2/devices\ntwo words\n\nsandbox-client\nsandbox-client\n{SECRET}\n"
    );
    let output = init(home, &[], &typed);
    let talk = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{talk}");
    for said in [
        "An answer is needed",
        "There is no region \"mars\".",
        "write https://acme.example",
        "the rest of the address is not needed",
        "without blanks",
        "A client ID is needed",
        "This is the client ID again",
    ] {
        assert!(talk.contains(said), "{said}:\n{talk}");
    }

    let other = tempfile::tempdir().unwrap();
    let output = init(other.path(), &[], &"mars\n".repeat(100));
    let talk = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{talk}");
    assert!(
        talk.contains("none of 10 answers could be used; give --region or --url"),
        "{talk}"
    );
}

#[test]
fn regions_and_hosts_may_be_written_as_people_write_them() {
    for (written, line) in [
        ("EU", "region  = \"eu\""),
        ("Us2", "region  = \"us2\""),
        ("https://oc.ninjarmm.com/#/x", "region  = \"oc\""),
        (
            "acme.rmmservice.com",
            "url     = \"https://acme.rmmservice.com\"",
        ),
    ] {
        let home = tempfile::tempdir().unwrap();
        let typed = format!("{written}\nan-id\n{SECRET}\n");
        let output = init(home.path(), &["--untried"], &typed);
        assert_eq!(output.status.code(), Some(0));
        let config = std::fs::read_to_string(home.path().join("new/config.toml")).unwrap();
        assert!(config.contains(line), "{config}");
    }
}

#[test]
fn every_flag_that_is_missing_is_named() {
    let home = tempfile::tempdir().unwrap();
    for (arguments, missing) in [
        (
            &["--no-input"][..],
            "--region or --url, --client-id, --client-secret-file",
        ),
        (
            &["--no-input", "--region", "eu", "--client-id", "x"],
            "needed: --client-secret-file",
        ),
    ] {
        let output = init(home.path(), arguments, "");
        let talk = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{talk}");
        assert!(talk.trim_end().ends_with(missing), "{talk}");
    }
}

#[test]
fn what_is_in_the_way_is_said_before_anything_is_asked() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("new")).unwrap();
    write_private(&home.path().join("new/main.secret"), b"of somebody");
    let output = init(home.path(), &[], "");
    let talk = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{talk}");
    assert!(
        talk.contains("main.secret exists already") && talk.contains("--tenant NAME"),
        "{talk}"
    );
    assert!(!talk.contains("Where is"), "{talk}");
}

#[test]
fn without_questions_every_answer_is_a_flag() {
    let world = World::new(NATIVE);
    let home = world.directory.path();
    write_private(&home.join("right"), SECRET.as_bytes());
    let url = format!("http://{}", world.ninja.address());
    let secret = home.join("right");
    let arguments = [
        "--url",
        &url,
        "--client-id",
        "sandbox-client",
        "--client-secret-file",
        secret.to_str().unwrap(),
        "--user-client-id",
        "sandbox-native",
        "--no-input",
        "--json",
    ];
    let output = init(home, &arguments, "");
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&told["schema"], &told["tried"]),
        (&"init/1".into(), &true.into())
    );
    assert_eq!(mode(&home.join("new/store.key")), 0o600);
    assert_eq!(init(home, &["--no-input"], "").status.code(), Some(1));
}
