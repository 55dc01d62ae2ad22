//! `login`, `logout` and `init` through an outgoing proxy.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use tokio::runtime::Runtime;

use crate::{
    authority::Authority,
    directory::write_private,
    journeys::tls_front::Front,
    program::PROGRAM,
    tinyproxy::{NINJA, PASSWORD, Tinyproxy, USER, WITH_USER},
};

use super::{
    browser::{decide, get},
    world::{NATIVE, World, text},
};

/// A NinjaOne whose name only an outgoing proxy can resolve.
struct Behind {
    world: World,
    front: Front,
    trusted: Authority,
    _runtime: Runtime,
}

impl Behind {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let world = World::new(NATIVE);
        let trusted = Authority::new();
        let tls = trusted.certify(NINJA, &["http/1.1"]);
        let front = runtime.block_on(Front::of(world.ninja.address(), tls));
        Self {
            world,
            front,
            trusted,
            _runtime: runtime,
        }
    }

    fn url(&self) -> String {
        format!("https://{NINJA}:{}", self.front.address.port())
    }

    /// The configuration with NinjaOne behind this proxy.
    fn configure(&self, proxy: &str) {
        let config = self.world.directory.config();
        let toml = fs::read_to_string(&config).unwrap();
        let direct = format!("url = \"http://{}\"", self.world.ninja.address());
        assert!(toml.contains(&direct));
        let (url, ca) = (self.url(), self.trusted.file());
        let through = format!("url = \"{url}\"\nca = {ca}\nproxy = {proxy}");
        self.world
            .directory
            .configure(&toml.replace(&direct, &through));
    }
}

#[test]
fn a_person_logs_in_and_out_through_the_proxy() {
    let behind = Behind::new();
    let proxy = Tinyproxy::start(WITH_USER);
    behind.configure(&proxy.toml_with_user());
    let (login, first) = behind.world.login(&[]);
    let page = text(&first, "authorize_url").replace(
        &behind.url(),
        &format!("http://{}", behind.world.ninja.address()),
    );
    let back = decide(&page, "allow");
    assert_eq!(get(&back).status, 200);
    let (code, last) = login.end();
    assert_eq!(code, 0, "{last}");
    let before = proxy.targets().len();
    assert!(before >= 1);

    let (code, told) = behind.world.run(&["logout"]);

    assert_eq!(code, 0, "{told}");
    let targets = proxy.targets();
    assert!(targets.len() > before, "the login was revoked through it");
    assert_eq!(targets.len() as u64, behind.front.accepted());
}

#[test]
fn a_login_names_a_proxy_that_fails() {
    let behind = Behind::new();
    let proxy = Tinyproxy::start(WITH_USER);
    behind.configure(&proxy.toml());
    let (login, first) = behind.world.login(&[]);
    let page = text(&first, "authorize_url").replace(
        &behind.url(),
        &format!("http://{}", behind.world.ninja.address()),
    );
    let _ = get(&decide(&page, "allow"));

    let (code, last) = login.end();

    assert_eq!(code, 75, "{last}");
    assert!(
        last.to_string().contains("outgoing proxy asks for a user"),
        "{last}"
    );
}

#[test]
fn a_first_configuration_is_made_through_the_proxy_of_the_variable() {
    let behind = Behind::new();
    let proxy = Tinyproxy::start(WITH_USER);
    let home = behind.world.directory.path();
    write_private(&home.join("right"), "sandbox-secret-not-a-real-one");
    let ca = behind.trusted.file();
    let init = |variable: &str| {
        let mut command = Command::new(PROGRAM);
        command.env_clear().env("HOME", home);
        command.env("SSL_CERT_FILE", ca.trim_matches('"'));
        command.env("HTTPS_PROXY", variable);
        command.arg("--config").arg(home.join("new/config.toml"));
        command.args(["init", "--no-input", "--client-id", "sandbox-client"]);
        command.args(["--url", &behind.url(), "--client-secret-file"]);
        let output = command.arg(home.join("right")).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.contains("hunter2"), "{said}");
        (output.status.code().unwrap(), said)
    };

    let (code, said) = init("socks5://rmm:hunter2@proxy");
    assert_eq!(code, 78, "{said}");
    assert!(
        said.contains("HTTPS_PROXY") && said.contains("SOCKS"),
        "{said}"
    );

    let (code, said) = init(&proxy.url());
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("outgoing proxy asks for a user"), "{said}");

    let (code, said) = init(&proxy.url_with_user());
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("set proxy in [tenant.main]"), "{said}");
    assert_eq!(proxy.targets().len() as u64, 1 + behind.front.accepted());
}

#[test]
fn the_proxys_user_and_password_are_asked_for_and_written() {
    let behind = Behind::new();
    let proxy = Tinyproxy::start(WITH_USER);
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config.toml");
    let ca = behind.trusted.file();
    let mut command = Command::new(PROGRAM);
    command.env_clear().env("HOME", home.path());
    command.env("SSL_CERT_FILE", ca.trim_matches('"'));
    command.env("ALL_PROXY", "socks5://rmm:hunter2@proxy");
    command.arg("--config").arg(&config).arg("init");
    command.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let typed = format!(
        "{}\nsandbox-client\nsandbox-secret-not-a-real-one\n{url}\n\nhttp://me:hunter2@proxy:1\n{url}\n{USER}\n{PASSWORD}\n",
        behind.url(),
        url = proxy.url(),
    );
    let mut keys = child.stdin.take().unwrap();
    keys.write_all(typed.as_bytes()).unwrap();
    drop(keys);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    for words in [
        "ALL_PROXY: \"socks5://***@proxy\"",
        "SOCKS proxies are not supported",
        "outgoing proxy asks for a user",
        "they are asked for next",
    ] {
        assert!(said.contains(words), "{words}:\n{said}");
    }
    assert!(!said.contains("hunter2"), "{said}");
    let written = fs::read_to_string(&config).unwrap();
    let line = format!(
        "proxy   = {{ url = \"{}\", user = \"{USER}\", password = {{ file = \"main.proxy-password\" }} }}",
        proxy.url()
    );
    assert!(written.contains(&line), "{written}");
    let password = home.path().join("main.proxy-password");
    assert_eq!(fs::read_to_string(password).unwrap(), PASSWORD);
}
