//! Liveness, readiness and startup checks, the overall health, and the reasons for a degraded one.

use std::{borrow::Cow, fmt::Write, time::Duration};

use crate::watchdog::{Liveness, PartStatus};

use super::status_snapshot::{
    AuditSpaceLevel, AuditState, AuditStatus, IdentityState, IdentityStatus, StalledPart,
    StatusSnapshot, TenantStatus,
};

pub use super::overall_health::Health;

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
}

impl ProbeCheck {
    /// A check that passed.
    #[must_use]
    pub const fn passed(name: &'static str) -> Self {
        Self {
            name: Cow::Borrowed(name),
            failure: None,
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
    let audit = &snapshot.audit;
    let is_recorded = audit.state == AuditState::Writing || !audit.refuses_reads;
    checks.push(ProbeCheck::new("audit", is_recorded, || {
        "the audit log cannot be written, and nothing goes unrecorded".to_owned()
    }));
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

/// What `/startupz` checks. Once passed it stays so: draining is not starting.
#[must_use]
pub fn startup(snapshot: &StatusSnapshot) -> Vec<ProbeCheck> {
    vec![listening(snapshot)]
}

impl StatusSnapshot {
    /// Completes a snapshot from itself: adds to `degraded` what its other members show, and sets `health`.
    #[must_use]
    pub fn with_health(mut self) -> Self {
        self.degraded.extend(degraded_reasons(&self));
        self.health = self.health();
        self
    }

    /// The health that the members show.
    #[must_use]
    pub fn health(&self) -> Health {
        health(self)
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
        let _ = match &check.failure {
            None => writeln!(text, "[+]{} ok", check.name),
            Some(why) if with_reasons => writeln!(text, "[-]{} failed: {why}", check.name),
            Some(_) => writeln!(text, "[-]{} failed", check.name),
        };
    }
    let verdict = if passed { "passed" } else { "failed" };
    let _ = writeln!(text, "{name} check {verdict}");
    text
}

fn health(snapshot: &StatusSnapshot) -> Health {
    if snapshot.starting || snapshot.draining {
        return Health::NotNow;
    }
    let in_state = |state| identities(snapshot).any(|(_, identity)| identity.state == state);
    if in_state(IdentityState::LoginNeeded) {
        return Health::NeedsLogin;
    }
    if !in_state(IdentityState::Valid) && !snapshot.tenants.is_empty() {
        return Health::Down;
    }
    if snapshot.degraded.is_empty() && degraded_reasons(snapshot).is_empty() {
        Health::Healthy
    } else {
        Health::Degraded
    }
}

/// What needs attention, a sentence each, as far as it shows in the snapshot itself.
fn degraded_reasons(snapshot: &StatusSnapshot) -> Vec<String> {
    let mut troubles = Vec::new();
    if let Some(problem) = &snapshot.config.last_error {
        troubles.push(format!(
            "The configuration on disk is wrong, so generation {} stays in force: {problem}",
            snapshot.config.generation
        ));
    }
    troubles.extend(identities(snapshot).filter_map(|(tenant, it)| token_problem(tenant, it)));
    troubles.extend(identities(snapshot).filter_map(|(tenant, it)| login_problem(tenant, it)));
    for tenant in &snapshot.tenants {
        if tenant.budget.paused_s > 0 {
            troubles.push(format!(
                "{}: NinjaOne asked to slow down; sending resumes in {}.",
                tenant.name,
                humanize_duration(tenant.budget.paused_s)
            ));
        }
    }
    let audit = &snapshot.audit;
    if audit.state == AuditState::Failing {
        let refused = if audit.refuses_reads {
            "every request"
        } else {
            "everything but reads"
        };
        let why = audit
            .last_error
            .as_deref()
            .unwrap_or("its disk does not answer");
        troubles.push(format!(
            "The audit log {} cannot be written: {refused} is refused ({why}).",
            audit.path
        ));
    }
    troubles.extend(space_problem(audit));
    troubles.extend(snapshot.stalled.iter().map(stall_reason));
    if audit.lost > 0 {
        troubles.push(format!("{} audit records were lost.", audit.lost));
    }
    troubles
}

/// Of a log that has no room left at all, its state tells.
fn space_problem(audit: &AuditStatus) -> Option<String> {
    let space = audit.space.as_ref()?;
    (space.level == AuditSpaceLevel::ReserveOnly).then(|| {
        format!(
            "The audit log {} has only its reserve left: {}. Until then requests without a valid key are counted, not written one by one.",
            audit.path,
            space.shortage.as_deref().unwrap_or("make room for it")
        )
    })
}

fn stall_reason(it: &StalledPart) -> String {
    let (part, silent) = (&it.part, humanize_duration(it.silent_s));
    if it.is_fatal {
        format!("{part} has been stalled for {silent}: restart the proxy.")
    } else {
        format!("{part} has been in a system call for {silent}: its disk is slow or hangs.")
    }
}

/// A length of time as people say it: `45 s`, `36 min`, `5 h 3 min`, `12 d 4 h`.
#[must_use]
pub fn humanize_duration(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let two = |large, large_unit, rest, small_unit| match rest {
        0 => format!("{large} {large_unit}"),
        rest => format!("{large} {large_unit} {rest} {small_unit}"),
    };
    match Duration::from_secs(seconds).as_secs() {
        s if s < 2 * MINUTE => format!("{s} s"),
        s if s < 2 * HOUR => format!("{} min", s / MINUTE),
        s if s < DAY => two(s / HOUR, "h", s % HOUR / MINUTE, "min"),
        s => two(s / DAY, "d", s % DAY / HOUR, "h"),
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

/// What is wrong with how a login is stored, while its token may be good.
fn login_problem(tenant: &TenantStatus, identity: &IdentityStatus) -> Option<String> {
    let login = identity.login.as_ref()?;
    let who = format!("{}/{}", tenant.name, identity.identity);
    let fault = login.store_fault.as_deref();
    if let Some(since) = &login.unsaved_since {
        return Some(format!(
            "{who}: the login is in memory only since {since}, and is lost if the proxy ends: {}.",
            fault.unwrap_or("it is not stored yet")
        ));
    }
    if let Some(fault) = fault {
        return Some(format!("{who}: the store of logins: {fault}."));
    }
    let ends = identity.state == IdentityState::Valid && !login.renewable;
    ends.then(|| {
        format!(
            "{who}: this login cannot be renewed and ends in {}. Then run: ninjaone-proxy login {}",
            humanize_duration(identity.expires_in_s.unwrap_or_default()),
            tenant.name
        )
    })
}

fn token_problem(tenant: &TenantStatus, identity: &IdentityStatus) -> Option<String> {
    let who = format!("{}/{}", tenant.name, identity.identity);
    let problem = identity.last_error.as_deref();
    match (identity.state, problem) {
        (IdentityState::Valid, None) => None,
        (IdentityState::Valid, Some(problem)) => Some(format!(
            "{who}: the last renewal failed ({problem}); the token is valid for another {}.",
            humanize_duration(identity.expires_in_s.unwrap_or_default())
        )),
        (IdentityState::Starting, None) => {
            Some(format!("{who}: the first token is being fetched."))
        }
        (IdentityState::Starting | IdentityState::Unavailable, problem) => Some(format!(
            "{who}: there is no valid token ({}).",
            problem.unwrap_or("it expired")
        )),
        (IdentityState::LoginNeeded, problem) => Some(format!(
            "{who}: a person must log in ({}). Run: ninjaone-proxy login {}",
            problem.unwrap_or("nobody has yet"),
            tenant.name
        )),
    }
}
