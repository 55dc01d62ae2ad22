//! Reports the progress of a login, as text or with `--json`.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    config::{Config, Platform, TenantConfig, UserIdentity},
    credentials::login::authorization::AuthorizationFlow,
};

use super::{
    attempt::{LoginAttempt, LoginSuccess},
    error::LoginCommandError,
};

const SCHEMA: &str = "login/1";

pub(super) struct LoginReporter<'a> {
    pub(super) json: bool,
    pub(super) quiet: bool,
    pub(super) out: &'a mut dyn Write,
    pub(super) err: &'a mut dyn Write,
}

impl LoginReporter<'_> {
    /// What the login will do, before it begins.
    pub(super) fn plan(
        &mut self,
        config: &Config,
        tenant: &TenantConfig,
        user: &UserIdentity,
    ) -> io::Result<()> {
        if self.json || self.quiet {
            return Ok(());
        }
        let host = &tenant.origin.host;
        let grant = match user.grant {
            AuthorizationFlow::Code => "authorization code with PKCE",
            AuthorizationFlow::Implicit => "implicit",
        };
        let (platform, register) = match user.platform {
            Platform::Native => (
                "Native",
                "NinjaOne accepts it for every native application: there is nothing to register",
            ),
            Platform::Web => ("Web", "must be registered in NinjaOne, to the last slash"),
            Platform::SinglePage => (
                "Single Page",
                "must be registered in NinjaOne, to the last slash",
            ),
        };
        writeln!(self.err, "Log in to NinjaOne for tenant {}", tenant.name)?;
        writeln!(self.err, "  host         {host}")?;
        writeln!(self.err, "  application  {} ({platform})", user.client_id)?;
        writeln!(self.err, "  grant        {grant}")?;
        writeln!(self.err, "  scopes       {}", user.scopes.join(" "))?;
        writeln!(self.err, "  redirect     {}", user.redirect.uri)?;
        writeln!(self.err, "               {register}")?;
        if let Some(store) = &config.store {
            let directory = store.path.display();
            writeln!(self.err, "  kept in      {directory}, encrypted")?;
        }
        Ok(())
    }

    /// Which running proxy keeps the login.
    pub(super) fn keeper(&mut self, at: &str) -> io::Result<()> {
        if self.json || self.quiet {
            return Ok(());
        }
        writeln!(
            self.err,
            "The proxy at {at} exchanges the code and keeps the login."
        )
    }

    /// The address to open.
    pub(super) fn open(&mut self, attempt: &LoginAttempt, listens: bool) -> io::Result<()> {
        if self.json {
            let next_step = if listens { "open" } else { "paste" };
            return self.print_json(&json!({
                "schema": SCHEMA,
                "next_step": next_step,
                "tenant": attempt.tenant,
                "authorize_url": attempt.url,
                "redirect_uri": attempt.redirect,
            }));
        }
        writeln!(self.err, "\nOpen this address in a browser:\n")?;
        writeln!(self.err, "{}\n", attempt.url)?;
        if !listens {
            writeln!(
                self.err,
                "The browser will be sent to {} and may say that it cannot be reached.\n\
                 Paste the whole address from its address bar here (it is not shown), then press Enter:",
                attempt.redirect
            )?;
        }
        self.err.flush()
    }

    pub(super) fn browser_opened(&mut self) -> io::Result<()> {
        if self.json || self.quiet {
            return Ok(());
        }
        writeln!(self.err, "A browser was asked to open it.")
    }

    /// A countdown.
    pub(super) fn countdown(&mut self, left: Duration, refused: u32) -> io::Result<()> {
        if !self.shows_countdown() {
            return Ok(());
        }
        let seconds = left.as_secs_f64().ceil();
        let (minutes, seconds) = ((seconds / 60.0).floor(), seconds % 60.0);
        let others = match refused {
            0 => String::new(),
            count => format!(" ({count} requests that do not belong to this login were refused)"),
        };
        write!(
            self.err,
            "\rWaiting for the browser: {minutes:.0}:{seconds:02.0} left{others} "
        )?;
        self.err.flush()
    }

    pub(super) fn end_countdown(&mut self) -> io::Result<()> {
        if !self.shows_countdown() {
            return Ok(());
        }
        writeln!(self.err)
    }

    fn shows_countdown(&self) -> bool {
        !self.json && !self.quiet && io::stderr().is_terminal()
    }

    pub(super) fn callback_rejected(&mut self) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        writeln!(
            self.err,
            "This address is not of this login: copy the whole address from the address bar of the browser. Try again:"
        )
    }

    pub(super) fn success(&mut self, success: &LoginSuccess) -> io::Result<()> {
        if self.json {
            return self.print_json(&json!({
                "schema": SCHEMA,
                "next_step": "done",
                "tenant": success.tenant,
                "identity": "user",
                "scopes": success.scopes,
                "renewable": success.renewable,
                "expires_at": success.expires_at,
            }));
        }
        let until = success.expires_at.as_deref().unwrap_or("unknown");
        writeln!(
            self.out,
            "Logged in: tenant {}, identity user",
            success.tenant
        )?;
        writeln!(self.out, "  scopes       {}", success.scopes.join(" "))?;
        if success.renewable {
            writeln!(
                self.out,
                "  token until  {until}, then renewed by the proxy"
            )?;
            return Ok(());
        }
        writeln!(self.out, "  token until  {until}")?;
        writeln!(
            self.err,
            "warning: there is no refresh token: the login ends with its token; then somebody must log in again"
        )
    }

    pub(super) fn error(&mut self, failure: &LoginCommandError) -> io::Result<()> {
        if self.json {
            return self.print_json(&json!({
                "schema": SCHEMA,
                "next_step": "failed",
                "error": failure.as_str(),
                "detail": failure.to_string(),
            }));
        }
        writeln!(self.err, "error: {failure}")
    }

    fn print_json(&mut self, object: &Value) -> io::Result<()> {
        writeln!(self.out, "{object}")?;
        self.out.flush()
    }
}
