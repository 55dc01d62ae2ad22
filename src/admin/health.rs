//! Liveness, readiness and startup checks, and the overall health: all of them made from one snapshot.

use std::{borrow::Cow, fmt::Write};

use crate::watchdog::{Liveness, PartStatus};

use super::{
    diagnosis::diagnose,
    status_snapshot::{
        AuditState, AuditStatus, IdentityState, IdentityStatus, StatusSnapshot, TenantStatus,
    },
};

pub use super::{duration_text::humanize_duration, overall_health::Health};

/// When `/readyz` says yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadinessCondition {
    AllTokens,
    AnyToken,
    Listening,
}

/// One line of a verbose probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeCheck {
    pub name: Cow<'static, str>,
    /// Why it failed.
    pub failure: Option<String>,
    /// What does not work though it passed.
    pub reservation: Option<String>,
}

impl ProbeCheck {
    /// A check that passed.
    #[must_use]
    pub const fn passed(name: &'static str) -> Self {
        Self {
            name: Cow::Borrowed(name),
            failure: None,
            reservation: None,
        }
    }

    fn new(
        name: impl Into<Cow<'static, str>>,
        fine: bool,
        failure: impl FnOnce() -> String,
    ) -> Self {
        Self {
            name: name.into(),
            failure: (!fine).then(failure),
            reservation: None,
        }
    }

    /// Whether it passed.
    #[must_use]
    pub const fn is_passed(&self) -> bool {
        self.failure.is_none()
    }
}

/// What `/livez` checks: that the listener responds, and that no part has stalled.
#[must_use]
pub fn liveness(parts: &[PartStatus]) -> Vec<ProbeCheck> {
    let part = |it: &PartStatus| {
        ProbeCheck::new(it.name.clone(), it.liveness != Liveness::Stalled, || {
            format!("stalled for {} s", it.silent.as_secs())
        })
    };
    let response_future = ProbeCheck::passed("answering");
    std::iter::once(response_future)
        .chain(parts.iter().map(part))
        .collect()
}

/// What `/readyz` checks.
#[must_use]
pub fn readiness(snapshot: &StatusSnapshot, ready: ReadinessCondition) -> Vec<ProbeCheck> {
    let mut checks = vec![
        listening(snapshot),
        ProbeCheck::new("draining", !snapshot.draining, || {
            "no new requests, it is about to stop".to_owned()
        }),
    ];
    // What is about to be restarted takes no new requests.
    let stalled = snapshot.stalled.iter().filter(|it| it.is_fatal);
    let stalled: Vec<&str> = stalled.map(|it| it.part.as_str()).collect();
    checks.push(ProbeCheck::new("parts", stalled.is_empty(), || {
        format!("stalled: {}", stalled.join(", "))
    }));
    checks.push(audit_check(&snapshot.audit));
    let without: Vec<String> = identities(snapshot)
        .filter(|(_, identity)| identity.state != IdentityState::Valid)
        .map(|(tenant, identity)| format!("{}/{}", tenant.name, identity.identity))
        .collect();
    let any = without.len() < identities(snapshot).count();
    let enough = match ready {
        ReadinessCondition::AllTokens => any && without.is_empty(),
        ReadinessCondition::AnyToken => any,
        ReadinessCondition::Listening => return checks,
    };
    checks.push(ProbeCheck::new("tokens", enough, || {
        match without.as_slice() {
            [] => "no tenant has an identity".to_owned(),
            names => format!("no valid token for {}", names.join(", ")),
        }
    }));
    checks
}

/// Whoever refuses all takes no new requests; whoever still reads stays ready, as `audit.on_failure` asks, and says so.
fn audit_check(audit: &AuditStatus) -> ProbeCheck {
    let is_failing = audit.state == AuditState::Failing;
    let is_recorded = !(is_failing && audit.refuses_reads);
    let check = ProbeCheck::new("audit", is_recorded, || {
        "the audit log cannot be written, and nothing goes unrecorded".to_owned()
    });
    ProbeCheck {
        reservation: (is_failing && is_recorded)
            .then(|| "the audit log cannot be written: everything but reads is refused".to_owned()),
        ..check
    }
}

/// What `/startupz` checks. Once passed it stays so: draining is not starting.
#[must_use]
pub fn startup(snapshot: &StatusSnapshot) -> Vec<ProbeCheck> {
    vec![listening(snapshot)]
}

impl StatusSnapshot {
    /// Completes a snapshot from itself: sets `troubles`, `degraded` and `health` by what its other members show. Everything
    /// that judges the proxy (`status`, the probes, the metrics, the log, `doctor`) goes by these.
    #[must_use]
    pub fn with_health(mut self) -> Self {
        self.troubles = diagnose(&self);
        self.degraded = self.troubles.iter().map(|it| it.text.clone()).collect();
        self.health = health(&self);
        self
    }
}

/// The body of a probe: `ok`, or one line a check when asked for or when one failed.
pub(super) fn probe_body(
    name: &str,
    checks: &[ProbeCheck],
    verbose: bool,
    with_reasons: bool,
) -> String {
    let passed = checks.iter().all(ProbeCheck::is_passed);
    if passed && !verbose {
        return "ok\n".to_owned();
    }
    let mut text = String::new();
    for check in checks {
        // Writing to a String cannot fail.
        let _ = match (&check.failure, &check.reservation) {
            (None, None) => writeln!(text, "[+]{} ok", check.name),
            (None, Some(what)) if with_reasons => {
                writeln!(text, "[+]{} degraded: {what}", check.name)
            }
            (None, Some(_)) => writeln!(text, "[+]{} degraded", check.name),
            (Some(why), _) if with_reasons => writeln!(text, "[-]{} failed: {why}", check.name),
            (Some(_), _) => writeln!(text, "[-]{} failed", check.name),
        };
    }
    let verdict = if passed { "passed" } else { "failed" };
    let _ = writeln!(text, "{name} check {verdict}");
    text
}

/// Of the troubles, what is worst.
fn health(snapshot: &StatusSnapshot) -> Health {
    if snapshot.starting || snapshot.draining {
        return Health::NotNow;
    }
    let worst = snapshot.troubles.iter().map(|it| it.kind.health());
    let worst = worst.max().unwrap_or(Health::Healthy);
    let is_served = |(tenant, it): (&TenantStatus, &IdentityStatus)| {
        it.state == IdentityState::Valid && tenant.unreachable.is_none()
    };
    let is_unrecorded = snapshot.audit.state == AuditState::Failing && snapshot.audit.refuses_reads;
    let can_send =
        !is_unrecorded && (snapshot.tenants.is_empty() || identities(snapshot).any(is_served));
    match worst {
        Health::NeedsLogin => Health::NeedsLogin,
        _ if !can_send => Health::Down,
        worst => worst,
    }
}

fn listening(snapshot: &StatusSnapshot) -> ProbeCheck {
    let fine = !snapshot.starting && !snapshot.listeners.is_empty();
    ProbeCheck::new("listening", fine, || "it is still starting".to_owned())
}

fn identities(snapshot: &StatusSnapshot) -> impl Iterator<Item = (&TenantStatus, &IdentityStatus)> {
    snapshot
        .tenants
        .iter()
        .flat_map(|tenant| tenant.identities.iter().map(move |it| (tenant, it)))
}
