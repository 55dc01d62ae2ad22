//! Checks the listeners for callers.

use std::{net::SocketAddr, num::NonZeroUsize, time::Duration};

use crate::config::{
    BindAddress, ListenConfig, TlsListenerConfig, UnixListenerConfig, read::key_path::KeyPath,
    settings, value::address,
};

use super::Checker;

/// Minimum and maximum.
const HEAD_BYTES: (u64, u64) = (1 << 10, 1 << 20);
const BODY_BYTES: (u64, u64) = (1, 16 << 30);
/// A caller across a slow network needs this long to authenticate.
const UNAUTHENTICATED_IDLE_MIN: Duration = Duration::from_millis(100);
/// `sockaddr_un.sun_path` without its terminator (unix(7)).
const SOCKET_PATH_BYTES_MAX: usize = 107;

impl Checker<'_> {
    fn unauthenticated_idle(&mut self, text: &str, path: &KeyPath) -> Duration {
        let idle = self.duration(path, text);
        if idle < UNAUTHENTICATED_IDLE_MIN {
            self.error(
                path,
                "no caller could prove anything in that time: \"100ms\" or more",
            );
        }
        idle
    }

    pub(super) fn listen(&mut self, settings: &settings::listen::ListenSettings) -> ListenConfig {
        let settings::listen::ListenSettings {
            http,
            unencrypted,
            unix,
            https,
            hosts,
            max_header,
            max_body,
            max_upload,
            drain,
            workers,
            connections,
            connections_per_peer,
            unproven_idle,
        } = settings;
        let top = KeyPath::from_keys(&["listen"]);
        let is_deaf = http.is_empty() && unix.is_empty() && https.is_empty();
        let http = self.http(http, *unencrypted, &top.child("http"));
        let unix = self.unix(unix, &top.child("unix"));
        let https = self.https(https, &top.child("https"));
        if is_deaf {
            let path = top.child("http");
            self.error_with_hint(
                &path,
                "nobody can connect: there is no listener",
                "give `http`, `https` or `unix` an entry",
            );
        }
        self.reject_bind_conflicts(&http, &https);
        let http = without_paths(http);
        let https = without_paths(https);
        let http_ipv6 = self.default_ipv6(&top.child("http"), http.first());
        let http_ipv6 = http_ipv6.filter(|it| {
            let bind = BindAddress::Address(*it);
            let mut tls = https.iter();
            !tls.any(|other| address::binds_conflict(&other.bind, &bind))
        });
        let head = self.size(&top.child("max_header"), max_header, HEAD_BYTES);
        let body = self.size(&top.child("max_body"), max_body, BODY_BYTES);
        let upload = self.size(&top.child("max_upload"), max_upload, BODY_BYTES);
        let are_accepted = ["max_body", "max_upload"]
            .iter()
            .all(|it| self.was_accepted(&top.child(it)));
        if are_accepted && upload < body && self.provenance.contains(&top.child("max_upload")) {
            self.warning(
                &top.child("max_upload"),
                "an upload may be shorter than any other body",
                "raise it to at least `max_body`",
            );
        }
        ListenConfig {
            http,
            http_ipv6,
            unix,
            https,
            hosts: self.hosts(hosts, &top.child("hosts")),
            head_bytes_max: usize::try_from(head).unwrap_or(usize::MAX),
            body_bytes_max: body,
            upload_bytes_max: upload,
            drain_timeout: self.duration(&top.child("drain"), drain),
            workers: workers.map_or_else(available_cores, as_usize),
            connections_max: as_usize(*connections),
            connections_per_peer_max: as_usize(*connections_per_peer),
            unauthenticated_idle: self
                .unauthenticated_idle(unproven_idle, &top.child("unproven_idle")),
        }
    }

    fn http(
        &mut self,
        texts: &[String],
        is_meant: bool,
        path: &KeyPath,
    ) -> Vec<(KeyPath, BindAddress)> {
        let mut binds = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            let path = path.element(index);
            let Some(bind) = self.bind(text, &path) else {
                continue;
            };
            if let BindAddress::Address(address) = &bind
                && !address.ip().is_loopback()
                && !is_meant
            {
                self.warning(
                    &path,
                    "keys travel unencrypted to this address, which others can reach",
                    "use `https`, or keep it on the loopback; where the network is private, `unencrypted = true` says so",
                );
            }
            binds.push((path, bind));
        }
        binds
    }

    /// `[::1]` beside a listener that nobody has chosen: many clients resolve `localhost` to it, and try nothing else.
    pub(super) fn default_ipv6(
        &self,
        path: &KeyPath,
        bind: Option<&BindAddress>,
    ) -> Option<SocketAddr> {
        if self.provenance.contains(path) {
            return None;
        }
        address::ipv6_loopback(bind?)
    }

    pub(super) fn bind(&mut self, text: &str, path: &KeyPath) -> Option<BindAddress> {
        match address::parse_bind_address(text) {
            Ok(bind) => Some(bind),
            Err(error) => {
                // The reader has reported an empty placeholder already.
                if !text.is_empty() || self.was_accepted(path) {
                    self.error(path, error);
                }
                None
            }
        }
    }

    fn unix(
        &mut self,
        sockets: &[settings::listen::UnixListenerSettings],
        path: &KeyPath,
    ) -> Vec<UnixListenerConfig> {
        let mut binds = Vec::new();
        for (index, socket) in sockets.iter().enumerate() {
            let settings::listen::UnixListenerSettings {
                path: file,
                mode,
                group,
            } = socket;
            let path = path.element(index);
            let mode = mode.as_deref().unwrap_or("0660");
            let mode = self.mode(mode, &path.child("mode"));
            let Some(text) = file else {
                self.missing(&path, "path", "where the socket is to be made");
                continue;
            };
            let file = self.path(text);
            if text.is_empty() || file.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
                let message = format!("a socket's path has 1 to {SOCKET_PATH_BYTES_MAX} bytes");
                self.error(&path.child("path"), message);
            }
            binds.push(UnixListenerConfig {
                path: file,
                mode,
                group: group.clone(),
            });
        }
        binds
    }

    fn mode(&mut self, text: &str, path: &KeyPath) -> u32 {
        let is_octal = text.len() >= 3 && text.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
        let mode = u32::from_str_radix(text, 8)
            .ok()
            .filter(|mode| is_octal && *mode <= 0o777);
        let Some(mode) = mode else {
            self.error(path, "permissions are three octal digits, such as \"0660\"");
            return 0o600;
        };
        mode
    }

    fn https(
        &mut self,
        listeners: &[settings::listen::TlsListenerSettings],
        path: &KeyPath,
    ) -> Vec<(KeyPath, TlsListenerConfig)> {
        let mut binds = Vec::new();
        for (index, listener) in listeners.iter().enumerate() {
            let settings::listen::TlsListenerSettings { bind, cert, key } = listener;
            let path = path.element(index);
            for (name, value) in [("bind", bind), ("cert", cert), ("key", key)] {
                if value.is_none() {
                    self.missing(
                        &path,
                        name,
                        "an HTTPS listener has `bind`, `cert` and `key`",
                    );
                }
            }
            let (Some(bind), Some(cert), Some(key)) = (bind, cert, key) else {
                continue;
            };
            let bind = self.bind(bind, &path.child("bind"));
            let cert = self.existing_file(&path.child("cert"), cert);
            let key = self.existing_file(&path.child("key"), key);
            if let Some(bind) = bind {
                binds.push((path.child("bind"), TlsListenerConfig { bind, cert, key }));
            }
        }
        binds
    }

    fn reject_bind_conflicts(
        &mut self,
        http: &[(KeyPath, BindAddress)],
        https: &[(KeyPath, TlsListenerConfig)],
    ) {
        let plain = http.iter().map(|(path, bind)| (path, bind));
        let tls = https.iter().map(|(path, it)| (path, &it.bind));
        let all: Vec<_> = plain.chain(tls).collect();
        for (index, (path, bind)) in all.iter().enumerate() {
            let mut before = all.iter().take(index);
            if let Some((other, _)) = before.find(|(_, it)| address::binds_conflict(it, bind)) {
                self.error(path, format!("`{other}` listens on this address already"));
            }
        }
    }

    pub(super) fn hosts(&mut self, texts: &[String], path: &KeyPath) -> Vec<String> {
        if texts.is_empty() {
            self.error_with_hint(
                path,
                "no request would be answered: there is no host",
                "name the hosts that callers use in their URLs",
            );
        }
        let mut hosts = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            let path = path.element(index);
            match address::parse_host(text) {
                Ok(host) => hosts.push(host),
                Err(error) => self.error(&path, error),
            }
        }
        hosts
    }
}

fn without_paths<T>(binds: Vec<(KeyPath, T)>) -> Vec<T> {
    binds.into_iter().map(|(_, bind)| bind).collect()
}

fn available_cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

fn as_usize(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
