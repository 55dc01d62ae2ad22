//! Checks the admin listeners and the keys that have access to them.

use std::time::Duration;

use crate::config::{
    AdminAccessConfig, AdminConfig, BindAddress, ListenConfig,
    read::key_path::KeyPath,
    settings::admin::{AdminAccessSettings, AdminSettings},
    value::{
        address,
        key_digest::{self, KeyDigestParseError},
    },
};

use super::Checker;

/// A busy machine may not schedule a thread for this long.
const WATCHDOG_MIN: Duration = Duration::from_secs(1);
const WATCHDOG_MAX: Duration = Duration::from_mins(5);

const ACCESS_MAX: usize = 64;

impl Checker<'_> {
    pub(super) fn admin(&mut self, settings: &AdminSettings, listen: &ListenConfig) -> AdminConfig {
        let AdminSettings {
            listen: address,
            probes,
            metrics,
            ready,
            hosts,
            access,
            watchdog,
        } = settings;
        let top = KeyPath::from_keys(&["admin"]);
        let admin = self.admin_bind(address, &top.child("listen"), listen);
        if let Some(BindAddress::Address(address)) = &admin
            && !address.ip().is_loopback()
        {
            self.warning(
                &top.child("listen"),
                "whoever reaches this address sees the status and the metrics: there are no accounts here",
                "keep it on the loopback, or behind something that asks who is there",
            );
        }
        let probes = self.admin_bind(probes, &top.child("probes"), listen);
        if let (Some(one), Some(other)) = (&admin, &probes)
            && address::binds_conflict(one, other)
        {
            self.error(
                &top.child("probes"),
                "`admin.listen` listens on this address already",
            );
        }
        let metrics = self.admin_bind(metrics, &top.child("metrics"), listen);
        for (name, other) in [("listen", &admin), ("probes", &probes)] {
            if let (Some(one), Some(other)) = (&metrics, other)
                && address::binds_conflict(one, other)
            {
                let message = format!("`admin.{name}` listens on this address already");
                self.error(&top.child("metrics"), message);
            }
        }
        AdminConfig {
            listen_ipv6: self.default_ipv6(&top.child("listen"), admin.as_ref()),
            listen: admin,
            probes,
            metrics,
            readiness: ready.0,
            hosts: self.hosts(hosts, &top.child("hosts")),
            access: self.access(access, &top.child("access")),
            watchdog_timeout: self.watchdog(watchdog, &top.child("watchdog")),
        }
    }

    fn watchdog(&mut self, text: &str, path: &KeyPath) -> Duration {
        let silence_max = self.duration(path, text);
        if silence_max > WATCHDOG_MAX {
            self.error(path, "that would be no watchdog: \"5m\" or less");
        }
        if silence_max < WATCHDOG_MIN {
            self.error(
                path,
                "a busy machine is silent for longer than that: \"1s\" or more",
            );
        }
        silence_max
    }

    fn admin_bind(
        &mut self,
        text: &str,
        path: &KeyPath,
        listen: &ListenConfig,
    ) -> Option<BindAddress> {
        if text.is_empty() {
            return None;
        }
        let bind = self.bind(text, path)?;
        let https = listen.https.iter().map(|it| &it.bind);
        if listen
            .http
            .iter()
            .chain(https)
            .any(|it| address::binds_conflict(it, &bind))
        {
            self.error(path, "callers connect to this address already");
        }
        Some(bind)
    }

    fn access(
        &mut self,
        settings: &[AdminAccessSettings],
        path: &KeyPath,
    ) -> Vec<AdminAccessConfig> {
        if settings.len() > ACCESS_MAX {
            self.error(path, format!("at most {ACCESS_MAX} keys have access"));
            return Vec::new();
        }
        let mut access: Vec<AdminAccessConfig> = Vec::new();
        for (index, entry) in settings.iter().enumerate() {
            let path = path.element(index);
            let AdminAccessSettings { key, role } = entry;
            let key = self.admin_key(key.as_deref(), &path);
            if role.is_none() {
                self.missing(&path, "role", "role = \"operator\" or role = \"auditor\"");
            }
            let (Some(key), Some(role)) = (key, *role) else {
                continue;
            };
            if access.iter().any(|it| it.key == key) {
                self.error(&path.child("key"), "this key stands in the list already");
            }
            access.push(AdminAccessConfig { key, role: role.0 });
        }
        access
    }

    fn admin_key(&mut self, text: Option<&str>, path: &KeyPath) -> Option<[u8; 32]> {
        let Some(text) = text else {
            self.missing(
                path,
                "key",
                "key = \"sha256:…\": the digest of a key of 32 to 256 characters",
            );
            return None;
        };
        let path = path.child("key");
        match key_digest::parse(text) {
            Ok(digest) => Some(digest),
            Err(error) => {
                let hint = (error == KeyDigestParseError::PlaintextKey)
                    .then(|| "printf %s \"$KEY\" | sha256sum".to_owned());
                self.redacted_error(&path, error.to_string(), hint);
                None
            }
        }
    }
}
