//! Snapshots of a running proxy.

use std::sync::Arc;

use ninjaone_proxy::{
    admin::{
        health::Health,
        metrics_snapshot::{
            HistogramSnapshot, LoginMetrics, MetricsSnapshot, RenewalCount, RequestCount,
            ThrottleCount, TokenMetrics, status_class,
        },
        status_snapshot::{
            AuditState, AuditStatus, BudgetStatus, CallerStatus, ConfigStatus, IdentityState,
            IdentityStatus, ListenerStatus, LogStatus, SCHEMA, StatusSnapshot, TenantStatus,
            Traffic, UserLoginStatus,
        },
    },
    audit::decision::Decision,
};

pub(crate) fn identity(name: &str, state: IdentityState) -> IdentityStatus {
    let valid = state == IdentityState::Valid;
    IdentityStatus {
        identity: name.to_owned(),
        state,
        expires_at: valid.then(|| "2026-11-17T15:02:11.000000Z".to_owned()),
        expires_in_s: valid.then_some(48 * 60),
        renews_in_s: valid.then_some(36 * 60),
        generation: 3,
        last_error: None,
        serves_until: valid.then(|| "15:02 UTC".to_owned()),
        refused_change: None,
        only_login_helps: state == IdentityState::LoginNeeded,
        login: None,
    }
}

/// A user's identity, with a token from a login that can be renewed.
pub(crate) fn user() -> IdentityStatus {
    IdentityStatus {
        login: Some(UserLoginStatus {
            logged_in_at: Some("2026-11-10T08:30:00.000000Z".to_owned()),
            refreshed_at: Some("2026-11-17T14:02:11.000000Z".to_owned()),
            renewable: true,
            unsaved_since: None,
            store_fault: None,
        }),
        ..identity("user", IdentityState::Valid)
    }
}

/// As [`healthy`], with a user beside the service.
pub(crate) fn with_user(
    change: impl FnOnce(&mut IdentityStatus, &mut UserLoginStatus),
) -> StatusSnapshot {
    let mut user = user();
    let mut login = user.login.take().unwrap();
    change(&mut user, &mut login);
    user.login = Some(login);
    changed(|it| it.tenants[0].identities.push(user))
}

pub(crate) fn healthy() -> StatusSnapshot {
    StatusSnapshot {
        schema: SCHEMA.to_owned(),
        health: Health::Healthy,
        degraded: Vec::new(),
        troubles: Vec::new(),
        version: "0.1.0".to_owned(),
        pid: 4711,
        boot: "01K9".to_owned(),
        started: "2026-11-17T14:02:11.000000Z".to_owned(),
        uptime_s: 273_600,
        starting: false,
        draining: false,
        config: ConfigStatus {
            generation: 1,
            fingerprint: "5b1f0c5b1f0c5b1f0c".to_owned(),
            loaded_at: "2026-11-17T14:02:11.000000Z".to_owned(),
            last_error: None,
            tries: 1,
            file: None,
            pending_restart: Vec::new(),
        },
        listeners: vec![ListenerStatus {
            role: "callers".to_owned(),
            address: "http://127.0.0.1:6465".to_owned(),
            connections: 2,
        }],
        tenants: vec![TenantStatus {
            name: "acme".to_owned(),
            label: Some("Acme MSP".to_owned()),
            origin: "https://eu.ninjarmm.com".to_owned(),
            proxy: None,
            learned_user_operations: Vec::new(),
            identities: vec![identity("service", IdentityState::Valid)],
            budget: BudgetStatus::default(),
            unreachable: None,
            stale_host: None,
        }],
        callers: vec![CallerStatus {
            name: "powerbi".to_owned(),
            requests: 12_345,
            refused: 3,
            last_used: Some("2026-11-17T14:02:11.123456Z".to_owned()),
            expired: false,
        }],
        audit: AuditStatus {
            state: AuditState::Writing,
            records: 1_404_882,
            failures: 0,
            queued: 0,
            lost: 0,
            path: "/var/log/ninjaone-proxy/audit".to_owned(),
            last_error: None,
            refuses_reads: false,
            gap: None,
            strangers_counted: 0,
            space: None,
        },
        traffic: Traffic {
            requests: 12_345,
            in_flight: 1,
            statuses: [("2xx".to_owned(), 12_342), ("4xx".to_owned(), 3)].into(),
            ..Traffic::default()
        },
        caller_token_faults: Vec::new(),
        stalled: Vec::new(),
        log: LogStatus::default(),
    }
}

pub(crate) fn changed(change: impl FnOnce(&mut StatusSnapshot)) -> StatusSnapshot {
    let mut snapshot = healthy();
    change(&mut snapshot);
    snapshot.with_health()
}

pub(crate) fn without_token() -> StatusSnapshot {
    changed(|it| it.tenants[0].identities = vec![identity("service", IdentityState::Unavailable)])
}

pub(crate) fn figures() -> MetricsSnapshot {
    MetricsSnapshot {
        version: "0.1.0",
        requests: vec![RequestCount {
            caller: Arc::from("powerbi"),
            operation: Arc::from("getDevices"),
            decision: Decision::Allowed,
            status_class: status_class(2),
            count: 7,
        }],
        duration: HistogramSnapshot {
            bounds_s: vec![0.005, 0.01, 60.0],
            counts: vec![1, 2, 0, 4],
            sum_s: 301.5,
        },
        overhead: HistogramSnapshot {
            bounds_s: vec![0.000_05, 0.001],
            counts: Vec::new(),
            sum_s: 0.0,
        },
        tokens: vec![
            TokenMetrics {
                tenant: Arc::from("acme"),
                identity: "service",
                expires_unix_s: Some(1_795_000_000),
                new_secret_refused: false,
                login: None,
            },
            TokenMetrics {
                tenant: Arc::from("acme"),
                identity: "user",
                expires_unix_s: None,
                new_secret_refused: false,
                login: Some(LoginMetrics {
                    needed: true,
                    unsaved: false,
                }),
            },
        ],
        renewals: vec![RenewalCount {
            tenant: Arc::from("acme"),
            identity: "service",
            result: "renewed",
            count: 2,
        }],
        throttled: vec![ThrottleCount {
            tenant: Arc::from("acme"),
            kind: "html",
            count: 1,
        }],
        audit_records: 14,
        ..MetricsSnapshot::default()
    }
}
