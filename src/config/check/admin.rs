//! Checks the admin listeners and the keys that have access to them.

use std::time::Duration;

use crate::config::{
    AdminConfig, BindAddress, ListenConfig, StoreConfig, read::key_path::KeyPath,
    settings::admin::AdminSettings, value::address,
};

use super::Checker;

/// A busy machine may not schedule a thread for this long.
const WATCHDOG_MIN: Duration = Duration::from_secs(1);
const WATCHDOG_MAX: Duration = Duration::from_mins(5);

impl Checker<'_> {
    pub(super) fn admin(
        &mut self,
        settings: &AdminSettings,
        listen: &ListenConfig,
        store: Option<&StoreConfig>,
    ) -> AdminConfig {
        let AdminSettings {
            listen: address,
            probes,
            metrics,
            socket,
            anonymous,
            ready,
            hosts,
            access,
            watchdog,
        } = settings;
        let top = KeyPath::from_keys(&["admin"]);
        let admin = self.admin_bind(address, &top.child("listen"), listen);
        if let Some(BindAddress::Address(address)) = &admin
            && *anonymous
            && !address.ip().is_loopback()
        {
            self.warning(
                &top.child("anonymous"),
                "whoever reaches `admin.listen` sees the status and the metrics",
                "keep `admin.listen` on the loopback, or give out keys: [[admin.access]]",
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
            socket: self.admin_socket(socket.as_deref(), store),
            anonymous: *anonymous,
            access: self.admin_access(access, &top.child("access")),
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
}
