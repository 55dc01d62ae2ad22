//! What `init` says once it has written: the files, what NinjaOne granted, and the commands that come next.

use std::io::{self, Write};

use serde_json::json;

use crate::{
    cli::context::Context, config::way_out::WayOut,
    credentials::grant::client_credentials::TokenSummary, shell_word::shell_word,
};

use super::{answers::Answers, files::WrittenFiles};

/// What is written, and whether it was tried.
pub(super) struct NextSteps<'a> {
    pub(super) written: &'a WrittenFiles,
    pub(super) answers: &'a Answers,
    pub(super) offered: Option<&'a TokenSummary>,
    /// Whether commands find the file without `--config`.
    pub(super) is_found: bool,
}

impl NextSteps<'_> {
    /// The files go to `out`, the talk to `err`; with --json all goes to `out`.
    pub(super) fn print(
        &self,
        context: &Context,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> io::Result<()> {
        let config = self.written.config.display().to_string();
        let next = self.commands(&config);
        let files: Vec<String> = self
            .written
            .all()
            .map(|it| it.display().to_string())
            .collect();
        let scopes = self.offered.map(|it| it.scopes.clone());
        if context.json {
            let object = json!({
                "schema": "init/1",
                "config": config,
                "tenant": self.answers.tenant.as_str(),
                "files": files,
                "tried": self.offered.is_some(),
                "scopes": scopes,
                "next": next,
            });
            return writeln!(out, "{object}");
        }
        if !context.quiet {
            match scopes.as_deref() {
                None => writeln!(err, "The credentials were not tried.")?,
                Some([]) => writeln!(err, "NinjaOne accepts the credentials.")?,
                Some(scopes) => {
                    let scopes = scopes.join(", ");
                    writeln!(err, "NinjaOne accepts the credentials. Scopes: {scopes}.")?;
                }
            }
            writeln!(err, "\nWrote:")?;
            err.flush()?;
        }
        for file in files {
            writeln!(out, "{file}")?;
        }
        out.flush()?;
        if context.quiet {
            return Ok(());
        }
        if let WayOut::Variable(proxy, name) = &self.answers.place.origin.way_out {
            writeln!(
                err,
                "\nNinjaOne is reached through {proxy}, because {name} says so. A service does not have the variables of your \
                 shell: set proxy in [tenant.{}], or set {name} for the service.",
                self.answers.tenant
            )?;
        }
        writeln!(err, "\nNext:")?;
        for step in next {
            writeln!(err, "  {step}")?;
        }
        Ok(())
    }

    /// Commands that can be pasted as they are.
    fn commands(&self, config: &str) -> Vec<String> {
        let flag = if self.is_found {
            String::new()
        } else {
            format!(" --config {}", shell_word(config))
        };
        let mut commands = vec![
            format!("ninjaone-proxy{flag} caller add my-script --allow read"),
            format!("ninjaone-proxy{flag} run"),
        ];
        if self.answers.user_client_id.is_some() {
            commands.insert(0, format!("ninjaone-proxy{flag} login"));
        }
        commands
    }
}
