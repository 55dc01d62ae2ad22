//! `init` writes a first configuration once, and only if NinjaOne accepts the credentials.

use std::{
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

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
