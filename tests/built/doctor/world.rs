//! A sandbox, a configuration for it on disk, and what `doctor` says of the two.

use std::{net::SocketAddr, path::Path, process::Command};

use ninjaone_proxy::{
    credentials::store::{
        LoginStore,
        seal_key::{SealKey, SealKeys},
    },
    sandbox::{
        Client, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Sandbox, SandboxOptions, faults::Faults,
    },
};
use serde_json::Value;

use crate::{
    directory::Directory,
    key::{self, new_key},
    program::PROGRAM,
    settings::Settings,
};

pub(crate) const SEAL: [u8; 32] = varied(11);

/// A key that looks random enough to be taken.
pub(crate) const fn varied(seed: u8) -> [u8; 32] {
    let mut key = [0; 32];
    let mut byte = seed;
    let mut at = 0;
    while at < key.len() {
        byte = byte.wrapping_mul(37).wrapping_add(89);
        key[at] = byte;
        at += 1;
    }
    key
}

pub(crate) struct World {
    pub(crate) ninja: Sandbox,
    directory: Directory,
}

/// What `doctor --json` said.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) healthy: bool,
    pub(crate) checks: Vec<Value>,
    pub(crate) whole: String,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_clients(Client::defaults())
    }

    pub(crate) fn with_clients(clients: Vec<Client>) -> Self {
        Self::with(SandboxOptions {
            clients,
            ..SandboxOptions::default()
        })
    }

    pub(crate) fn with(options: SandboxOptions) -> Self {
        let world = Self {
            ninja: Sandbox::start(options).unwrap(),
            directory: Directory::new(),
        };
        world.write("acme.secret", DEFAULT_CLIENT_SECRET.as_bytes());
        world.write("seal.key", &hex(&SEAL));
        world
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn store_path(&self) -> std::path::PathBuf {
        self.path().join("store")
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        self.directory.write(name, bytes);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.ninja.address())
    }

    /// `identities` are the members of `[tenant.acme]` beside `url`.
    pub(crate) fn configure(&self, identities: &str) {
        self.configure_at(&self.url(), identities, "");
    }

    pub(crate) fn configure_at(&self, url: &str, identities: &str, more: &str) {
        let mut settings = Settings::usual().with(&[
            ("store", "path", "\"store\""),
            ("store", "seal", "{ file = \"seal.key\" }"),
        ]);
        settings.caller("app", &new_key("app"), "allow = [\"all\"]");
        settings.also(more);
        settings.also(&format!("[tenant.acme]\nurl = \"{url}\"\n{identities}"));
        self.directory.configure(&settings.toml());
    }

    pub(crate) fn fault(&self, body: &str) {
        self.ninja
            .faults()
            .set(Faults::parse(body.as_bytes()).unwrap());
    }

    /// The store that the program would open.
    pub(crate) fn store(&self) -> LoginStore {
        store_sealed_with(&self.store_path(), &SEAL)
    }

    pub(crate) async fn doctor(&self) -> Said {
        self.doctor_with(&[]).await
    }

    pub(crate) async fn doctor_with(&self, arguments: &[&str]) -> Said {
        self.doctor_by(Command::new(PROGRAM), arguments).await
    }

    /// With these variables in its environment.
    pub(crate) async fn doctor_in(&self, environment: &[(&str, &str)]) -> Said {
        let mut command = Command::new(PROGRAM);
        command.envs(environment.iter().copied());
        self.doctor_by(command, &[]).await
    }

    /// The same by a command that becomes the program.
    pub(crate) async fn doctor_by(&self, command: Command, arguments: &[&str]) -> Said {
        let arguments = [&["--json"], arguments].concat();
        let (code, text, _) = self.typed_to(command, arguments).await;
        let document: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
        assert_eq!(document["schema"], "doctor/1");
        Said {
            code,
            healthy: document["healthy"].as_bool().unwrap(),
            checks: document["checks"].as_array().unwrap().clone(),
            whole: text,
        }
    }

    /// Exit code, stdout, stderr.
    pub(crate) async fn typed(&self, arguments: Vec<&str>) -> (i32, String, String) {
        self.typed_to(Command::new(PROGRAM), arguments).await
    }

    async fn typed_to(&self, mut command: Command, arguments: Vec<&str>) -> (i32, String, String) {
        command.arg("doctor").args(arguments);
        command.arg("--config").arg(self.directory.config());
        // The sandbox serves on this runtime meanwhile.
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = output.await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let code = output.status.code().unwrap();
        (code, text(&output.stdout), text(&output.stderr))
    }
}

impl Said {
    pub(crate) fn check(&self, name: &str) -> &Value {
        let mut of_name = self.checks.iter().filter(|it| it["name"] == name);
        let found = of_name
            .next()
            .unwrap_or_else(|| panic!("no {name} in {}", self.whole));
        assert!(of_name.next().is_none(), "{name} twice");
        found
    }

    pub(crate) fn verdict(&self, name: &str) -> &str {
        self.check(name)["verdict"].as_str().unwrap()
    }

    /// The check has this verdict, and each of these words stands in what was seen or is to be done.
    #[track_caller]
    pub(crate) fn says(&self, name: &str, verdict: &str, words: &[&str]) {
        let check = self.check(name);
        assert_eq!(check["verdict"], verdict, "{check}");
        let text = format!("{} {}", check["seen"], check["do"]);
        for word in words {
            assert!(text.contains(word), "{word:?} is not in {text}");
        }
    }

    /// Everything but these is fine or was not looked at.
    #[track_caller]
    pub(crate) fn troubles(&self, names: &[&str]) {
        let is_trouble = |it: &&Value| it["verdict"] == "failed" || it["verdict"] == "warning";
        let troubles = self.checks.iter().filter(is_trouble);
        let troubles: Vec<&str> = troubles.map(|it| it["name"].as_str().unwrap()).collect();
        assert_eq!(troubles, names, "{}", self.whole);
    }
}

pub(crate) fn store_sealed_with(path: &Path, key: &[u8; 32]) -> LoginStore {
    let key = SealKey::from_bytes(&hex(key)).unwrap();
    LoginStore::open(path, SealKeys::new(key, Vec::new()).unwrap()).unwrap()
}

pub(crate) fn hex(key: &[u8; 32]) -> Vec<u8> {
    key::hex(key).into_bytes()
}

pub(crate) fn service() -> String {
    service_of(DEFAULT_CLIENT_ID, "")
}

pub(crate) fn service_of(client_id: &str, more: &str) -> String {
    format!(
        "service = {{ client_id = \"{client_id}\", client_secret = {{ file = \"acme.secret\" }}{more} }}"
    )
}

/// Answers every request with the same bytes; `ADDRESS` in the body is its own.
pub(crate) fn answering(head: &str, body: &str) -> SocketAddr {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let body = body.replace("ADDRESS", &address.to_string());
    let length = body.len();
    let answer =
        format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}
