//! The built program in front of a NinjaOne of this process, with the callers and keys of the product's own sandbox.

use std::{net::SocketAddr, ops::Deref, sync::Arc};

use ninjaone_proxy::{
    app::sandbox,
    sandbox::{
        DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, NATIVE_CLIENT_ID, Sandbox, SandboxOptions,
        request_log::RequestRecord,
    },
};
use serde_json::Value;

use crate::{
    audit_log,
    directory::Directory,
    key::seal,
    proxy::Proxy,
    settings::{Setting, Settings},
    wait::until,
};

const SEED: u64 = 1;
/// No test is to be slowed down by a limit that it does not test.
const PLENTY: &str = "\"1000000/s\"";

/// The program, in front of whatever answers.
pub(crate) struct Proxied(Proxy);

impl Deref for Proxied {
    type Target = Proxy;

    fn deref(&self) -> &Proxy {
        &self.0
    }
}

impl Proxied {
    pub(crate) fn start(ninjaone: SocketAddr, settings: &[Setting]) -> Self {
        Self::start_with(ninjaone, DEFAULT_CLIENT_SECRET, settings)
    }

    pub(crate) fn start_with(ninjaone: SocketAddr, secret: &str, settings: &[Setting]) -> Self {
        let directory = Directory::new();
        directory.write("acme.secret", secret);
        directory.write("store.key", seal());
        let proxy = Proxy::start(directory, configuration(ninjaone).with(settings));
        Self(proxy)
    }

    /// The lines of the audit log, once they are at least so many.
    pub(crate) async fn audit(&self, at_least: usize) -> Vec<String> {
        let mut lines = Vec::new();
        until("the lines of the audit log", async || {
            lines = audit_log::texts(&self.directory.audit());
            lines.len() >= at_least
        })
        .await;
        lines
    }

    /// The outcome lines, read, once they are at least so many.
    pub(crate) async fn outcomes(&self, at_least: usize) -> Vec<Value> {
        let mut outcomes = Vec::new();
        until("the outcomes", async || {
            outcomes = self.lines();
            outcomes.retain(|line| line["type"] == "outcome");
            outcomes.len() >= at_least
        })
        .await;
        outcomes
    }

    /// Waits for the service's token: nobody has logged in.
    pub(crate) async fn has_token(&self) {
        until("the service's token", async || {
            let status = self.status().await;
            let identities = status["tenants"][0]["identities"].as_array().unwrap();
            let service = identities.iter().find(|it| it["identity"] == "service");
            service.unwrap()["state"] == "valid"
        })
        .await;
    }

    /// SIGTERM, and the end with exit code 0.
    pub(crate) async fn stop(self) {
        self.0.stop().await;
    }
}

fn configuration(ninjaone: SocketAddr) -> Settings {
    let user = format!("{{ client_id = \"{NATIVE_CLIENT_ID}\" }}");
    let mut settings = Settings::usual().with(&[
        ("listen", "workers", "1"),
        // What hangs on purpose is not waited for.
        ("listen", "drain", "\"1s\""),
        ("store", "path", "\"store\""),
        ("store", "seal", "{ file = \"store.key\" }"),
        ("limits.caller", "rate", PLENTY),
        ("limits.caller", "concurrency", "4096"),
        ("limits.upstream", "rate", PLENTY),
        ("limits.upstream", "concurrency", "64"),
        ("tenant.acme", "user", &user),
    ]);
    settings.tenant(ninjaone, DEFAULT_CLIENT_ID);
    let reporting = "allow = [\"read\"]\ndeny = [\"secrets\"]";
    settings.caller("reporting", &key("reporting"), reporting);
    settings.caller("operator", &key("operator"), "allow = [\"all\"]");
    settings
}

/// The program in front of the sandbox's NinjaOne.
pub(crate) struct Stack {
    pub(crate) ninja: Sandbox,
    pub(crate) proxy: Proxied,
}

impl Stack {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    pub(crate) fn with(settings: &[Setting]) -> Self {
        let ninja = Sandbox::start(SandboxOptions::default()).unwrap();
        let proxy = Proxied::start(ninja.address(), settings);
        Self { ninja, proxy }
    }

    /// What reached NinjaOne, less the calls for tokens.
    pub(crate) fn arrived(&self) -> Vec<Arc<RequestRecord>> {
        let mut seen = self.ninja.requests();
        seen.retain(|it| &*it.target != b"/ws/oauth/token");
        seen
    }
}

/// The key of a caller that the sandbox knows: `reporting` may read, `operator` may do everything.
pub(crate) fn key(caller: &str) -> String {
    let keys = sandbox::keys(SEED);
    let (_, key) = keys.into_iter().find(|(name, _)| *name == caller).unwrap();
    key
}
