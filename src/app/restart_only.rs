//! The settings that a reload does not apply: they take effect when the program is started again.
//!
//! Everything is destructured without `..`, so a new setting does not compile until this file says whether a reload applies
//! it.

use std::time::Duration;

use crate::config::{
    AdminConfig, AuditConfig, BindAddress, Config, ListenConfig, StoreConfig, TelemetryConfig,
    TlsListenerConfig, UnixListenerConfig,
};

/// The settings in force that only a restart changes.
pub(super) struct RestartOnlySettings {
    sockets: (
        Vec<BindAddress>,
        Vec<UnixListenerConfig>,
        Vec<TlsListenerConfig>,
    ),
    workers: usize,
    /// In total, and for each peer.
    connections_max: (usize, usize),
    unproven_idle: Duration,
    head_bytes_max: usize,
    drain: Duration,
    admin: AdminConfig,
    audit: AuditConfig,
    /// Its seals are secrets: they are compared, never printed.
    store: Option<StoreConfig>,
    telemetry: TelemetryConfig,
}

impl RestartOnlySettings {
    pub(super) fn of(config: &Config) -> Self {
        let Config {
            listen,
            admin,
            audit,
            store,
            telemetry,
            // A reload builds new rules from these.
            tenants: _,
            callers: _,
            operations: _,
            budget: _,
            caller_tokens: _,
            timeouts: _,
            retry: _,
            // Properties of the files, not settings.
            fingerprint: _,
            effective: _,
            file: _,
            watched_paths: _,
        } = config;
        let ListenConfig {
            http,
            // Follows from `http`.
            http_ipv6: _,
            unix,
            https,
            workers,
            connections_max,
            connections_per_peer_max,
            unauthenticated_idle: unproven_idle,
            head_bytes_max,
            drain_timeout: drain,
            // Part of the rules, so a reload applies them.
            hosts: _,
            body_bytes_max: _,
            upload_bytes_max: _,
        } = listen;
        Self {
            sockets: (http.clone(), unix.clone(), https.clone()),
            workers: *workers,
            connections_max: (*connections_max, *connections_per_peer_max),
            unproven_idle: *unproven_idle,
            head_bytes_max: *head_bytes_max,
            drain: *drain,
            // A reload applies who has access.
            admin: AdminConfig {
                access: Vec::new(),
                anonymous: false,
                ..admin.clone()
            },
            audit: audit.clone(),
            store: store.clone(),
            telemetry: telemetry.clone(),
        }
    }

    /// The names of the settings that differ in `new`, as the operator writes them.
    pub(super) fn changed(&self, new: &Self) -> Vec<&'static str> {
        let Self {
            sockets,
            workers,
            connections_max,
            unproven_idle,
            head_bytes_max,
            drain,
            admin,
            audit:
                AuditConfig {
                    path,
                    path_origin: _,
                    serve_reads_unrecorded,
                    strangers,
                    strangers_per_peer,
                    total_bytes_max,
                    reserve_bytes,
                },
            store,
            telemetry,
        } = self;
        let compared = [
            ("listen", *sockets == new.sockets),
            ("listen.workers", *workers == new.workers),
            (
                "listen.connections",
                *connections_max == new.connections_max,
            ),
            ("listen.unproven_idle", *unproven_idle == new.unproven_idle),
            ("listen.max_header", *head_bytes_max == new.head_bytes_max),
            ("listen.drain", *drain == new.drain),
            ("admin", *admin == new.admin),
            ("audit.path", *path == new.audit.path),
            (
                "audit.on_failure",
                *serve_reads_unrecorded == new.audit.serve_reads_unrecorded,
            ),
            ("audit.strangers", *strangers == new.audit.strangers),
            (
                "audit.strangers_per_peer",
                *strangers_per_peer == new.audit.strangers_per_peer,
            ),
            (
                "audit.max_total",
                *total_bytes_max == new.audit.total_bytes_max,
            ),
            ("audit.reserve", *reserve_bytes == new.audit.reserve_bytes),
            ("telemetry", *telemetry == new.telemetry),
            ("store", *store == new.store),
        ];
        let changed = compared.into_iter().filter(|(_, is_same)| !is_same);
        changed.map(|(name, _)| name).collect()
    }
}
