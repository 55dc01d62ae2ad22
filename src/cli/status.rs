//! `status`: shows the state of the running proxy on one screen; what needs attention comes first.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Write},
    net::SocketAddr,
    time::Duration,
};

use anstream::adapter::strip_str;
use anstyle::{AnsiColor, Style};
use bytes::Bytes;
use http::{Request, Response};

use crate::{
    admin::{
        health::{Health, humanize_duration},
        plain_text::single_line,
        status_snapshot::{
            AuditState, AuditStatus, IdentityState, IdentityStatus, StatusSnapshot, TenantStatus,
            UserLoginStatus,
        },
    },
    audit::log_space::humanize_bytes,
    clock::Timestamp,
    net::client::{endpoint::Endpoint, exchange::exchange, exchange_error::ExchangeError},
    typed_command::typed,
};

use super::{
    admin_args::AdminArgs,
    columns::{Alignment, table},
    context::Context,
    exit::ExitStatus,
    running_proxy::{
        RunningProxy, RunningProxyError, connect_address, refuse_other_proxy,
        warn_of_unread_configuration,
    },
};

/// Most callers on the screen; `--json` has all.
const CALLERS_SHOWN_MAX: usize = 20;

/// Show the state of the running proxy: tokens, budgets, callers, audit log
#[derive(Debug, Clone, clap::Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    admin: AdminArgs,
}

impl StatusArgs {
    /// Exit codes: those of [`show`].
    ///
    /// # Errors
    /// `out` or `err` cannot be written to.
    pub(super) async fn run(
        &self,
        context: &Context,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> io::Result<ExitStatus> {
        let proxy = match RunningProxy::find(context, &self.admin) {
            Ok(proxy) => proxy,
            Err(error) => {
                warn_of_unread_configuration(context, &self.admin, err)?;
                error.report(err)?;
                return Ok(Health::Down.into());
            }
        };
        if !proxy.has_socket() {
            warn_of_unread_configuration(context, &self.admin, err)?;
        }
        let Some((body, snapshot)) = ask(&proxy, err).await? else {
            return Ok(Health::Down.into());
        };
        if let Some(code) = refuse_other_proxy(context, &self.admin, &snapshot, err)? {
            return Ok(code);
        }
        print(&body, &snapshot, context.json, out)
    }
}

/// Asks the proxy for its status and prints it.
///
/// Exit codes: 0 healthy, 6 degraded, 4 login needed, 75 starting or draining, 1 down or not reachable.
///
/// # Errors
/// `out` or `err` cannot be written to.
pub async fn show(
    proxy: &RunningProxy,
    as_json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    match ask(proxy, err).await? {
        Some((body, snapshot)) => print(&body, &snapshot, as_json, out),
        None => Ok(Health::Down.into()),
    }
}

/// The status as it came, and as read; `None` if there is none, which `err` is told.
async fn ask(
    proxy: &RunningProxy,
    err: &mut dyn Write,
) -> io::Result<Option<(Bytes, StatusSnapshot)>> {
    let error = match proxy.get("/status").await {
        Ok(body) => match serde_json::from_slice(&body) {
            Ok(snapshot) => return Ok(Some((body, snapshot))),
            Err(_) => RunningProxyError::NotUnderstood(proxy.describe()),
        },
        Err(error) => error,
    };
    error.report(err)?;
    if let RunningProxyError::Unreachable { .. } = error {
        writeln!(
            err,
            "hint: start it with: ninjaone-proxy run   (or: systemctl start ninjaone-proxy); if another one is meant, unset NJP_ADMIN or use --admin"
        )?;
    }
    Ok(None)
}

fn print(
    body: &[u8],
    snapshot: &StatusSnapshot,
    as_json: bool,
    out: &mut dyn Write,
) -> io::Result<ExitStatus> {
    if as_json {
        out.write_all(body)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", render_colored(snapshot))?;
    }
    Ok(snapshot.health.into())
}

/// Sends one `GET` to a listener on this machine.
pub(super) async fn get(
    address: SocketAddr,
    path: &'static str,
    answer_bytes_max: usize,
    time_out: Duration,
) -> Result<Response<Bytes>, ExchangeError> {
    let endpoint = Endpoint {
        tls: false,
        host: connect_address(address.ip()).to_string(),
        port: address.port(),
        ca: None,
        proxy: None,
        // An address: nothing is looked up.
        resolve_timeout: time_out,
    };
    let request = Request::get(path)
        .body(Bytes::new())
        .map_err(|_| ExchangeError::NotHttp)?;
    exchange(&endpoint, request, answer_bytes_max, time_out).await
}

/// The snapshot as text.
#[must_use]
pub fn render(snapshot: &StatusSnapshot) -> String {
    strip_str(&render_colored(snapshot)).to_string()
}

fn render_colored(snapshot: &StatusSnapshot) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = head(&mut text, snapshot);
    for tenant in &snapshot.tenants {
        let _ = tenant_lines(&mut text, tenant);
    }
    let _ = callers(&mut text, snapshot);
    let _ = rest(&mut text, snapshot);
    text
}

fn head(text: &mut String, it: &StatusSnapshot) -> std::fmt::Result {
    let phase = match (it.health, it.draining) {
        (Health::NotNow, true) => "draining",
        (Health::NotNow, false) => "starting",
        (health, _) => health.as_str(),
    };
    let style = health_style(it.health);
    writeln!(
        text,
        "ninjaone-proxy {} is {style}{phase}{style:#}; up {}, pid {}",
        it.version,
        humanize_duration(it.uptime_s),
        it.pid
    )?;
    if !it.degraded.is_empty() {
        heading(text, "Needs attention")?;
        for sentence in &it.degraded {
            let style = Style::new().fg_color(Some(AnsiColor::Yellow.into()));
            writeln!(text, "  {style}!{style:#} {}", single_line(sentence))?;
        }
    }
    heading(text, "Listening")?;
    let columns = [
        ("FOR", Alignment::Left),
        ("ADDRESS", Alignment::Left),
        ("CONNECTIONS", Alignment::Right),
    ];
    let listeners = it.listeners.iter();
    let rows = listeners.map(|it| {
        [
            it.role.clone(),
            it.address.clone(),
            group_thousands(it.connections),
        ]
    });
    text.push_str(&table(columns, &rows.collect::<Vec<_>>()));
    Ok(())
}

fn heading(text: &mut String, title: &str) -> std::fmt::Result {
    writeln!(text, "\n{BOLD}{title}{BOLD:#}")
}

const BOLD: Style = Style::new().bold();

fn health_style(health: Health) -> Style {
    let color = match health {
        Health::Healthy => AnsiColor::Green,
        Health::Degraded | Health::NotNow => AnsiColor::Yellow,
        Health::NeedsLogin | Health::Down => AnsiColor::Red,
    };
    BOLD.fg_color(Some(color.into()))
}

fn tenant_lines(text: &mut String, tenant: &TenantStatus) -> std::fmt::Result {
    let name = format!("Tenant {}", tenant.name);
    write!(text, "\n{BOLD}{name}{BOLD:#} at {}", tenant.origin)?;
    if let Some(label) = &tenant.label {
        write!(text, ": {}", single_line(label))?;
    }
    if let Some(proxy) = &tenant.proxy {
        let (url, from) = (single_line(&proxy.url), single_line(&proxy.from));
        write!(text, ", through {url} (from {from})")?;
    }
    writeln!(text)?;
    for identity in &tenant.identities {
        writeln!(text, "  {}", token(&tenant.name, identity))?;
    }
    let budget = &tenant.budget;
    write!(
        text,
        "  budget: {} in flight, {} waiting",
        budget.in_flight, budget.waiting
    )?;
    if budget.paused_s > 0 {
        write!(text, ", paused for {}", humanize_duration(budget.paused_s))?;
    }
    writeln!(text)
}

/// `token of acme/service: valid 48 min, renews in 36 min`
fn token(tenant: &str, it: &IdentityStatus) -> String {
    let who = format!("token of {tenant}/{}", it.identity);
    let state = match it.state {
        IdentityState::Starting => "being fetched".to_owned(),
        IdentityState::Unavailable => "none is valid".to_owned(),
        // What needs attention stands first, with the reason and the command.
        IdentityState::LoginNeeded => "login needed, see above".to_owned(),
        IdentityState::Valid => valid(it),
    };
    let login = it.login.as_ref().map_or_else(String::new, login);
    format!("{who}: {state}{login}")
}

fn valid(it: &IdentityStatus) -> String {
    let left = it
        .expires_in_s
        .map_or_else(String::new, |left| format!(" {}", humanize_duration(left)));
    if it.login.as_ref().is_some_and(|it| !it.renewable) {
        return format!("valid{left}; it cannot be renewed, so a login is needed then");
    }
    let renews = match it.renews_in_s {
        Some(0) => ", being renewed".to_owned(),
        Some(left) => format!(", renews in {}", humanize_duration(left)),
        None => String::new(),
    };
    format!("valid{left}{renews}")
}

/// The state of a stored login.
fn login(it: &UserLoginStatus) -> String {
    let since = it.logged_in_at.as_deref().map(to_the_minute);
    let since = since.map_or_else(String::new, |at| format!(", logged in {at}"));
    let kept = match (&it.unsaved_since, &it.store_fault) {
        (Some(at), _) => format!(", KEPT IN MEMORY ONLY since {}", to_the_minute(at)),
        (None, Some(_)) => ", the store has a fault".to_owned(),
        (None, None) => String::new(),
    };
    format!("{since}{kept}")
}

/// `2026-11-17 15:02 CET` of an RFC 3339 time.
fn to_the_minute(at: &str) -> String {
    let parsed = Timestamp::parse_rfc3339(at);
    parsed.map_or_else(|| single_line(at), Timestamp::local_to_the_minute)
}

fn callers(text: &mut String, it: &StatusSnapshot) -> std::fmt::Result {
    if it.callers.is_empty() {
        let add = typed("ninjaone-proxy caller add NAME --allow read");
        return writeln!(text, "\nThere are no callers yet; add one with: {add}");
    }
    heading(text, "Callers")?;
    let columns = [
        ("NAME", Alignment::Left),
        ("REQUESTS", Alignment::Right),
        ("REFUSED", Alignment::Right),
    ];
    let shown = it.callers.iter().take(CALLERS_SHOWN_MAX);
    let rows = shown.map(|it| {
        [
            if it.expired {
                format!("{} (keys expired)", it.name)
            } else {
                it.name.clone()
            },
            group_thousands(it.requests),
            group_thousands(it.refused),
        ]
    });
    text.push_str(&table(columns, &rows.collect::<Vec<_>>()));
    match it.callers.len().saturating_sub(CALLERS_SHOWN_MAX) {
        0 => Ok(()),
        more => writeln!(text, "  and {more} more: see --json"),
    }
}

fn rest(text: &mut String, it: &StatusSnapshot) -> std::fmt::Result {
    let traffic = &it.traffic;
    writeln!(
        text,
        "\n{BOLD}Traffic{BOLD:#}  {}, {} in progress{}{}",
        counted(traffic.requests, "request"),
        traffic.in_flight,
        tally(&traffic.statuses),
        tally(&traffic.decisions)
    )?;
    let audit = &it.audit;
    let state = match audit.state {
        AuditState::Writing => "writing to",
        AuditState::Failing => "CANNOT WRITE to",
    };
    writeln!(
        text,
        "{BOLD}Audit{BOLD:#}    {state} {}: {}, {} queued, {}, {} lost",
        audit.path,
        counted(audit.records, "record"),
        audit.queued,
        counted(audit.failures, "failure"),
        audit.lost
    )?;
    audit_space(text, audit)?;
    writeln!(
        text,
        "{BOLD}Config{BOLD:#}   generation {}, loaded {}, fingerprint {}",
        it.config.generation,
        to_the_minute(&it.config.loaded_at),
        it.config
            .fingerprint
            .get(..12)
            .unwrap_or(&it.config.fingerprint)
    )
}

/// `         12.3 MiB of 50 GiB; 1,204 requests without a valid key were counted`
fn audit_space(text: &mut String, audit: &AuditStatus) -> std::fmt::Result {
    let mut parts = Vec::new();
    if let Some(space) = &audit.space {
        let (used, max) = (space.used_bytes, space.max_bytes);
        let (used, max) = (humanize_bytes(used), humanize_bytes(max));
        parts.push(format!("{used} of {max}"));
    }
    if audit.strangers_counted > 0 {
        let count = counted(audit.strangers_counted, "request");
        let were = if audit.strangers_counted == 1 {
            "was"
        } else {
            "were"
        };
        parts.push(format!(
            "{count} without a valid key {were} counted, not recorded one by one"
        ));
    }
    if parts.is_empty() {
        return Ok(());
    }
    writeln!(text, "         {}", parts.join("; "))
}

/// `; 2xx 1,200, 4xx 3`
fn tally(counts: &BTreeMap<String, u64>) -> String {
    let parts: Vec<String> = counts
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(name, count)| format!("{name} {}", group_thousands(*count)))
        .collect();
    if parts.is_empty() {
        return String::new();
    }
    format!("; {}", parts.join(", "))
}

/// `1 request`, `1,204 requests`
fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", group_thousands(count))
}

/// `1,404,882`
fn group_thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
