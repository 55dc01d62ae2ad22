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
        (
            format!("\u{feff}{SECRET}\r\n"),
            "this secret has a byte order mark around it, which is left off",
        ),
        (
            format!("\u{feff}{SECRET} \n"),
            "this secret has a byte order mark and a blank around it, which are left off",
        ),
        (
            format!("{SECRET}\u{a0}"),
            "this secret has a blank around it, which is left off",
        ),
        (
            format!("\u{200b}{SECRET}\u{2060}\n"),
            "this secret has invisible characters around it, which are left off",
        ),
    ] {
        let (directory, settings) = in_front_of(ninja.address());
        directory.write("acme.secret", &written);
        let proxy = Proxy::start(directory, settings);
        proxy.has_token().await;

        let answer = get(proxy.callers, "/v2/users", KEY).await;

        assert_eq!(answer.status, 200, "{written:?}");
        assert_eq!(proxy.program.log.with(&[said]).len(), 1, "{written:?}");
        proxy.stop().await;
    }
}

#[test]
fn what_is_not_text_in_utf8_is_named() {
    let utf16 =
        |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let utf32 = |text: &str| -> Vec<u8> {
        let letters = text.chars().map(u32::from);
        letters.flat_map(u32::to_le_bytes).collect()
    };
    for (written, why) in [
        (utf16(&format!("\u{feff}{SECRET}\r\n")), "text in UTF-16"),
        (utf16(SECRET), "text in UTF-16"),
        (utf32(SECRET), "text in UTF-32"),
        ("a-client\nsecret".into(), "a line break within the secret"),
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

#[test]
fn a_key_of_the_store_in_utf16_is_named_without_a_word_of_ninjaone() {
    let (directory, mut settings) = without_ninjaone();
    let key: Vec<u8> = "7f"
        .repeat(32)
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    directory.write("store.key", &key);
    settings.set("store", "seal", "{ file = \"store.key\" }");
    directory.configure(&settings.toml());
    let mut command = Command::new(PROGRAM);
    command
        .args(["config", "check", "--config"])
        .arg(directory.config());
    let refused = command.output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(78), "{said}");
    assert!(
        said.contains("text in UTF-16, and has to be in UTF-8"),
        "{said}"
    );
    assert!(!said.contains("NinjaOne takes"), "{said}");
}
