//! A proxy that no command can reach: what `run`, `status` and `doctor` say of it. And commands in the log of a proxy whose
//! configuration is at no default place.

use std::{path::Path, process::Command};

use crate::{
    directory::Directory,
    key::new_key,
    program::{PROGRAM, Program, Stderr, free_address},
    proxy::Proxy,
    settings::Settings,
    wait::until,
    wire::request,
};

use super::Told;

/// No place for an admin socket, and no configuration but the one that is named.
const BARE: [(&str, &str); 5] = [
    ("RUNTIME_DIRECTORY", ""),
    ("XDG_RUNTIME_DIR", ""),
    ("HOME", "/nonexistent"),
    ("XDG_CONFIG_HOME", ""),
    ("NJP_ADMIN", ""),
];

fn environment() -> Vec<(String, String)> {
    let owned = BARE.iter();
    owned
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// Types a command as it was printed, somewhere else.
fn type_in(command: &str) -> Told {
    let programs = Path::new(PROGRAM).parent().unwrap();
    let path = format!("{}:/usr/bin:/bin", programs.display());
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir("/");
    Told::of(shell.envs(BARE).env("PATH", path))
}

fn start(settings: &mut Settings, directory: Directory) -> Proxy {
    directory.write("acme.secret", "a-client-secret-of-some-length");
    settings.tenant("127.0.0.1:9".parse().unwrap(), "client");
    directory.configure(&settings.toml());
    let program = Program::start_with(&directory.config(), Stderr::Read, &environment());
    Proxy::listening(program, directory, settings)
}

#[tokio::test]
async fn where_no_socket_can_be_run_status_and_doctor_say_so() {
    let (callers, admin) = (free_address(), free_address());
    let mut settings = Settings::usual().with(&[
        ("listen", "http", &format!("[\"{callers}\"]")),
        ("admin", "listen", &format!("\"{admin}\"")),
        ("admin", "anonymous", "false"),
        ("telemetry.log", "level", "\"info\""),
    ]);
    let proxy = start(&mut settings, Directory::new());
    until("the line", async || {
        let said = ["there is no admin socket", "set admin.socket to a path"];
        !proxy.program.log.with(&said).is_empty()
    })
    .await;
    let config = proxy.directory.config().display().to_string();
    let told = type_in(&format!("ninjaone-proxy --config {config} status"));
    assert_eq!(told.code, 1, "{}", told.out);
    assert!(
        told.err
            .contains("hint: no admin socket was found: set admin.socket to a path"),
        "{}",
        told.err
    );
    let told = type_in(&format!(
        "ninjaone-proxy --config {config} doctor --offline"
    ));
    let row = |name: &str| {
        let mut rows = told.out.lines().filter(|it| it.starts_with(name));
        rows.next().unwrap_or_default().to_owned()
    };
    let proxy_row = row("proxy ");
    assert!(
        proxy_row.contains("warning") && proxy_row.contains("one is running, and"),
        "{proxy_row}"
    );
    assert!(
        told.out.contains("proxy: no admin socket was found"),
        "{}",
        told.out
    );
    let held = format!("held by ninjaone-proxy (pid {})", proxy.program.id());
    assert!(row("ports ").contains(&held), "{}", told.out);
    proxy.stop().await;
}

#[tokio::test]
async fn a_command_in_the_log_works_as_typed_although_the_configuration_is_at_no_default_place() {
    let key = new_key("reports");
    let mut settings = Settings::usual().with(&[
        ("admin", "socket", "\"admin.sock\""),
        ("telemetry.log", "level", "\"info\""),
    ]);
    settings.caller("reports", &key, "allow = [\"read\"]");
    let above = Directory::new();
    let proxy = start(&mut settings, Directory::at(above.join("my proxy")));
    let mut wire = proxy.wire().await;
    wire.send(request("POST", "/v2/organizations", &key, ""))
        .await;
    let answer = wire.answer().await.unwrap();
    answer.refuses(403, "policy-denied");
    until("the line", async || {
        !proxy.program.log.with(&["request refused"]).is_empty()
    })
    .await;
    let lines = proxy.program.log.lines();
    let mut said = lines.iter().filter_map(|it| it["message"].as_str());
    let said = said.find(|it| it.starts_with("request refused"));
    let (allow, explain) = said.unwrap().split_once(" Run: ").unwrap();
    let allow = allow.split_once("To allow it: '").unwrap().1;
    let allow = allow.strip_suffix("'.").unwrap();

    let told = type_in(explain);
    assert_eq!(told.code, 5, "{explain}\n{}", told.err);
    assert!(told.out.contains(answer.id()) || told.out.contains("policy-denied"));
    assert!(told.out.contains(&format!(": {allow}")), "{}", told.out);

    let told = type_in(allow);
    assert_eq!(told.code, 0, "{allow}\n{}", told.err);
    let told = type_in(&explain.replace(answer.id(), "reports POST /v2/organizations"));
    assert_eq!(told.code, 0, "{}", told.out);
    proxy.stop().await;
}
