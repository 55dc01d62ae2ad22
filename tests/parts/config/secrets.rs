//! Where secrets come from, and that none is ever printed.

use std::time::Duration;

use ninjaone_proxy::config::{self, value::secret_ref::from_command};

use super::{House, known};

fn with_secret(reference: &str) -> House {
    House::new(&format!(
        "[tenant.acme]\nregion = \"eu\"\n[tenant.acme.service]\nclient_id = \"Xk3v\"\nclient_secret = {reference}\n"
    ))
}

fn secret_of(house: &House) -> String {
    let config = house.accepted();
    config.tenants[0]
        .service
        .as_ref()
        .unwrap()
        .client_secret
        .expose()
        .clone()
}

fn refusal(house: &House) -> String {
    let problems = house.refused();
    assert_eq!(problems.as_slice().len(), 1, "{problems}");
    problems.to_string()
}

#[test]
fn a_secret_comes_from_a_file_without_its_line_end() {
    assert_eq!(
        secret_of(&with_secret("{ file = \"acme.secret\" }")),
        "a secret for tests"
    );
}

#[test]
fn a_secret_comes_from_a_variable() {
    let house = with_secret("{ env = \"ACME\" }").set("ACME", "from a variable");
    assert_eq!(secret_of(&house), "from a variable");
}

#[test]
fn a_secret_comes_from_a_credential_even_if_the_platform_lets_others_read_it() {
    let house = with_secret("{ credential = \"acme\" }");
    house.write_mode("credentials/acme", "from a credential", 0o444);
    let directory = house.path("credentials").display().to_string();
    assert_eq!(
        secret_of(&house.set("CREDENTIALS_DIRECTORY", &directory)),
        "from a credential"
    );
}

#[test]
fn who_sends_nothing_needs_no_secret_but_a_well_formed_one() {
    for absent in [
        "{ credential = \"acme\" }",
        "{ env = \"ACME\" }",
        "{ exec = [\"/no/such/program\"] }",
    ] {
        let house = with_secret(absent);
        assert!(
            config::load(&house.sources(), &known()).is_err(),
            "{absent}"
        );
        let (config, warnings) = config::inspect(&house.sources(), &known()).unwrap();
        assert!(warnings.is_empty() && config.tenants[0].service.is_some());
    }
    for wrong in ["{ credential = \"../acme\" }", "{ exec = [] }", "{}"] {
        let house = with_secret(wrong);
        assert!(
            config::inspect(&house.sources(), &known()).is_err(),
            "{wrong}"
        );
    }
}

#[test]
fn a_secret_comes_from_a_command() {
    assert_eq!(
        secret_of(&with_secret(
            "{ exec = [\"printf\", \"from %s\\n\", \"afar\"] }"
        )),
        "from afar"
    );
}

#[test]
fn a_secret_file_that_others_may_read_is_refused() {
    for mode in [0o640, 0o604, 0o660, 0o644] {
        let house = with_secret("{ file = \"acme.secret\" }");
        house.write_mode("acme.secret", "a secret for tests", mode);
        let text = refusal(&house);
        assert!(
            text.contains(&format!("by others (mode {mode:04o})")),
            "{text}"
        );
        assert!(text.contains("chmod 600 "), "{text}");
        assert!(text.contains("config.toml:5:17"), "{text}");
    }
}

#[test]
fn what_cannot_be_a_secret_is_refused() {
    let long = vec![b'x'; 64 * 1024 + 1];
    let cases: [(&[u8], &str); 9] = [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"\xff\xfe\xfd", "is not UTF-8"),
        (b"\xff\xfea\0b\0", "is text in UTF-16"),
        ("a\u{200b}b".as_bytes(), "nobody sees (U+200B)"),
        (b"\xff\xfe\0\0a\0\0\0b\0\0\0", "is text in UTF-32"),
        (b"two\nlines", "a line break within the secret"),
        (b"a\x07b", "holds a control character"),
        (&long, "is longer than 65536 bytes"),
    ];
    for (content, why) in cases {
        let house = with_secret("{ file = \"acme.secret\" }");
        house.write_mode("acme.secret", content, 0o600);
        let text = refusal(&house);
        assert!(text.contains(why), "{text}");
    }
}

#[test]
fn a_place_that_holds_no_secret_is_refused() {
    let cases = [
        ("{ file = \"nowhere\" }", "nowhere does not exist"),
        ("{ file = \".\" }", "is not a file"),
        (
            "{ env = \"NOWHERE\" }",
            "the environment variable NOWHERE is not set",
        ),
        (
            "{ credential = \"nowhere\" }",
            "there is no credential nowhere",
        ),
        ("{ credential = \"../x\" }", "without a slash"),
        ("{ exec = [] }", "the command is empty"),
        ("{ exec = [\"/nonexistent/program\"] }", "cannot be started"),
        ("{ exec = [\"false\"] }", "failed (exit status: 1)"),
        (
            "{ exec = [\"head\", \"-c\", \"70000\", \"/dev/zero\"] }",
            "is longer than",
        ),
        ("{}", "it is not said where the secret is kept"),
        (
            "{ file = \"acme.secret\", env = \"X\" }",
            "a secret is kept in one place",
        ),
    ];
    for (reference, why) in cases {
        let text = refusal(&with_secret(reference));
        assert!(text.contains(why), "{reference}: {text}");
    }
}

#[test]
fn a_fifo_does_not_hold_us_up() {
    let house = with_secret("{ file = \"fifo\" }");
    let made = std::process::Command::new("mkfifo")
        .arg("-m600")
        .arg(house.path("fifo"))
        .status();
    assert!(made.unwrap().success());
    assert!(refusal(&house).contains("is not a file"));
}

#[test]
fn a_secret_in_the_configuration_is_refused_and_not_shown() {
    for written in [
        "\"the actual secret\"",
        "'the actual secret'",
        "[\"the actual secret\"]",
        "\"\"\"\nthe actual secret\"\"\"",
    ] {
        let text = refusal(&with_secret(written));
        assert!(!text.contains("actual"), "{text}");
        for form in ["file =", "env =", "credential =", "exec ="] {
            assert!(text.contains(form), "{text}");
        }
    }
}

#[test]
fn a_secret_is_not_shown_because_of_something_else_that_is_wrong_in_its_line() {
    let cases = [
        "service = { client_id = \"Xk3v\", client_secret = \"actual\", colour = \"red\" }",
        "service = { client_id = \"Xk3v\", client_secrt = \"actual\" }",
        "service = { client_id = \"Xk3v\", client_secret = \"actual }",
        "user = { client_secret = \"actual\" }",
        "url = \"https://me:actual@acme.rmmservice.com\"",
        "service = { client_id = 5, client_secret = { password = \"actual\" } }",
    ];
    for line in cases {
        let problems = House::new(&format!("[tenant.acme]\n{line}\n")).refused();
        assert!(!problems.to_string().contains("actual"), "{problems}");
    }
}

#[test]
fn a_key_in_the_configuration_is_refused_and_not_shown() {
    let key = "njp_x_0123456789012345678901234567890123456789012";
    for written in [
        format!("\"{key}\""),
        format!("[\"sha256:{}\", \"{key}\"]", "a".repeat(64)),
        format!("\"sha256:{key}\""),
    ] {
        let problems = House::with_tenant(&format!("[caller.x]\nkey = {written}\n")).refused();
        assert!(!problems.to_string().contains("0123456789"), "{problems}");
    }
}

#[test]
fn a_command_that_takes_too_long_is_ended_with_all_that_it_started() {
    // The second closes its output and goes on, the third leaves its output to a child.
    for script in ["sleep 600", "exec >&-; sleep 600", "sleep 600 & exit 0"] {
        let command = ["sh", "-c", script].map(String::from);
        let Err(error) = from_command(&command, Duration::from_millis(100)) else {
            panic!("{script}");
        };
        let text = error.to_string();
        assert_eq!(text, "the command sh did not end within 100ms", "{script}");
    }
}
