//! The store: its location, its key, and who may do what on the admin listener.

use std::path::Path;

use ninjaone_proxy::{
    admin::access::AdminRole,
    config::{AdminIdentity, Seal, StoreConfig},
};

use super::{House, digest};

/// 32 bytes that are no text, and which forms stand for them.
const KEY: [u8; 32] = [
    0xff, 0xfe, 0x3e, 0x3f, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
    20, 21, 22, 23, 24, 25, 26, 10,
];
const HEX: &str = "fffe3e3f000102030405060708090a0b0c0d0e0f101112131415161718191a0a";
const BASE64: &str = "//4+PwABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGgo=";
const BASE64URL: &str = "__4-PwABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGgo";

fn with_seal(seal: &str) -> House {
    House::new(&format!("{}[store]\nseal = {seal}\n", super::TENANT))
}

fn store(house: &House) -> StoreConfig {
    house.accepted().store.unwrap()
}

fn is_key(seal: &Seal) -> bool {
    matches!(seal, Seal::Key(key) if *key.expose() == KEY)
}

fn refusal(house: &House) -> String {
    let problems = house.refused();
    assert_eq!(problems.as_slice().len(), 1, "{problems}");
    problems.to_string()
}

#[test]
fn without_a_seal_there_is_no_store() {
    assert!(House::with_tenant("").accepted().store.is_none());
    let house = House::with_tenant("[store]\npath = \"state\"\n");
    assert!(house.accepted().store.is_none());
    assert_eq!(
        house.warnings(),
        ["nothing is stored there without a `seal`"]
    );
}

#[test]
fn a_key_is_read_as_it_is_or_in_hex_or_in_base64() {
    let line = |text: &str| format!("{text}\n").into_bytes();
    for content in [
        KEY.to_vec(),
        HEX.as_bytes().to_vec(),
        line(HEX),
        line(&HEX.to_uppercase()),
        line(BASE64),
        line(BASE64.trim_end_matches('=')),
        line(BASE64URL),
        line(&format!("{BASE64URL}=")),
    ] {
        let house = with_seal("{ file = \"store.key\" }");
        house.write_mode("store.key", &content, 0o600);
        assert!(is_key(&store(&house).seals[0]), "{content:?}");

        let house = with_seal("{ credential = \"store\" }");
        house.write_mode("credentials/store", &content, 0o444);
        let directory = house.path("credentials").display().to_string();
        let house = house.set("CREDENTIALS_DIRECTORY", &directory);
        assert!(is_key(&store(&house).seals[0]), "{content:?}");
    }
}

#[test]
fn a_key_comes_from_a_variable_or_a_command() {
    let house = with_seal("{ env = \"KEY\" }").set("KEY", HEX);
    assert!(is_key(&store(&house).seals[0]));
    let house = with_seal(&format!("{{ exec = [\"echo\", \"{BASE64}\"] }}"));
    assert!(is_key(&store(&house).seals[0]));
}

#[test]
fn what_is_no_key_is_refused_and_not_shown() {
    let cases: [(&[u8], &str); 9] = [
        (b"", "is empty"),
        (&KEY[..31], "is not a key of 32 bytes"),
        (&[&KEY[..], b"\n"].concat(), "is not a key of 32 bytes"),
        (
            b"correct horse battery staple abc",
            "is not a key of 32 bytes",
        ),
        (
            b"0123456789abcdef0123456789abcdef",
            "is not a key of 32 bytes",
        ),
        (&HEX.as_bytes()[..63], "is not a key of 32 bytes"),
        (&BASE64.as_bytes()[..42], "is not a key of 32 bytes"),
        (&[0; 32], "is not random"),
        (&[b'0'; 64], "is not random"),
    ];
    for (content, why) in cases {
        let house = with_seal("{ file = \"store.key\" }");
        house.write_mode("store.key", content, 0o600);
        let text = refusal(&house);
        assert!(text.contains(why), "{content:?}: {text}");
        assert!(!text.contains("horse") && !text.contains("cdef"), "{text}");
    }
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let house = with_seal("{ file = \"store.key\" }");
    house.write_mode("store.key", KEY, 0o640);
    let text = refusal(&house);
    assert!(text.contains("by others (mode 0640)"), "{text}");
}

#[test]
fn a_passphrase_has_twelve_characters() {
    for (passphrase, good) in [
        ("twelve chars\n", true),
        ("zwölf Zeichen", true),
        ("eleven char\n", false),
    ] {
        let house = with_seal("{ passphrase_file = \"phrase\" }");
        house.write_mode("phrase", passphrase, 0o600);
        if good {
            let store = store(&house);
            let Seal::Passphrase(read) = &store.seals[0] else {
                panic!("{passphrase}");
            };
            assert_eq!(read.expose(), passphrase.trim_end());
        } else {
            assert!(refusal(&house).contains("at least 12 characters"));
        }
    }
    let house = with_seal("{ passphrase_file = \"phrase\" }");
    house.write_mode("phrase", "twelve chars\n", 0o604);
    assert!(refusal(&house).contains("by others (mode 0604)"));
}

#[test]
fn the_first_of_several_seals_is_the_one_in_use() {
    let house = with_seal("[{ file = \"store.key\" }, { passphrase_file = \"acme.secret\" }]");
    house.write_mode("store.key", KEY, 0o600);
    let store = store(&house);
    assert_eq!(store.seals.len(), 2);
    assert!(is_key(&store.seals[0]) && matches!(store.seals[1], Seal::Passphrase(_)));
    assert!(refusal(&with_seal("[]")).contains("a store needs a seal"));
}

#[test]
fn a_key_in_the_configuration_is_refused_and_not_shown() {
    for written in [
        format!("\"{HEX}\""),
        format!("[\"{HEX}\"]"),
        format!("{{ key = \"{HEX}\" }}"),
        format!("{{ hex = \"{HEX}\""),
    ] {
        let problems = with_seal(&written).refused();
        assert!(!problems.to_string().contains("fffe3e3f"), "{problems}");
    }
    let house = House::with_tenant("").set("NJP__STORE__SEAL", HEX);
    assert!(!house.refused().to_string().contains("fffe3e3f"));
}

#[test]
fn a_person_needs_a_store_with_a_seal() {
    let house = House::new("[tenant.acme]\nregion = \"eu\"\nuser = { client_id = \"b7Rn1\" }\n");
    let text = refusal(&house);
    assert!(text.contains("config.toml:3:1"), "{text}");
    assert!(text.contains("`store.seal` is missing"), "{text}");
    assert!(
        text.contains(&format!(
            "head -c 32 /dev/urandom > {0} && chmod 600 {0}",
            house.path("store.key").display()
        )),
        "{text}"
    );
    assert!(text.contains("seal = { file = \"store.key\" }"), "{text}");
}

#[test]
fn the_store_is_where_systemd_or_the_operator_says() {
    let seal = "{ passphrase_file = \"acme.secret\" }";
    let path = |house: &House| store(house).path;
    assert_eq!(path(&with_seal(seal)), Path::new("/var/lib/ninjaone-proxy"));
    let house = with_seal(seal).set("STATE_DIRECTORY", "/var/lib/njp:/var/lib/other");
    assert_eq!(path(&house), Path::new("/var/lib/njp"));
    let house = house.set("NJP__STORE__PATH", "state");
    assert_eq!(path(&house), house.path("state"));
}

/// systemd's own layout with `DynamicUser=`.
#[test]
fn the_store_is_behind_the_link_that_root_made_and_no_other() {
    let house = with_seal("{ passphrase_file = \"acme.secret\" }");
    let (real, link) = (house.path("private"), house.path("link"));
    std::fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let house = house.set("STATE_DIRECTORY", link.to_str().unwrap());
    let is_root = rustix::process::geteuid().is_root();
    let expected = if is_root { &real } else { &link };
    assert_eq!(&store(&house).path, expected);
    if is_root {
        std::os::unix::fs::lchown(&link, Some(65532), Some(65532)).unwrap();
        assert_eq!(store(&house).path, link);
    }
}

#[test]
fn people_on_the_admin_listener_have_a_role() {
    let house = House::with_tenant(&format!(
        "[admin]\naccess = [{{ key = \"{}\", role = \"operator\" }}, {{ key = \"{}\", role = \"auditor\" }}]\n",
        digest('a'),
        digest('b')
    ));
    let access = house.accepted().admin.access;
    let read: Vec<_> = access.iter().map(|it| (it.who.clone(), it.role)).collect();
    assert_eq!(
        read,
        [
            (AdminIdentity::Key([0xaa; 32]), AdminRole::Operator),
            (AdminIdentity::Key([0xbb; 32]), AdminRole::Auditor)
        ]
    );
}

#[test]
fn a_caller_does_not_have_the_key_of_an_operator() {
    let key = digest('a');
    let house = House::with_tenant(&format!(
        "[admin]\naccess = [{{ key = \"{key}\", role = \"operator\" }}]\n\
         [caller.x]\nkey = \"{key}\"\nallow = [\"read\"]\n"
    ));
    assert!(refusal(&house).contains("`admin.access[0].key` has the same key"));
}

#[test]
fn a_key_that_is_not_there_is_made_not_typed() {
    let house = House::with_tenant("[store]\nseal = { file = \"away.key\" }\n");
    let text = refusal(&house);
    let file = house.path("away.key");
    let command = format!(
        "head -c 32 /dev/urandom > {0} && chmod 600 {0}",
        file.display()
    );
    assert!(text.contains(&command), "{text}");
    assert!(!text.contains("paste it"), "{text}");
}
