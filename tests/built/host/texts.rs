//! Secrets as editors, consoles and clipboards leave them: what is around one is never sent.

use std::process::Command;

use ninjaone_proxy::{
    sandbox::{Client, Sandbox, SandboxOptions},
    secret::Secret,
};

use crate::{program::PROGRAM, proxy::Proxy, wire::get};

use super::{KEY, in_front_of, without_ninjaone};

const SECRET: &str = "a-client-secret-of-the-tests";

fn sandbox() -> Sandbox {
    let client = Client {
        id: "host-client".to_owned(),
        secret: Secret::new(SECRET.to_owned()),
        ..Client::default()
    };
    Sandbox::start(SandboxOptions {
        clients: vec![client],
        ..SandboxOptions::default()
    })
    .unwrap()
}

#[tokio::test]
async fn what_is_around_a_secret_is_not_sent_and_the_log_says_so() {
    let ninja = sandbox();
    for (written, said) in [
        (format!("\u{feff}{SECRET}\r\n"), "a byte order mark"),
        (format!("{SECRET} \n"), "blanks"),
        (format!("{SECRET}\u{a0}"), "blanks"),
        (
            format!("\u{200b}{SECRET}\u{2060}\n"),
            "invisible characters",
        ),
    ] {
        let (directory, settings) = in_front_of(ninja.address());
        directory.write("acme.secret", &written);
        let proxy = Proxy::start(directory, settings);
        proxy.has_token().await;

        let answer = get(proxy.callers, "/v2/users", KEY).await;

        assert_eq!(answer.status, 200, "{written:?}");
        let words = ["around this secret are", said];
        assert_eq!(proxy.program.log.with(&words).len(), 1, "{written:?}");
        proxy.stop().await;
    }
}

#[test]
fn what_is_not_text_in_utf8_is_named() {
    let utf16 =
        |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    for (written, why) in [
        (utf16(&format!("\u{feff}{SECRET}\r\n")), "text in UTF-16"),
        (utf16(SECRET), "text in UTF-16"),
        ("a-client\u{200b}-secret".into(), "(U+200B)"),
    ] {
        let (directory, settings) = without_ninjaone();
        directory.write("acme.secret", &written);
        directory.configure(&settings.toml());
        let mut command = Command::new(PROGRAM);
        command
            .args(["config", "check", "--config"])
            .arg(directory.config());
        let refused = command.output().unwrap();
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(78), "{said}");
        assert!(said.contains(why), "{said}");
        assert!(!said.contains("a-client"), "{said}");
    }
}
