//! `healthcheck`: queries a probe and reports by exit code, for Docker's `HEALTHCHECK` and the like.

use std::{
    io::{self, Write},
    net::SocketAddr,
    time::Duration,
};

use http::StatusCode;
use serde_json::json;

use super::{exit::ExitStatus, status::get};

const TIMEOUT: Duration = Duration::from_secs(2);
const RESPONSE_BYTES_MAX: usize = 64 << 10;

/// Check whether the running proxy is alive, for containers; silent if it is
#[derive(Debug, Clone, clap::Args)]
pub struct HealthcheckArgs {
    /// Check whether it is ready to serve instead
    #[arg(long)]
    pub ready: bool,
    /// Listener to ask [default: admin.probes or admin.listen of the configuration]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub address: Option<SocketAddr>,
}

impl HealthcheckArgs {
    /// Exit codes: 0 yes, 1 no, or no response within two seconds.
    ///
    /// # Errors
    /// `out` or `err` cannot be written to.
    pub async fn run(
        &self,
        configured: Option<SocketAddr>,
        verbose: bool,
        as_json: bool,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> io::Result<ExitStatus> {
        let Some(address) = self.address.or(configured) else {
            writeln!(
                err,
                "error: there is no listener to ask\nhint: set admin.listen or admin.probes, or name one with --address"
            )?;
            return Ok(ExitStatus::Failed);
        };
        let path = if self.ready {
            "/readyz?verbose"
        } else {
            "/livez?verbose"
        };
        let response = get(address, path, RESPONSE_BYTES_MAX, TIMEOUT).await;
        let is_ok = matches!(&response, Ok(response) if response.status() == StatusCode::OK);
        match &response {
            Ok(response) if as_json => {
                let checks = String::from_utf8_lossy(response.body());
                let checks: Vec<&str> = checks.lines().collect();
                let asked = if self.ready { "ready" } else { "alive" };
                let object = json!({"schema": "healthcheck/1", "asked": asked, "ok": is_ok, "checks": checks});
                writeln!(out, "{object}")?;
            }
            Ok(response) if verbose || response.status() != StatusCode::OK => {
                write!(err, "{}", String::from_utf8_lossy(response.body()))?;
            }
            Ok(_) => {}
            Err(problem) => writeln!(err, "error: {address}: {problem}")?,
        }
        Ok(if is_ok {
            ExitStatus::Done
        } else {
            ExitStatus::Failed
        })
    }
}
