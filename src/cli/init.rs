//! `init`: asks three questions and writes a minimal configuration.

mod answers;
mod args;
mod files;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::{
    app::wiring::endpoint,
    config::{self, way_out::WayOut},
    credentials::grant::{
        application::{Application, ClientAuthMethod},
        client_credentials::{ClientCredentials, TokenSummary},
        token_endpoint_error::{TokenEndpointError, TokenRejection},
    },
};

use self::{
    answers::{AnswerError, Answers},
    files::WrittenFiles,
};

use super::{
    config::ConfigContext, context::Context, exit::ExitStatus, login::exit_of_token_error,
};

pub(super) use self::args::InitArgs;

/// Exit codes: 0 written, 1 a file exists or cannot be written, 2 an answer is missing or wrong, 75 NinjaOne cannot be
/// reached, 78 NinjaOne rejects the credentials.
///
/// # Errors
/// `out` or `err` cannot be written to.
pub(super) async fn run(
    args: &InitArgs,
    context: &Context,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let Some(file) = target_path(context) else {
        writeln!(
            err,
            "error: there is no place for a configuration: give --config"
        )?;
        return Ok(ExitStatus::WrongUsage);
    };
    if file.exists() {
        let file = file.display();
        writeln!(
            err,
            "error: {file} exists and is never overwritten: give another --config"
        )?;
        return Ok(ExitStatus::Failed);
    }
    let mut answers = match answers::collect(args, context.no_input, err).await? {
        Ok(answers) => answers,
        Err(AnswerError(why)) => {
            writeln!(err, "error: {why}")?;
            return Ok(ExitStatus::WrongUsage);
        }
    };
    match WayOut::from_environment(&answers.origin.host, |name| context.env_var(name)) {
        Ok(way_out) => answers.origin.way_out = way_out,
        Err(error) => {
            writeln!(
                err,
                "error: {}: {error}\nhint: {}",
                error.name,
                error.hint()
            )?;
            return Ok(ExitStatus::ConfigurationWrong);
        }
    }
    let offered = if args.untried {
        None
    } else {
        match verify_credentials(&answers).await {
            Ok(offered) => Some(offered),
            Err(error) => {
                writeln!(
                    err,
                    "error: nothing was written: {}",
                    token_error_text(error)
                )?;
                return Ok(exit_of_token_error(error));
            }
        }
    };
    let written = match files::write(&file, &answers) {
        Ok(written) => written,
        Err((path, error)) => {
            writeln!(err, "error: {}: {error}", path.display())?;
            return Ok(ExitStatus::Failed);
        }
    };
    if let Some(problems) = problems(&file, context) {
        written.remove();
        writeln!(err, "{problems}\n\nNothing was written.")?;
        return Ok(ExitStatus::ConfigurationWrong);
    }
    print_next_steps(&written, &answers, offered.as_ref(), context, out, err)?;
    Ok(ExitStatus::Done)
}

/// Where to write: the given path; for root that of the system; otherwise the first path that is searched.
fn target_path(context: &Context) -> Option<PathBuf> {
    let mut candidates = context.config_file_candidates();
    if rustix::process::geteuid().is_root() {
        return candidates.pop();
    }
    candidates.into_iter().next()
}

async fn verify_credentials(answers: &Answers) -> Result<TokenSummary, TokenEndpointError> {
    let credentials = ClientCredentials {
        application: Application {
            endpoint: endpoint(&answers.origin),
            client_id: answers.client_id.clone(),
            client_secret: Some(answers.secret.clone()),
            client_auth: ClientAuthMethod::ClientSecretPost,
        },
        scopes: Vec::new(),
    };
    credentials.verify().await
}

fn token_error_text(error: TokenEndpointError) -> String {
    match error {
        TokenEndpointError::Rejected(TokenRejection::WrongRegion) => {
            "NinjaOne does not know this client id on this host: the region or the client id is wrong".into()
        }
        TokenEndpointError::Rejected(TokenRejection::InvalidClient) => {
            "NinjaOne knows the client id and refuses the secret, or the application is not of the platform API Services \
             with the grant client credentials"
                .into()
        }
        other => other.to_string(),
    }
}

fn problems(
    file: &Path,
    context: &Context,
) -> Option<config::read::diagnostics::ConfigurationError> {
    let ConfigContext {
        environment,
        operations: known,
        ..
    } = context.config_context();
    let sources = config::read::sources::Sources {
        file: file.to_owned(),
        environment,
    };
    config::load(&sources, known).err()
}

fn print_next_steps(
    written: &WrittenFiles,
    answers: &Answers,
    offered: Option<&TokenSummary>,
    context: &Context,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<()> {
    let config = written.config.display().to_string();
    let mut next = vec![
        format!("ninjaone-proxy --config {config} caller add NAME --allow read"),
        format!("ninjaone-proxy --config {config} run"),
    ];
    if answers.user_client_id.is_some() {
        next.insert(0, format!("ninjaone-proxy --config {config} login"));
    }
    let files = written.all().map(|it| it.display().to_string());
    let files: Vec<String> = files.collect();
    let scopes = offered.map(|it| it.scopes.clone());
    if context.json {
        let object = json!({
            "schema": "init/1",
            "config": config,
            "tenant": answers.tenant.as_str(),
            "files": files,
            "tried": offered.is_some(),
            "scopes": scopes,
            "next": next,
        });
        return writeln!(out, "{object}");
    }
    if let Some(scopes) = scopes {
        writeln!(
            err,
            "NinjaOne takes the credentials, with the scopes: {}",
            scopes.join(" ")
        )?;
    }
    for file in files {
        writeln!(out, "{file}")?;
    }
    if let WayOut::Variable(proxy, name) = &answers.origin.way_out {
        writeln!(
            err,
            "\nThe way to NinjaOne is through {proxy}, as {name} says. A service does not have the variables of your shell: \
             set `proxy` in [tenant.{}], or give it {name}.",
            answers.tenant
        )?;
    }
    writeln!(err, "\nWhat to do next:")?;
    for step in next {
        writeln!(err, "  {step}")?;
    }
    Ok(())
}
