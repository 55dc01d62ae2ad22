//! `sandbox` as a newcomer meets it: what it says first works when pasted, and each request shows up in its window.

use std::{
    net::TcpListener,
    process::{Command, Output},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    program::PROGRAM,
    sandbox_window::{ANYWHERE, LAST_OF_GREETING, Window},
};

fn ends(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = Command::new(PROGRAM)
        .arg("sandbox")
        .args(arguments)
        .output()
        .unwrap();
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

#[test]
fn it_is_ready_within_a_second_its_lines_work_and_each_request_shows_up() {
    let began = Instant::now();
    let mut window = Window::open(&ANYWHERE);
    window.until(LAST_OF_GREETING);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    let greeting = window.told.clone();
    assert!(greeting.lines().count() <= 12, "{greeting}");

    // Pasted as it is, but for what curl prints.
    let script: Vec<_> = greeting
        .lines()
        // The whole greeting, up to the first line of what happens.
        .take_while(|it| !it.starts_with(|first: char| first.is_ascii_digit()))
        .map(|it| match it.strip_prefix("curl ") {
            Some(rest) => format!("curl -s -o /dev/null -w '%{{http_code}} ' {rest}"),
            None => it.to_owned(),
        })
        .collect();
    let pasted = Command::new("sh").args(["-c", &script.join("\n")]).output();
    let answers = String::from_utf8_lossy(&pasted.unwrap().stdout).into_owned();
    let whole = answers.strip_prefix("200 403 204 204 The audit log is whole: ");
    assert!(whole.is_some(), "{answers} {greeting}");

    for (operation, words) in [
        ("getOrganizations", "reporting"),
        ("nodeApprovalOperation", "policy-denied   403"),
        ("rebootDevices", "operator"),
        ("runScriptOnDevice", "helpdesk"),
    ] {
        let line = window.until(operation);
        assert!(line.contains(words), "{line}");
        assert!(line.contains(" ms"), "{line}");
        if operation == "nodeApprovalOperation" {
            let why = window.until("may not call");
            assert!(why.contains("caller.reporting does not allow it"), "{why}");
        }
    }
    assert!(window.told.contains("minted"), "{}", window.told);
    assert!(!window.told.contains('\u{1b}'), "no colours in a pipe");
    let rest = window.close();
    assert!(
        rest.contains("Stopped. 4 requests: 3 served, 1 refused, 0 failed."),
        "{rest}"
    );
}

/// Programs that read only its first line leave a full pipe.
#[test]
fn a_window_that_nobody_reads_does_not_keep_it_from_ending() {
    const ENOUGH_TO_FILL_A_PIPE: u32 = 400;
    let mut window = Window::open(&[&["--json"], &ANYWHERE[..]].concat());
    let first: Value = serde_json::from_str(&window.until("sandbox/1")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let url = format!(
        "{}/v2/groups?n=[1-{ENOUGH_TO_FILL_A_PIPE}]",
        text(&first["callers"])
    );
    let key = format!("X-Api-Key: {}", text(&first["keys"]["reporting"]));
    let asked = Command::new("curl")
        .args(["-s", "-o", "/dev/null", "-H", &key, &url])
        .status();
    assert!(asked.unwrap().success());

    let began = Instant::now();
    assert!(window.end_unread());
    let took = began.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn for_programs_the_first_line_is_an_object_with_addresses_and_keys_and_each_other_an_event() {
    let mut window = Window::open(&[&["--json"], &ANYWHERE[..]].concat());
    let first: Value = serde_json::from_str(&window.until("sandbox/1")).unwrap();
    assert_eq!(first["schema"], "sandbox/1");
    let (url, key) = (&first["callers"], &first["keys"]["reporting"]);
    let (url, key) = (url.as_str().unwrap(), key.as_str().unwrap());

    let asked = Command::new("curl")
        .args(["-s", "-X", "POST", "-H", &format!("X-Api-Key: {key}")])
        .arg(format!("{url}/v2/organizations"))
        .output();
    let body: Value = serde_json::from_slice(&asked.unwrap().stdout).unwrap();

    let line: Value = serde_json::from_str(&window.until("\"request\"")).unwrap();
    assert_eq!(line["caller"], "reporting");
    assert_eq!(line["decision"], "policy-denied");
    assert_eq!(line["status"], 403);
    assert_eq!(line["detail"], body["detail"]);
    assert!(
        window
            .told
            .lines()
            .all(|it| serde_json::from_str::<Value>(it).is_ok())
    );
    let end: Value = serde_json::from_str(window.close().lines().last().unwrap()).unwrap();
    assert_eq!((&end["type"], &end["refused"]), (&"end".into(), &1.into()));
}

#[test]
fn the_simulator_alone_tells_programs_its_address_and_its_applications() {
    let arguments = ["--only-ninjaone", "--json", "--listen", "127.0.0.1:0"];
    let mut window = Window::open(&arguments);
    let first: Value = serde_json::from_str(&window.until("simulator/1")).unwrap();
    let url = format!("{}/ws/oauth/token", first["ninjaone"].as_str().unwrap());
    let application = &first["applications"][0];
    let field = |name: &str| format!("{name}={}", application[name].as_str().unwrap());

    let asked = Command::new("curl")
        .args(["-s", &url, "-d", "grant_type=client_credentials"])
        .args(["-d", &field("client_id"), "-d", &field("client_secret")])
        .output();

    let token: Value = serde_json::from_slice(&asked.unwrap().stdout).unwrap();
    assert!(token["access_token"].is_string(), "{token}");
    window.close();
}

#[test]
fn in_a_powershell_the_lines_are_for_it() {
    let modules = "/opt/powershell/Modules".as_ref();
    let mut window = Window::open_with("PSModulePath", modules, &ANYWHERE);
    window.until("$env:NJP_ADMIN = '");
    window.until(LAST_OF_GREETING);
    assert!(
        window
            .told
            .contains("irm \"$URL/v2/organizations\" -Headers $REPORTING")
    );
    window.close();
}

#[test]
fn colours_are_there_when_asked_for() {
    let mut window = Window::open(&[&["--color", "always"], &ANYWHERE[..]].concat());
    let line = window.until("minted");
    assert!(line.contains("\u{1b}[32mminted\u{1b}[0m"), "{line}");
    window.close();
}

#[test]
fn the_simulator_speaks_https_with_a_certificate_that_goes_with_it() {
    let arguments = [
        "--only-ninjaone",
        "--tls",
        "--json",
        "--listen",
        "127.0.0.1:0",
    ];
    let mut window = Window::open(&arguments);
    let first: Value = serde_json::from_str(&window.until("simulator/1")).unwrap();
    let url = first["ninjaone"].as_str().unwrap();
    let certificate = first["certificate"].as_str().unwrap();
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    let clock = format!("{url}/sandbox/clock").replace("127.0.0.1", "localhost");
    let asked = Command::new("curl")
        .args(["-s", "--cacert", certificate, &clock])
        .output();
    let told: Value = serde_json::from_slice(&asked.unwrap().stdout).unwrap();
    assert!(told["now"].is_u64(), "{told}");

    let asked = Command::new("curl").args(["-s", &clock]).output();
    assert!(!asked.unwrap().status.success(), "nobody else trusts it");
    window.close();
    assert!(!std::path::Path::new(certificate).exists());
}

#[test]
fn other_addresses_than_loopback_need_expose_which_makes_new_keys_and_opens_one_port() {
    for (arguments, words) in [
        (&["--listen", "0.0.0.0:0"][..], "--expose makes new keys"),
        (
            &["--admin", "0.0.0.0:0", "--expose"],
            "--expose opens the callers' port only",
        ),
        (
            &["--ninjaone", "[::]:0", "--expose"],
            "--expose opens the callers' port only",
        ),
        (
            &["--only-ninjaone", "--listen", "0.0.0.0:0"],
            "credentials are public",
        ),
    ] {
        let (code, told) = ends(arguments);
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains(words), "{told}");
    }

    let keys = || {
        let exposed = ["--listen", "0.0.0.0:0", "--expose", "--json"];
        let mut window = Window::open(&[&ANYWHERE[2..], &exposed].concat());
        let first: Value = serde_json::from_str(&window.until("sandbox/1")).unwrap();
        window.close();
        first["keys"].clone()
    };
    let (one, other) = (keys(), keys());
    assert_ne!(one["operator"], other["operator"]);
}

#[test]
fn a_port_that_is_taken_says_by_whom_and_which_flag_chooses_another() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for flag in ["--listen", "--admin", "--ninjaone"] {
        let mut arguments = ANYWHERE;
        let at = arguments.iter().position(|it| *it == flag).unwrap();
        arguments[at + 1] = &address;

        let (code, told) = ends(&arguments);

        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains(&format!("{address} is in use by ")), "{told}");
        assert!(
            told.contains(&format!("(pid {})", std::process::id())),
            "{told}"
        );
        assert!(told.contains(&format!("{flag} chooses another")), "{told}");
    }
}
