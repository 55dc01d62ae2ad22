//! What a status shows to be wrong: the one place that decides it, for every command, probe and metric.

use crate::typed_command::typed;

use super::{
    duration_text::humanize_duration,
    status_snapshot::{
        AuditSpaceLevel, AuditState, AuditStatus, ConfigStatus, IdentityState, IdentityStatus,
        LogState, LogStatus, StalledPart, StatusSnapshot, TenantStatus,
    },
    trouble::{Trouble, TroubleKind},
};

/// Everything that needs attention.
pub(super) fn diagnose(snapshot: &StatusSnapshot) -> Vec<Trouble> {
    let mut all = config_troubles(&snapshot.config);
    for tenant in &snapshot.tenants {
        let identities = tenant.identities.iter();
        all.extend(
            identities
                .clone()
                .filter_map(|it| token_trouble(tenant, it)),
        );
        all.extend(identities.filter_map(|it| login_trouble(tenant, it)));
        all.extend(tenant_troubles(tenant));
    }
    all.extend(snapshot.caller_token_faults.iter().map(|fault| {
        let text = format!("{}.", fault.trim_end_matches('.'));
        trouble(TroubleKind::CallerTokensUnsaved, "token-endpoint", text)
    }));
    all.extend(audit_troubles(&snapshot.audit));
    all.extend(log_trouble(&snapshot.log));
    all.extend(snapshot.stalled.iter().map(stall_trouble));
    all
}

fn trouble(kind: TroubleKind, about: &str, text: impl Into<String>) -> Trouble {
    Trouble {
        kind,
        about: about.to_owned(),
        text: typed(text.into()).into_owned(),
    }
}

fn config_troubles(config: &ConfigStatus) -> Vec<Trouble> {
    let restart = config.pending_restart.iter().map(|setting| {
        let text = format!(
            "{setting} has changed; the change takes effect when ninjaone-proxy is started again."
        );
        trouble(TroubleKind::RestartNeeded, setting, text)
    });
    let refused = config.last_error.iter().map(|problem| {
        let text = format!(
            "The configuration on disk is wrong, so generation {} stays in force: {}.",
            config.generation,
            problem.trim_end_matches('.')
        );
        trouble(TroubleKind::ReloadRefused, "", text)
    });
    restart.chain(refused).collect()
}

fn tenant_troubles(tenant: &TenantStatus) -> Vec<Trouble> {
    let (name, mut all) = (&tenant.name, Vec::new());
    if tenant.budget.paused_s > 0 {
        let text = format!(
            "{name}: NinjaOne asked to slow down; sending resumes in {}.",
            humanize_duration(tenant.budget.paused_s)
        );
        all.push(trouble(TroubleKind::Throttled, name, text));
    }
    if let Some(it) = &tenant.unreachable {
        let text = format!(
            "{name}: NinjaOne cannot be reached at {} since {}: {}.",
            tenant.origin, it.since, it.error
        );
        all.push(trouble(TroubleKind::Unreachable, name, text));
    }
    if let Some(host) = &tenant.stale_host {
        let text = format!(
            "{name}: the name servers give no answer for {host}: its last known addresses are used, for a day at most. \
             Look at this machine's name servers."
        );
        all.push(trouble(TroubleKind::NameServers, name, text));
    }
    all
}

fn audit_troubles(audit: &AuditStatus) -> Vec<Trouble> {
    let mut all = Vec::new();
    if audit.state == AuditState::Failing {
        let refused = if audit.refuses_reads {
            "every request"
        } else {
            "everything but reads"
        };
        let why = audit
            .last_error
            .as_deref()
            .unwrap_or("its disk does not answer in time");
        let text = format!(
            "The audit log {} cannot be written: {refused} is refused ({why}).",
            audit.path
        );
        all.push(trouble(TroubleKind::AuditFailing, "audit", text));
    }
    // Of a log that has no room left at all, its state tells.
    if let Some(space) = &audit.space
        && space.level == AuditSpaceLevel::ReserveOnly
    {
        let text = format!(
            "The audit log {} has only its reserve left: {}. Until then requests without a valid key are counted, not recorded one by one.",
            audit.path,
            space.shortage.as_deref().unwrap_or("make room for it")
        );
        all.push(trouble(TroubleKind::AuditReserve, "audit", text));
    }
    if let Some(gap) = &audit.gap {
        let text = format!(
            "The audit log has a gap: {}, from {} to {}; {} lines were lost. See: ninjaone-proxy audit verify. \
             This is shown for a day, or until a restart.",
            gap.reason, gap.from, gap.to, gap.lost
        );
        all.push(trouble(TroubleKind::AuditGap, "audit", text));
    }
    if audit.lost > 0 {
        let text = format!("{} audit records were lost.", audit.lost);
        all.push(trouble(TroubleKind::AuditLost, "audit", text));
    }
    all
}

fn log_trouble(log: &LogStatus) -> Option<Trouble> {
    if log.state == LogState::Writing {
        return None;
    }
    let (lost, waiting) = (log.lines_lost, log.lines_waiting);
    let text = if log.silent_s > 0 {
        format!(
            "The program's log has not been written for {}: stderr takes nothing. It may be a pipe that nobody reads, or a stopped \
             terminal. Lines that wait: {waiting}; lost: {lost}. Requests and the audit log go on.",
            humanize_duration(log.silent_s)
        )
    } else {
        format!(
            "Lines of the program's log are lost, {lost} since the start: stderr does not take them, or too slowly. \
             Requests and the audit log go on."
        )
    };
    Some(trouble(TroubleKind::LogFailing, "log", text))
}

fn stall_trouble(it: &StalledPart) -> Trouble {
    let (part, silent) = (&it.part, humanize_duration(it.silent_s));
    let text = if it.is_fatal {
        format!("{part} has been stalled for {silent}: restart the proxy.")
    } else {
        format!("{part} has been in a system call for {silent}: its disk is slow or hangs.")
    };
    trouble(TroubleKind::Stalled, part, text)
}

/// What is wrong with how a login is stored, while its token may be good.
fn login_trouble(tenant: &TenantStatus, identity: &IdentityStatus) -> Option<Trouble> {
    let login = identity.login.as_ref()?;
    let who = format!("{}/{}", tenant.name, identity.identity);
    let fault = login.store_fault.as_deref();
    if let Some(since) = &login.unsaved_since {
        let text = format!(
            "{who}: the login is in memory only since {since}, and is lost if the proxy stops: {}.",
            fault.unwrap_or("it is not stored yet")
        );
        return Some(trouble(TroubleKind::LoginUnsaved, &who, text));
    }
    if let Some(fault) = fault {
        let text = format!("{who}: the store of logins: {fault}.");
        return Some(trouble(TroubleKind::StoreFailing, &who, text));
    }
    let ends =
        identity.state == IdentityState::Valid && !login.renewable && !identity.only_login_helps;
    ends.then(|| {
        let text = format!(
            "{who}: this login cannot be renewed and ends in {}. Then run: ninjaone-proxy login {}",
            humanize_duration(identity.expires_in_s.unwrap_or_default()),
            tenant.name
        );
        trouble(TroubleKind::LoginEnding, &who, text)
    })
}

fn token_trouble(tenant: &TenantStatus, identity: &IdentityStatus) -> Option<Trouble> {
    let who = format!("{}/{}", tenant.name, identity.identity);
    let problem = identity.last_error.as_deref();
    let (kind, text) = match (identity.state, problem) {
        (IdentityState::LoginNeeded, problem) => (
            TroubleKind::LoginNeeded,
            format!(
                "a user must log in ({}). Run: ninjaone-proxy login {}",
                problem.unwrap_or("nobody has yet"),
                tenant.name
            ),
        ),
        (IdentityState::Valid, problem) if identity.only_login_helps => (
            TroubleKind::LoginEnded,
            format!(
                "a user must log in ({}); the last token is used until {}. Run: ninjaone-proxy login {}",
                problem.unwrap_or("the login has ended"),
                serves_until(identity),
                tenant.name
            ),
        ),
        (_, Some(problem)) if identity.refused_change.is_some() => {
            refused_change(identity, problem)
        }
        (IdentityState::Valid, None) => return None,
        (IdentityState::Valid, Some(problem)) => (
            TroubleKind::RenewalFailing,
            format!(
                "the last renewal failed ({problem}); the token is valid for another {}.",
                humanize_duration(identity.expires_in_s.unwrap_or_default())
            ),
        ),
        (IdentityState::Starting, None) => (
            TroubleKind::TokenStarting,
            "the first token is being fetched.".to_owned(),
        ),
        (IdentityState::Starting | IdentityState::Unavailable, problem) => (
            TroubleKind::TokenUnavailable,
            format!(
                "there is no valid token ({}).",
                problem.unwrap_or("it expired")
            ),
        ),
    };
    Some(trouble(kind, &who, format!("{who}: {text}")))
}

/// NinjaOne refuses what a reload has brought.
fn refused_change(identity: &IdentityStatus, problem: &str) -> (TroubleKind, String) {
    let change = identity.refused_change.as_deref().unwrap_or_default();
    let kind = if change == NEW_SECRET {
        TroubleKind::NewSecretRefused
    } else {
        TroubleKind::NewSettingsRefused
    };
    let rest = if identity.state == IdentityState::Valid {
        format!("the old token is used until {}", serves_until(identity))
    } else {
        "there is no valid token".to_owned()
    };
    let text = format!(
        "{change} refused; {rest} ({problem}). Put the right one in place; it takes effect by itself."
    );
    (kind, text)
}

/// As [`IdentityStatus::refused_change`] has it.
const NEW_SECRET: &str = "new secret";

fn serves_until(identity: &IdentityStatus) -> &str {
    identity.serves_until.as_deref().unwrap_or("its end")
}
