//! The loopback of IPv6: clients resolve `localhost` to it first, and some try nothing else. In a network of its own, because
//! the ports are those that people have.

use std::{
    io::Write as _,
    process::{Command, Output},
};

use crate::{
    directory::Directory,
    program::{PROGRAM, Program},
    wait::until,
};

use super::{KEY, without_ninjaone};

/// Gets a URL within the network: prints the status.
const GET: &str = "import sys, urllib.request, urllib.error
try: print(urllib.request.urlopen(urllib.request.Request(sys.argv[1], headers={'X-Api-Key': sys.argv[2]}), timeout=10).status)
except urllib.error.HTTPError as answer: print(answer.code)";

/// Takes a port and keeps it for as long as the program runs.
const TAKE: &str = "import os, socket, sys, time
taken = socket.socket(socket.AF_INET6); taken.bind(('::1', int(sys.argv[1]))); taken.listen(); print('taken', flush=True)
program = os.getppid()
while os.getppid() == program: time.sleep(0.1)";

/// The shell that makes the network and becomes the program.
const IN_A_NETWORK: &str = "ip link set lo up || exit 1
[ \"$IPV6\" = on ] || echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6 || exit 1
if [ -n \"$TAKEN\" ]; then python3 -c \"$TAKE\" \"$TAKEN\" >taken 2>/dev/null & until [ -s taken ]; do sleep 0.05; done; fi
exec \"$0\" \"$@\"";

fn can_make_networks() -> bool {
    let made = Command::new("unshare")
        .args(["-n", "ip", "link", "set", "lo", "up"])
        .output();
    let can = made.is_ok_and(|it| it.status.success());
    if !can {
        let _ = writeln!(
            std::io::stderr(),
            "NOT TESTED: the loopback of IPv6, because no network can be made here"
        );
    }
    can
}

fn in_a_network(directory: &Directory, ipv6: bool, taken: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["-n", "sh", "-c", IN_A_NETWORK, PROGRAM]);
    command.env("IPV6", if ipv6 { "on" } else { "off" });
    command.env("TAKEN", taken).env("TAKE", TAKE);
    command.current_dir(directory.path());
    command
}

/// What runs in the network of the process.
fn there(program: &Program, command: &[&str]) -> Output {
    let id = program.id().to_string();
    let mut run = Command::new("nsenter");
    run.args(["-n", "-t", &id, "--"]).args(command);
    run.output().unwrap()
}

fn get(program: &Program, url: &str) -> String {
    let done = there(program, &["python3", "-c", GET, url, KEY]);
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// With the listeners that people have who choose none.
fn by_default() -> Directory {
    let (directory, mut settings) = without_ninjaone();
    settings.set("listen", "http", "");
    settings.set("admin", "listen", "");
    directory.configure(&settings.toml());
    directory
}

/// No wait for [`Program::listens`]: it takes the first address.
async fn ready(program: &Program) {
    until("the listeners", async || program.log.count("ready") > 0).await;
}

#[tokio::test]
async fn callers_and_operators_are_answered_on_both_loopbacks_by_default() {
    if !can_make_networks() {
        return;
    }
    let directory = by_default();
    let program = Program::start_by(in_a_network(&directory, true, ""), &directory.config());
    ready(&program).await;

    for host in ["127.0.0.1", "[::1]", "localhost"] {
        // There is no NinjaOne, so there is no token.
        assert_eq!(
            get(&program, &format!("http://{host}:6465/v2/users")),
            "503",
            "{host}"
        );
        assert_eq!(
            get(&program, &format!("http://{host}:6466/livez")),
            "200",
            "{host}"
        );
    }
    let said = program.log.with(&["http://[::1]:6465", "ready"]);
    assert_eq!(said.len(), 1, "{}", program.log.text());
}

#[tokio::test]
async fn a_machine_without_ipv6_is_no_trouble() {
    if !can_make_networks() {
        return;
    }
    let directory = by_default();
    let program = Program::start_by(in_a_network(&directory, false, ""), &directory.config());
    ready(&program).await;

    assert_eq!(get(&program, "http://127.0.0.1:6465/v2/users"), "503");
    assert!(
        !program.log.text().contains("::1"),
        "{}",
        program.log.text()
    );
}

#[tokio::test]
async fn a_port_that_is_taken_on_one_of_them_is_an_error() {
    if !can_make_networks() {
        return;
    }
    for port in ["6465", "6466"] {
        let directory = by_default();
        let mut program =
            Program::start_by(in_a_network(&directory, true, port), &directory.config());

        let status = program.ends().await;

        assert_eq!(status.code(), Some(1));
        let said = format!("[::1]:{port} is in use by ");
        assert!(program.log.text().contains(&said), "{}", program.log.text());
        let found = ports_seen_by_doctor(true, port);
        assert!(found.contains("FAILED") && found.contains(&said), "{found}");
    }
}

/// What `doctor` says of the listeners by default.
fn ports_seen_by_doctor(ipv6: bool, taken: &str) -> String {
    let directory = by_default();
    let mut doctor = in_a_network(&directory, ipv6, taken);
    doctor.args(["doctor", "--offline", "--config"]);
    let done = doctor.arg(directory.config()).output().unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    let line = said.lines().find(|it| it.starts_with("ports "));
    line.unwrap_or_else(|| panic!("{said}")).to_owned()
}

#[test]
fn doctor_looks_at_both_loopbacks_where_there_are_two() {
    if !can_make_networks() {
        return;
    }
    for (ipv6, free) in [(true, "4 free"), (false, "2 free")] {
        let found = ports_seen_by_doctor(ipv6, "");
        assert!(found.contains("ok") && found.ends_with(free), "{found}");
    }
}

#[tokio::test]
async fn a_chosen_address_is_the_only_one() {
    if !can_make_networks() {
        return;
    }
    let (directory, mut settings) = without_ninjaone();
    settings.set("listen", "http", "[\"127.0.0.1:6465\"]");
    settings.set("admin", "listen", "\"127.0.0.1:6466\"");
    directory.configure(&settings.toml());
    let program = Program::start_by(in_a_network(&directory, true, ""), &directory.config());
    ready(&program).await;

    assert_eq!(get(&program, "http://127.0.0.1:6465/v2/users"), "503");
    assert_eq!(
        get(&program, "http://[::1]:6465/v2/users"),
        "",
        "nobody listens there"
    );
}
