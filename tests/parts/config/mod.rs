//! Configuration: what is accepted, what is refused, and with which words.

mod callers;
mod commands;
mod documents;
mod environment;
mod identities;
mod meaning;
mod mends;
mod outgoing_proxy;
mod secrets;
mod store;
mod watching;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use ninjaone_proxy::{
    config::{
        self, Config,
        read::{
            diagnostics::{ConfigurationError, Warning},
            sources::Sources,
        },
    },
    net::Method,
    ninjaone::{
        operation::{Operation, Payload, RequiredIdentity, RiskClass, Scope},
        paging::Paging,
    },
};
use tempfile::TempDir;

type Loaded = Result<(Config, Vec<Warning>), ConfigurationError>;

fn operation(method: Method, template: &str, id: &str, tag: &str, class: RiskClass) -> Operation {
    Operation {
        index: 0,
        id: id.into(),
        method,
        template: template.into(),
        tag: tag.into(),
        scope: Scope::Monitoring,
        scope_basis: "spec".into(),
        class,
        required_identity: RequiredIdentity::Service,
        payload: Payload::Plain,
        parameters: Box::default(),
        secrets_parameter: None,
        paging: Paging::Whole,
        notes: "".into(),
    }
}

/// Enough of a catalogue to tell what exists from what does not.
fn known() -> Vec<Operation> {
    let (get, post) = (Method::Get, Method::Post);
    vec![
        operation(get, "/v2/devices", "getDevices", "devices", RiskClass::Read),
        operation(
            get,
            "/v2/device/{id}",
            "getDevice",
            "devices",
            RiskClass::Read,
        ),
        operation(
            post,
            "/v2/ticketing/ticket",
            "createTicket",
            "ticketing",
            RiskClass::Write,
        ),
        operation(
            post,
            "/v2/device/{id}/script/run",
            "runScriptOnDevice",
            "management",
            RiskClass::Dangerous,
        ),
    ]
}

/// A directory with a configuration, and what is in the environment.
struct House {
    directory: TempDir,
    environment: Vec<(String, String)>,
}

const TENANT: &str = r#"
[tenant.acme]
region = "eu"
service = { client_id = "Xk3v", client_secret = { file = "acme.secret" } }
"#;

/// The digest that consists of this digit.
fn digest(digit: char) -> String {
    format!("sha256:{}", digit.to_string().repeat(64))
}

impl House {
    /// With this configuration file, and a secret in `acme.secret`.
    fn new(config: &str) -> Self {
        let house = Self {
            directory: tempfile::tempdir().unwrap(),
            environment: Vec::new(),
        };
        house.write("config.toml", config);
        house.write_mode("acme.secret", "a secret for tests\n", 0o600);
        house
    }

    /// With a tenant, and `more`.
    fn with_tenant(more: &str) -> Self {
        Self::new(&format!("{TENANT}{more}"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        self.write_mode(name, content, 0o644);
    }

    fn write_mode(&self, name: &str, content: impl AsRef<[u8]>, mode: u32) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    fn sources(&self) -> Sources {
        Sources {
            file: self.path("config.toml"),
            environment: self.environment.clone(),
        }
    }

    fn load(&self) -> Loaded {
        config::load(&self.sources(), &known())
    }

    fn accepted(&self) -> Config {
        self.load()
            .map_or_else(|problems| panic!("{problems}"), |(config, _)| config)
    }

    fn warnings(&self) -> Vec<String> {
        let (_, warnings) = self.load().unwrap_or_else(|problems| panic!("{problems}"));
        warnings.iter().map(|it| it.message.clone()).collect()
    }

    fn refused(&self) -> ConfigurationError {
        match self.load() {
            Ok(_) => panic!("the configuration was accepted"),
            Err(problems) => problems,
        }
    }

    /// `3:7 message` for each problem, without the name of the file.
    fn places(&self) -> Vec<String> {
        let problems = self.refused();
        let lines = problems.as_slice().iter();
        lines
            .map(|it| format!("{}:{} {}", it.line, it.column, it.message))
            .collect()
    }
}

fn files(directory: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "toml"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn is_blessing() -> bool {
    std::env::var_os("BLESS").is_some()
}

fn load_file(file: &Path) -> Loaded {
    let sources = Sources {
        file: file.to_owned(),
        environment: Vec::new(),
    };
    config::load(&sources, &known())
}

/// `BLESS=1 cargo test --test parts config::` writes what is reported now; read the difference before you keep it.
#[test]
fn every_invalid_file_is_refused_in_exactly_the_expected_words() {
    let mut different = Vec::new();
    for file in files("tests/parts/config/invalid") {
        let Err(problems) = load_file(&file) else {
            panic!("{} was accepted", file.display());
        };
        let reported = format!("{problems}\n");
        let expected = file.with_extension("expected");
        if is_blessing() {
            fs::write(&expected, &reported).unwrap();
        }
        if fs::read_to_string(&expected).unwrap_or_default() != reported {
            different.push(format!("{}:\n{reported}", file.display()));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn every_valid_file_loads() {
    for file in files("tests/parts/config/valid") {
        let text = fs::read_to_string(&file).unwrap();
        let house = House::new(&text).set("ACME_SECRET", "a secret for tests");
        if let Err(problems) = house.load() {
            panic!("{}:\n{problems}", file.display());
        }
    }
}

#[test]
fn all_problems_of_a_file_are_reported_at_once_and_in_its_order() {
    let Err(problems) = load_file(Path::new("tests/parts/config/invalid/many-at-once.toml")) else {
        panic!("accepted");
    };
    let places: Vec<(usize, usize)> = problems
        .as_slice()
        .iter()
        .map(|it| (it.line, it.column))
        .collect();
    assert!(places.len() >= 20, "{places:?}");
    assert!(places.is_sorted(), "{places:?}");
    assert!(places.iter().all(|(line, column)| *line > 0 && *column > 0));
    let text = problems.to_string();
    for (line, column) in places {
        assert!(text.contains(&format!("many-at-once.toml:{line}:{column}\n")));
    }
}

#[test]
fn columns_count_characters_and_not_bytes() {
    let house =
        House::with_tenant("[telemetry]\nlog = { level = \"ünïcödé\", format = \"autö\" }\n");
    let places = house.places();
    assert_eq!(places.len(), 2, "{places:?}");
    assert!(places[0].starts_with("6:17 "), "{places:?}");
    assert!(places[1].starts_with("6:37 "), "{places:?}");
}
