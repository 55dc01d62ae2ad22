//! `login`: a user logs in once in a browser, and the proxy keeps the login alive from then on.

mod attempt;
mod browser;
mod callback;
mod callback_page;
mod error;
mod local_login;
mod remote_login;
mod reporter;
mod wait;

use std::{
    io::{self, Write},
    time::Duration,
};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    config::{Config, TenantConfig, UserIdentity, value::duration},
    names::TenantName,
    net::url::UrlParts,
    secret::Secret,
};

use self::{
    attempt::{LoginAttempt, LoginSuccess},
    browser::BrowserUrl,
    error::LoginCommandError,
    local_login::LocalLogin,
    remote_login::{RemoteLogin, RemoteProxy},
    reporter::LoginReporter,
};

use super::{
    admin_args::AdminArgs,
    ask::{Answerer, find_answerer},
    context::Context,
    exit::ExitStatus,
    running_proxy::RunningProxy,
};

/// Longest time to wait for the browser.
const WAIT_MAX: Duration = Duration::from_mins(5);

#[derive(Debug, Args)]
pub(super) struct LoginArgs {
    /// Tenant to log in to; not needed if only one has a user identity
    tenant: Option<String>,
    /// Print the address, but open no browser
    #[arg(long)]
    no_browser: bool,
    /// Read the address that the browser ended at from standard input, instead of listening for it
    #[arg(long, conflicts_with = "no_input")]
    paste: bool,
    /// Log in with the files, as this user, instead of through the running proxy
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    pub(super) admin: AdminArgs,
    /// How long to wait for the browser, up to 5m
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_wait)]
    wait: Duration,
}

fn parse_wait(text: &str) -> Result<Duration, String> {
    match duration::parse(text) {
        Ok(time) if !time.is_zero() && time <= WAIT_MAX => Ok(time),
        Ok(_) => Err("this is up to 5m".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Who exchanges the callback for tokens.
enum LoginBackend {
    /// This process.
    Local(LocalLogin),
    /// A running proxy.
    Remote(RemoteLogin),
}

/// The running proxy that is to log the user in: the one that is named, or whose socket is found. What it stores is its own, its
/// secrets are often its alone, and the record says who logged in.
async fn remote_proxy(
    args: &LoginArgs,
    context: &Context,
) -> Result<Option<(RunningProxy, bool)>, LoginCommandError> {
    match find_answerer(context, &args.admin, args.offline).await {
        Ok(Answerer::Proxy(proxy)) if proxy.is_named() || proxy.is_on_this_machine() => {
            let is_named = proxy.is_named();
            Ok(Some((proxy.into_proxy(), is_named)))
        }
        Ok(_) => Ok(None),
        Err(error) => Err(LoginCommandError::Key(error.to_string())),
    }
}

/// Exit codes: 0 logged in, 1 failed, 2 no such tenant, 75 try again later, 78 configuration wrong.
///
/// # Errors
/// `out` or `err` cannot be written to.
pub(super) async fn run(
    args: &LoginArgs,
    context: &Context,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let mut report = LoginReporter {
        json: context.json,
        quiet: context.quiet,
        out,
        err,
    };
    let remote = match remote_proxy(args, context).await {
        Ok(Some((proxy, is_named))) => begin_at(proxy, is_named, args, &mut report).await?,
        Ok(None) => None,
        Err(failure) => return report.failed(&failure),
    };
    let outcome = if let Some(outcome) = remote {
        outcome
    } else {
        let Some(config) = context.load(report.err)? else {
            return Ok(ExitStatus::ConfigurationWrong);
        };
        let (tenant, user) = match select_tenant(&config, args.tenant.as_deref()) {
            Ok(found) => found,
            Err(wrong) => return wrong.report(report.err),
        };
        report.plan(&config, tenant, user)?;
        local_login::begin(&config, tenant, user, args.paste)
            .await
            .map(|(attempt, local, socket)| (attempt, LoginBackend::Local(local), socket))
    };
    let done = match outcome {
        Ok((attempt, backend, socket)) => {
            match wait_for_callback(&attempt, socket, args, context, &mut report).await? {
                Ok(callback) => exchange(backend, callback).await,
                Err(failure) => Err(failure),
            }
        }
        Err(failure) => Err(failure),
    };
    match done {
        Ok(done) => report.done(&done),
        Err(failure) => report.failed(&failure),
    }
}

type BegunLogin = (LoginAttempt, LoginBackend, Option<callback::CallbackSocket>);

/// Begins the login at the running proxy; `None` if this user may not, and has not named it.
async fn begin_at(
    proxy: RunningProxy,
    is_named: bool,
    args: &LoginArgs,
    report: &mut LoginReporter<'_>,
) -> io::Result<Option<Result<BegunLogin, LoginCommandError>>> {
    let at = proxy.describe();
    let begun = remote_login::begin(RemoteProxy(proxy), args.tenant.as_deref(), args.paste).await;
    match begun {
        Err(failure) if !is_named && failure.as_str() == "not-permitted" => Ok(None),
        Err(failure) => Ok(Some(Err(failure))),
        Ok((attempt, remote, socket)) => {
            report.keeper(&at)?;
            Ok(Some(Ok((attempt, LoginBackend::Remote(remote), socket))))
        }
    }
}

async fn wait_for_callback(
    attempt: &LoginAttempt,
    socket: Option<callback::CallbackSocket>,
    args: &LoginArgs,
    context: &Context,
    report: &mut LoginReporter<'_>,
) -> io::Result<Result<Secret<String>, LoginCommandError>> {
    let wanted = || attempt.origin.clone().unwrap_or_else(|| "https".to_owned());
    let Some(openable) = BrowserUrl::parse(&attempt.url)
        .filter(|url| attempt.origin.as_ref().is_none_or(|it| url.has_origin(it)))
    else {
        return Ok(Err(LoginCommandError::UntrustedUrl(wanted())));
    };
    let callback = socket.map(|it| {
        let path = redirect_path(&attempt.redirect);
        it.serve(path, attempt.flow, attempt.matcher.clone())
    });
    // Installed before the address is shown: the user may interrupt at once.
    let mut interrupt = signal(SignalKind::interrupt())?;
    report.open(attempt, callback.is_some())?;
    if callback.is_some() && !args.no_browser && browser::open(&openable, context) {
        report.browser_opened()?;
    }
    match callback {
        Some(callback) => wait::for_browser(callback, args.wait, &mut interrupt, report).await,
        None => wait::for_paste(&attempt.matcher, args.wait, &mut interrupt, report).await,
    }
}

async fn exchange(
    backend: LoginBackend,
    callback: Secret<String>,
) -> Result<LoginSuccess, LoginCommandError> {
    match backend {
        LoginBackend::Local(local) => local.finish(callback).await,
        LoginBackend::Remote(remote) => remote.finish(callback).await,
    }
}

/// The path of a redirect URI.
fn redirect_path(redirect: &str) -> String {
    let path = UrlParts::split(redirect).map_or("", |it| it.path);
    if path.is_empty() { "/" } else { path }.to_owned()
}

/// Why no tenant can be logged in or out.
pub(super) enum LoginTenantError {
    /// And those that can be.
    Unknown(String, Vec<String>),
    NoUserIdentity(TenantName),
    Ambiguous(Vec<TenantName>),
    NoneConfigured,
}

impl LoginTenantError {
    pub(super) fn report(self, err: &mut dyn Write) -> io::Result<ExitStatus> {
        let (text, code) = match self {
            Self::Unknown(name, known) => {
                let known = match known.as_slice() {
                    [] => "none has a user identity".to_owned(),
                    [only] => format!("there is {only}"),
                    several => format!("there are: {}", several.join(", ")),
                };
                let text = format!("there is no tenant {name:?}; {known}");
                (text, ExitStatus::WrongUsage)
            }
            Self::Ambiguous(names) => {
                let names: Vec<&str> = names.iter().map(TenantName::as_str).collect();
                let text = format!("name one of the tenants: {}", names.join(", "));
                (text, ExitStatus::WrongUsage)
            }
            Self::NoUserIdentity(name) => (
                format!("tenant {name} has no user identity: add [tenant.{name}.user]"),
                ExitStatus::ConfigurationWrong,
            ),
            Self::NoneConfigured => (
                "no tenant has a user identity: add [tenant.NAME.user]".to_owned(),
                ExitStatus::ConfigurationWrong,
            ),
        };
        writeln!(err, "error: {text}")?;
        Ok(code)
    }
}

/// The tenant to log in or out, and its user identity.
pub(super) fn select_tenant<'a>(
    config: &'a Config,
    wanted: Option<&str>,
) -> Result<(&'a TenantConfig, &'a UserIdentity), LoginTenantError> {
    if let Some(name) = wanted {
        let found = config.tenants.iter().find(|it| it.name.as_str() == name);
        let tenant = found.ok_or_else(|| {
            let users = config.tenants.iter().filter(|it| it.user.is_some());
            let known = users.map(|it| it.name.to_string()).collect();
            LoginTenantError::Unknown(name.to_owned(), known)
        })?;
        let user = tenant.user.as_ref();
        return user
            .map(|user| (tenant, user))
            .ok_or_else(|| LoginTenantError::NoUserIdentity(tenant.name.clone()));
    }
    let users = config
        .tenants
        .iter()
        .filter_map(|it| Some((it, it.user.as_ref()?)));
    let users: Vec<_> = users.collect();
    match users.as_slice() {
        [] => Err(LoginTenantError::NoneConfigured),
        [only] => Ok(*only),
        several => {
            let names = several.iter().map(|(tenant, _)| tenant.name.clone());
            Err(LoginTenantError::Ambiguous(names.collect()))
        }
    }
}

impl LoginReporter<'_> {
    fn done(&mut self, done: &LoginSuccess) -> io::Result<ExitStatus> {
        self.success(done)?;
        Ok(ExitStatus::Done)
    }

    fn failed(&mut self, failure: &LoginCommandError) -> io::Result<ExitStatus> {
        self.error(failure)?;
        Ok(failure.exit_code())
    }
}
