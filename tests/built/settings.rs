//! A configuration under construction: values as TOML, by section and key.

use std::{collections::BTreeMap, fmt::Write as _, net::SocketAddr};

use crate::{
    key,
    program::{Stderr, free_address, log_level, says_where_it_listens},
};

/// The name and the value as TOML, in a section.
pub(crate) type Setting<'a> = (&'a str, &'a str, &'a str);

#[derive(Clone, Default)]
pub(crate) struct Settings {
    sections: BTreeMap<String, BTreeMap<String, String>>,
    /// What comes after them, as it is.
    more: String,
}

impl Settings {
    /// A proxy that listens at addresses of the system's choice, writes an audit log and says what `NJP_TEST_LOG` asks for.
    /// No test is to be held up by a limit that it does not test.
    pub(crate) fn usual() -> Self {
        let level = format!("\"{}\"", log_level());
        Self::default().with(&[
            ("listen", "http", "[\"127.0.0.1:0\"]"),
            ("admin", "listen", "\"127.0.0.1:0\""),
            // Most tests look at the status without a proof; `admin_socket/` is about proofs.
            ("admin", "anonymous", "true"),
            ("audit", "path", "\"audit\""),
            ("audit", "strangers", "\"1000000/s\""),
            ("audit", "strangers_per_peer", "\"1000000/s\""),
            ("telemetry.log", "format", "\"json\""),
            ("telemetry.log", "level", &level),
            ("limits.caller", "rate", "\"5000/s\""),
            ("limits.caller", "concurrency", "500"),
            ("limits.upstream", "rate", "\"5000/s\""),
            ("limits.upstream", "concurrency", "500"),
        ])
    }

    /// An empty value is as good as none.
    pub(crate) fn set(&mut self, section: &str, key: &str, value: &str) {
        let section = self.sections.entry(section.to_owned()).or_default();
        section.insert(key.to_owned(), value.to_owned());
    }

    pub(crate) fn with(mut self, settings: &[Setting]) -> Self {
        for (section, key, value) in settings {
            self.set(section, key, value);
        }
        self
    }

    /// For what a test has not chosen itself.
    pub(crate) fn set_unless_chosen(&mut self, section: &str, key: &str, value: &str) {
        let section = self.sections.entry(section.to_owned()).or_default();
        section
            .entry(key.to_owned())
            .or_insert_with(|| value.to_owned());
    }

    /// The tenant `acme`: its NinjaOne, and a service identity.
    pub(crate) fn tenant(&mut self, ninjaone: SocketAddr, client_id: &str) {
        self.set_unless_chosen("tenant.acme", "url", &format!("\"http://{ninjaone}\""));
        self.service(client_id);
    }

    /// The service identity of `acme`; its secret is in `acme.secret`.
    pub(crate) fn service(&mut self, client_id: &str) {
        let service = format!(
            "{{ client_id = \"{client_id}\", client_secret = {{ file = \"acme.secret\" }} }}"
        );
        self.set_unless_chosen("tenant.acme", "service", &service);
    }

    /// A caller; `rules` is TOML.
    pub(crate) fn caller(&mut self, name: &str, key: &str, rules: &str) {
        let toml = key::caller_toml(name, key, rules);
        self.more.push_str(&toml);
    }

    /// TOML that comes last.
    pub(crate) fn also(&mut self, toml: &str) {
        writeln!(self.more, "{toml}").unwrap();
    }

    /// The text or the number that was set, without quotes and brackets.
    pub(crate) fn get(&self, section: &str, key: &str) -> Option<&str> {
        let value = self.sections.get(section)?.get(key)?;
        Some(value.trim_matches(['[', ']', '"']))
    }

    /// Whether the log will say where the program listens. If it will not, addresses are chosen that nobody uses.
    pub(crate) fn choose_addresses(&mut self, stderr: &Stderr) -> bool {
        let level = self.get("telemetry.log", "level").expect("a level");
        if matches!(stderr, Stderr::Read) && says_where_it_listens(level) {
            return true;
        }
        let (callers, admin) = (free_address(), free_address());
        self.set("listen", "http", &format!("[\"{callers}\"]"));
        self.set("admin", "listen", &format!("\"{admin}\""));
        false
    }

    pub(crate) fn toml(&self) -> String {
        let mut toml = String::new();
        for (section, values) in &self.sections {
            writeln!(toml, "[{section}]").unwrap();
            for (key, value) in values.iter().filter(|(_, value)| !value.is_empty()) {
                writeln!(toml, "{key} = {value}").unwrap();
            }
        }
        toml + &self.more
    }
}
