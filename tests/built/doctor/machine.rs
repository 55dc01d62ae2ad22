//! This machine: the configuration, the audit log, the ports, and the running proxy.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt};

use ninjaone_proxy::sandbox::NATIVE_CLIENT_ID;

use crate::program::Program;

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
        &["2 wrong", "config.toml", "config check"],
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
    said.says("audit-directory", "ok", &["not there yet"]);
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
        &[&address.to_string(), "in use", "ss -ltnp"],
    );
    said.says("proxy", "skipped", &["none is running"]);
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
    said.says(
        "proxy",
        "failed",
        &[&process, "acme/user: a person must log in"],
    );
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
