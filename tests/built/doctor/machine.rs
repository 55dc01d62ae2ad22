//! This machine: the configuration, the audit log, the ports, and the running proxy.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    process::Command,
    time::Duration,
};

use ninjaone_proxy::{clock::Timestamp, sandbox::NATIVE_CLIENT_ID};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use crate::program::{PROGRAM, Program};

use super::world::{World, service};

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_ends_it_with_78() {
    let world = World::new();
    world.configure("servise = 1");
    let said = world.doctor().await;
    assert_eq!((said.code, said.healthy), (78, false));
    said.says(
        "configuration",
        "failed",
        &["1 error", "config.toml", "config check"],
    );
    assert_eq!(said.checks.len(), 1);

    world.configure(&service());
    let path = world.path().join("acme.secret");
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    let said = world.doctor().await;
    assert_eq!(said.code, 78);
    said.says("configuration", "failed", &["acme.secret"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_not_there_is_refused_and_one_that_is_is_looked_at_alone() {
    let world = World::new();
    let more = format!("[tenant.other]\nurl = \"{}\"\n{}", world.url(), service());
    world.configure_at(&world.url(), &service(), &more);
    let (code, _, talk) = world.typed(vec!["nobody"]).await;
    assert_eq!(code, 1);
    assert!(talk.contains("there are: acme, other"), "{talk}");
    let said = world.doctor_with(&["other"]).await;
    assert_eq!(said.code, 0, "{}", said.whole);
    assert_eq!(said.check("service-token")["tenant"], "other");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_log_that_is_broken_or_cannot_be_written_is_told() {
    let world = World::new();
    world.configure(&service());
    let said = world.doctor().await;
    said.says("audit-directory", "ok", &["does not exist yet"]);
    said.says("audit-chain", "skipped", &["nothing is recorded yet"]);

    fs::create_dir(world.path().join("audit")).unwrap();
    world.write("audit/audit-000000000001.jsonl", b"{\"not\":\"a line\"}\n");
    let said = world.doctor().await;
    assert_eq!(said.code, 1);
    said.says(
        "audit-chain",
        "failed",
        &["audit-000000000001.jsonl line 1", "audit verify"],
    );

    fs::remove_dir_all(world.path().join("audit")).unwrap();
    world.write("audit", b"a file");
    let said = world.doctor().await;
    said.says("audit-directory", "failed", &["cannot be written"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_somebody_else_has_is_told() {
    let world = World::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    world.configure(&service());
    let toml = fs::read_to_string(world.path().join("config.toml")).unwrap();
    let toml = toml.replacen("127.0.0.1:0", &address.to_string(), 1);
    world.write("config.toml", toml.as_bytes());
    let said = world.doctor().await;
    assert_eq!(said.code, 1);
    said.says(
        "ports",
        "failed",
        &[&address.to_string(), "in use", "ss -lntxp"],
    );
    said.says("proxy", "skipped", &["none is running"]);
}

/// The usual configuration with this in place of the listener for callers.
fn listening(world: &World, listen: &str) {
    world.configure(&service());
    let toml = fs::read_to_string(world.path().join("config.toml")).unwrap();
    let changed = toml.replacen("http = [\"127.0.0.1:0\"]", listen, 1);
    assert_ne!(changed, toml);
    world.write("config.toml", changed.as_bytes());
}

/// Becomes the program without root's right to write anywhere and to give files to any group.
fn without_rights() -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(PROGRAM);
    }
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-dac_override,-chown", PROGRAM]);
    command
}

/// `doctor` and `run` refuse the same, for the same reason.
async fn neither_starts(world: &World, command: fn() -> Command, why: &str) {
    let said = world.doctor_by(command(), &["--offline"]).await;
    assert_eq!(said.code, 1, "{}", said.whole);
    said.says("ports", "failed", &[why]);
    let mut program = Program::start_by(command(), &world.path().join("config.toml"));
    assert_eq!(program.ends().await.code(), Some(1), "{why}");
    let log = program.log.text();
    assert!(log.contains(why), "{why}: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_the_metrics_that_somebody_else_has_is_told() {
    let world = World::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    world.configure(&service());
    let toml = fs::read_to_string(world.path().join("config.toml")).unwrap();
    let toml = toml.replacen("[admin]", &format!("[admin]\nmetrics = \"{address}\""), 1);
    world.write("config.toml", toml.as_bytes());
    let why = format!("{address} is in use by ");
    neither_starts(&world, || Command::new(PROGRAM), &why).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_cannot_be_made_is_told() {
    let world = World::new();
    let program = || Command::new(PROGRAM);
    listening(
        &world,
        "http = [\"127.0.0.1:0\"]\nunix = [{ path = \"inner/api.sock\" }]",
    );
    fs::create_dir(world.path().join("inner")).unwrap();
    let socket = world.path().join("inner/api.sock");

    fs::write(&socket, "a file").unwrap();
    neither_starts(&world, program, "exists and is not a socket").await;
    assert_eq!(fs::read(&socket).unwrap(), b"a file");
    fs::remove_file(&socket).unwrap();

    let other = UnixListener::bind(&socket).unwrap();
    neither_starts(&world, program, "is in use by another program").await;

    // Left behind, as after a kill: it is replaced, and is not doctor's to remove.
    drop(other);
    let said = world.doctor().await;
    said.says("ports", "ok", &["3 free"]);
    let left: Vec<_> = fs::read_dir(world.path().join("inner")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(socket.exists());

    let mode = |mode| fs::set_permissions(socket.parent().unwrap(), mode).unwrap();
    mode(fs::Permissions::from_mode(0o500));
    neither_starts(&world, without_rights, "cannot be listened on").await;
    mode(fs::Permissions::from_mode(0o700));
    fs::remove_file(&socket).unwrap();
    mode(fs::Permissions::from_mode(0o500));
    neither_starts(&world, without_rights, "cannot be listened on").await;
    mode(fs::Permissions::from_mode(0o700));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_a_socket_cannot_be_given_to_is_told() {
    let world = World::new();
    let socket = world.path().join("api.sock");
    for is_left_behind in [false, true] {
        if is_left_behind {
            drop(UnixListener::bind(&socket).unwrap());
        }
        listening(
            &world,
            "http = [\"127.0.0.1:0\"]\nunix = [{ path = \"api.sock\", group = \"no-such-group\" }]",
        );
        let said = world.doctor_with(&["--offline"]).await;
        said.says("ports", "failed", &["no group", "no-such-group"]);
        listening(
            &world,
            "http = [\"127.0.0.1:0\"]\nunix = [{ path = \"api.sock\", group = \"54321\" }]",
        );
        let said = world.doctor_by(without_rights(), &["--offline"]).await;
        said.says("ports", "failed", &["the group cannot be set"]);
        assert_eq!(socket.exists(), is_left_behind);
    }
    neither_starts(&world, without_rights, "the group cannot be set").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_that_callers_see_is_looked_at() {
    let world = World::new();
    let certificate = |until: (i32, u8, u8)| {
        let mut params = CertificateParams::new(vec!["proxy.example".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until.0, until.1, until.2);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        world.write("tls.pem", pem.as_bytes());
        world.write("tls.key", key.serialize_pem().as_bytes());
    };
    listening(
        &world,
        "http = [\"127.0.0.1:0\"]\nhttps = [{ bind = \"127.0.0.1:0\", cert = \"tls.pem\", key = \"tls.key\" }]",
    );
    certificate((2126, 1, 1));
    let said = world.doctor_with(&["--offline"]).await;
    let name = "listen-certificate";
    said.says(name, "ok", &["tls.pem", "belong together"]);

    let in_days = Timestamp::now().plus(Duration::from_hours(9 * 24));
    let end = in_days.to_string();
    let part = |from: usize, to: usize| end[from..to].parse::<u16>().unwrap();
    let (month, day) = (
        u8::try_from(part(5, 7)).unwrap(),
        u8::try_from(part(8, 10)).unwrap(),
    );
    certificate((part(0, 4).into(), month, day));
    let said = world.doctor_with(&["--offline"]).await;
    said.says(name, "warning", &["valid for another 8 d", "Renew it"]);

    certificate((2021, 6, 1));
    let said = world.doctor_with(&["--offline"]).await;
    said.says(name, "failed", &["has expired", "2021-06-01"]);

    world.write(
        "tls.key",
        KeyPair::generate().unwrap().serialize_pem().as_bytes(),
    );
    let said = world.doctor_with(&["--offline"]).await;
    said.says(name, "failed", &["tls.key", "belong together"]);
    assert_eq!(said.code, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_of_the_service_manager_is_not_called_free() {
    let world = World::new();
    listening(&world, "http = [\"fd:http\"]");
    let said = world.doctor().await;
    assert_eq!(said.code, 0, "{}", said.whole);
    said.says(
        "ports",
        "skipped",
        &["1 free", "fd:http", "service manager"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_troubles_of_a_running_proxy_are_two_sentences() {
    let world = World::new();
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let native = format!("user = {{ client_id = \"{NATIVE_CLIENT_ID}\" }}");
    world.configure(&format!("{}\n{native}", service()));
    let toml = fs::read_to_string(world.path().join("config.toml")).unwrap();
    let admin = "[admin]\nlisten = \"127.0.0.1:0\"";
    let toml = toml.replace(admin, &format!("[admin]\nlisten = \"{free}\""));
    world.write("config.toml", toml.as_bytes());
    world.store().caller_token_key(&[7; 32].into()).unwrap();
    let file = world.store_path().join("caller-tokens.key");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, &bytes).unwrap();
    let mut running = Program::start(&world.path().join("config.toml"));
    running.listens("admin");

    let said = world.doctor().await;

    let words = [" login acme. The key of callers' tokens", "log in again."];
    said.says("proxy", "failed", &words);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_proxy_is_found_with_its_own_troubles_and_holds_its_ports() {
    let world = World::new();
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let native = format!("user = {{ client_id = \"{NATIVE_CLIENT_ID}\" }}");
    world.configure(&format!("{}\n{native}", service()));
    let toml = fs::read_to_string(world.path().join("config.toml")).unwrap();
    let admin = "[admin]\nlisten = \"127.0.0.1:0\"";
    let toml = toml.replace(admin, &format!("[admin]\nlisten = \"{free}\""));
    world.write("config.toml", toml.as_bytes());
    let mut running = Program::start(&world.path().join("config.toml"));
    running.listens("admin");

    let said = world.doctor().await;

    assert_eq!(said.code, 4, "{}", said.whole);
    let process = format!("running, pid {}", running.id());
    // One cause, one row: the login has its own.
    said.says("proxy", "ok", &[&process]);
    said.says("login", "failed", &[" login acme"]);
    assert!(!said.whole.contains("a user must log in"), "{}", said.whole);
    said.says("ports", "ok", &["held by the running proxy"]);
    said.says("audit-directory", "ok", &["can be written"]);
    said.says("audit-chain", "ok", &["whole"]);
    said.says(
        "store-directory",
        "ok",
        &["can be written and made durable"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_tokens_of_callers_outlive_a_restart_is_told() {
    let world = World::new();
    world.configure(&service());
    let with_store = fs::read_to_string(world.path().join("config.toml")).unwrap();
    let store = "[store]\npath = \"store\"\nseal = { file = \"seal.key\" }\n";
    let without = with_store.replace(store, "");
    assert_ne!(without, with_store);
    world.write("config.toml", without.as_bytes());
    let said = world.doctor().await;
    assert_eq!(said.code, 0, "{}", said.whole);
    said.says("caller-tokens", "ok", &["in memory", "no `[store]`"]);

    world.configure(&service());
    let store = world.store();
    let said = world.doctor().await;
    said.says("caller-tokens", "ok", &["the first start makes their key"]);
    assert!(!store.has_caller_token_key().unwrap());

    store.caller_token_key(&[7; 32].into()).unwrap();
    let said = world.doctor().await;
    said.says("caller-tokens", "ok", &["in the store"]);

    let file = world.store_path().join("caller-tokens.key");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, &bytes).unwrap();
    let said = world.doctor().await;
    let path = file.to_str().unwrap();
    said.says("caller-tokens", "warning", &[path, "(tampered)", "remove"]);
}
