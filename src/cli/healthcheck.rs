//! `healthcheck`: queries a probe and reports by exit code, for Docker's `HEALTHCHECK` and the like.

use std::{
    io::{self, Write},
    net::SocketAddr,
    time::Duration,
};

use http::StatusCode;

use super::{exit::ExitStatus, status::get};

const TIMEOUT: Duration = Duration::from_secs(2);
const RESPONSE_BYTES_MAX: usize = 64 << 10;

/// Ask the running proxy whether it is alive; silent while it is.
#[derive(Debug, Clone, clap::Args)]
pub struct HealthcheckArgs {
    /// Ask whether it is ready to serve, instead of whether it is alive
    #[arg(long)]
    pub ready: bool,
    /// The admin or probes listener, if not where the configuration says
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub address: Option<SocketAddr>,
}

impl HealthcheckArgs {
    /// Exit codes: 0 yes, 1 no, or no response within two seconds.
    ///
    /// # Errors
    /// `err` cannot be written to.
    pub async fn run(
        &self,
        configured: Option<SocketAddr>,
        verbose: bool,
        err: &mut dyn Write,
    ) -> io::Result<ExitStatus> {
        let Some(address) = self.address.or(configured) else {
            writeln!(
                err,
                "error: no listener to ask: set admin.listen or admin.probes, or give --address"
            )?;
            return Ok(ExitStatus::Failed);
        };
        let path = if self.ready {
            "/readyz?verbose"
        } else {
            "/livez?verbose"
        };
        let response = get(address, path, RESPONSE_BYTES_MAX, TIMEOUT).await;
        match &response {
            Ok(response) if verbose || response.status() != StatusCode::OK => {
                write!(err, "{}", String::from_utf8_lossy(response.body()))?;
            }
            Ok(_) => {}
            Err(problem) => writeln!(err, "error: {address}: {problem}")?,
        }
        Ok(match response {
            Ok(response) if response.status() == StatusCode::OK => ExitStatus::Done,
            _ => ExitStatus::Failed,
        })
    }
}
