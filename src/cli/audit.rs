//! `audit verify`: checks that the audit log is intact, and reports where and how it is broken.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    admin::{audit_report, inquiries::VERIFY_MS_MAX},
    audit::{
        chain::Head,
        verify::{VerifyError, VerifyReport, verify},
    },
};

use super::{
    admin_args::AdminArgs,
    ask::{Answerer, AskError, AskedProxy, find_answerer, take_text_and_exit},
    context::Context,
    exit::ExitStatus,
};

/// A little more than the proxy's own bound.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(VERIFY_MS_MAX + 5_000);

/// Verify the audit log
#[derive(Debug, clap::Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    pub command: AuditCommand,
}

#[derive(Debug, clap::Subcommand)]
pub enum AuditCommand {
    /// Prove that the log is whole, or show where and how it is broken
    ///
    /// Lines that were cut off the end of the log show only against an
    /// anchor: a line's number and hash as an earlier run of this command printed it as the head. Where older files lie
    /// elsewhere, verify them there first, and give their head as the anchor of the files that are left. Where you may not
    /// read the files, the running proxy verifies them: that is its own word, and no proof.
    Verify(AuditVerifyArgs),
}

impl AuditCommand {
    /// Which proxy it asks.
    pub(super) const fn admin(&self) -> &AdminArgs {
        let Self::Verify(args) = self;
        &args.admin
    }
}

#[derive(Debug, clap::Args)]
pub struct AuditVerifyArgs {
    /// Directory of the log [default: of the running proxy, or audit.path of the configuration]
    pub directory: Option<PathBuf>,

    /// Line that must be there, as its number and hash; may be repeated
    #[arg(long = "anchor", value_name = "NUMBER:HASH")]
    pub anchors: Vec<Head>,
    /// Read the files, or fail: do not ask the running proxy
    #[arg(long)]
    pub offline: bool,
    #[command(flatten)]
    pub admin: AdminArgs,
}

/// The proxy makes the directory and the log when it starts.
fn nothing_recorded(directory: &Path) -> String {
    let directory = directory.display();
    format!(
        "there is no audit log in {directory}: no proxy has written there yet, or it writes elsewhere (audit.path)"
    )
}

impl AuditVerifyArgs {
    /// Verifies `directory`; prints the verdict to `out` and diagnostics to `err`.
    pub fn run(
        &self,
        directory: &Path,
        json: bool,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> ExitStatus {
        match verify(directory, &self.anchors) {
            Ok(report) => print_report(&report, json, out),
            Err(error) => {
                let text = match &error {
                    VerifyError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                        nothing_recorded(directory)
                    }
                    VerifyError::NoLog { .. } => nothing_recorded(directory),
                    other => other.to_string(),
                };
                // If this fails there is nowhere left to report it.
                let _ = writeln!(err, "error: {text}");
                ExitStatus::Failed
            }
        }
    }

    /// Verifies the files of the directory that is named, else of the running proxy's log, else of the configuration's. Where
    /// they cannot be read the running proxy does it, and the answer says so.
    ///
    /// # Errors
    /// `out` or `err` cannot be written to.
    pub(super) async fn run_command(
        &self,
        context: &Context,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> io::Result<ExitStatus> {
        if let Some(directory) = &self.directory {
            return Ok(self.run(directory, context.json, out, err));
        }
        let proxy = match find_answerer(context, &self.admin, self.offline).await {
            Ok(Answerer::Proxy(proxy)) => proxy,
            Ok(Answerer::Files(forbidden)) => {
                if let Some(config) = context.inspect(err)? {
                    return Ok(self.run(&config.audit.path, context.json, out, err));
                }
                if let Some(forbidden) = forbidden {
                    writeln!(err, "error: {forbidden}")?;
                }
                return Ok(ExitStatus::ConfigurationWrong);
            }
            Err(error) => return AskError::from(error).report(err),
        };
        let Some(directory) = proxy.audit_directory() else {
            return self.ask(&proxy, context.json, out, err).await;
        };
        match verify(directory, &self.anchors) {
            Ok(report) => Ok(print_report(&report, context.json, out)),
            Err(VerifyError::Io { .. } | VerifyError::NoLog { .. }) => {
                self.ask(&proxy, context.json, out, err).await
            }
            Err(error @ VerifyError::GivenUp) => {
                writeln!(err, "error: {error}")?;
                Ok(ExitStatus::Failed)
            }
        }
    }

    async fn ask(
        &self,
        proxy: &AskedProxy,
        as_json: bool,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> io::Result<ExitStatus> {
        let anchors: Vec<String> = self.anchors.iter().map(ToString::to_string).collect();
        let question = json!({ "anchors": anchors });
        let answer = proxy.ask("/audit/verify", &question, ANSWER_TIMEOUT).await;
        let mut answer: Value = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let exit = error.report(err)?;
                writeln!(
                    err,
                    "The log is in {}: verify it as a user who may read it",
                    proxy.status.audit.path
                )?;
                return Ok(exit);
            }
        };
        match take_text_and_exit(&mut answer) {
            (Some(text), _) if !as_json => out.write_all(text.as_bytes())?,
            _ => writeln!(out, "{answer}")?,
        }
        Ok(if answer["verdict"] == "whole" {
            ExitStatus::Done
        } else {
            ExitStatus::AuditBroken
        })
    }
}

fn print_report(report: &VerifyReport, as_json: bool, out: &mut dyn Write) -> ExitStatus {
    let printed = if as_json {
        let mut document = audit_report::document(report);
        if let Some(members) = document.as_object_mut() {
            members.insert("source".to_owned(), json!("files"));
        }
        writeln!(out, "{document}")
    } else {
        out.write_all(audit_report::text(report).as_bytes())
    };
    match (printed, report.is_intact()) {
        (_, false) => ExitStatus::AuditBroken,
        (Ok(()), true) => ExitStatus::Done,
        (Err(_), true) => ExitStatus::Failed,
    }
}
