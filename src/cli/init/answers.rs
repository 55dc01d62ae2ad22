//! The answers from which `init` writes a configuration: from flags, or asked for.

use std::io::{self, Write};

use crate::{
    cli::terminal::{Echo, read_line},
    config::{
        Origin,
        value::{
            address,
            secret_ref::{self, SecretError},
            secret_text,
        },
    },
    names::TenantName,
    net::url::UrlParts,
    ninjaone::region::Region,
    secret::Secret,
};

use super::args::InitArgs;

const LINE_BYTES_MAX: usize = 4096;

pub(super) struct Answers {
    pub(super) tenant: TenantName,
    /// As written: a region or a URL.
    pub(super) address: TenantAddress,
    pub(super) origin: Origin,
    pub(super) client_id: String,
    pub(super) secret: Secret<String>,
    /// The file that already holds the secret; otherwise one is written.
    pub(super) secret_file: Option<String>,
    pub(super) user_client_id: Option<String>,
}

pub(super) enum TenantAddress {
    Region(Region),
    Url(String),
}

/// An answer is missing or wrong.
pub(super) struct AnswerError(pub(super) String);

pub(super) async fn collect(
    args: &InitArgs,
    no_input: bool,
    err: &mut dyn Write,
) -> io::Result<Result<Answers, AnswerError>> {
    let mut asker = Prompter { no_input, err };
    Ok(match asker.all(args).await {
        Ok(answers) => Ok(answers),
        Err(PromptError::Wrong(why)) => Err(AnswerError(why)),
        Err(PromptError::Io(error)) => return Err(error),
    })
}

struct Prompter<'a> {
    no_input: bool,
    err: &'a mut dyn Write,
}

enum PromptError {
    Wrong(String),
    Io(io::Error),
}

impl From<io::Error> for PromptError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Prompter<'_> {
    async fn all(&mut self, args: &InitArgs) -> Result<Answers, PromptError> {
        let tenant = args.tenant.parse();
        let tenant = tenant.map_err(|error| wrong("--tenant", &error))?;
        let written = if let Some(written) = args.region.as_ref().or(args.url.as_ref()) {
            written.clone()
        } else {
            let question = "1. Where is your NinjaOne? us, us2, eu, ca, oc, fed, jp, or a URL such as https://acme.rmmservice.com";
            self.prompt(question, "--region or --url", Echo::On).await?
        };
        let (address, origin) = parse_address(&written)?;
        let client_id = if let Some(id) = &args.client_id {
            id.clone()
        } else {
            let question = "2. Client ID of an application of the platform API Services (NinjaOne: Administration, Apps, API)";
            self.prompt(question, "--client-id", Echo::On).await?
        };
        let (secret, secret_file) = if let Some(file) = &args.client_secret_file {
            let read = secret_ref::from_file(file).and_then(|it| it.text());
            let secret = read.map_err(|error| wrong("--client-secret-file", &error))?;
            let whole = std::path::absolute(file)?;
            (secret, Some(whole.display().to_string()))
        } else {
            let question = "3. Its client secret (not shown while you type or paste it)";
            let secret = self
                .prompt(question, "--client-secret-file", Echo::Off)
                .await?;
            if let Some(hidden) = secret_text::hidden_within(&secret) {
                let error = SecretError::HiddenCharacter(hidden);
                return Err(wrong("the client secret", &error));
            }
            (Secret::new(secret), None)
        };
        Ok(Answers {
            tenant,
            address,
            origin,
            client_id,
            secret,
            secret_file,
            user_client_id: args.user_client_id.clone(),
        })
    }

    async fn prompt(
        &mut self,
        question: &str,
        flag: &str,
        echo: Echo,
    ) -> Result<String, PromptError> {
        if self.no_input {
            return Err(PromptError::Wrong(format!(
                "with --no-input, {flag} is needed"
            )));
        }
        write!(self.err, "{question}\n> ")?;
        self.err.flush()?;
        let read = tokio::select! {
            read = read_line(echo, LINE_BYTES_MAX) => read?,
            _ = tokio::signal::ctrl_c() => None,
        };
        if echo == Echo::Off {
            writeln!(self.err)?;
        }
        let text = read.map(|it| it.expose().trim().to_owned());
        text.filter(|it| !it.is_empty()).ok_or_else(|| {
            PromptError::Wrong(format!("no answer was given; it can be given with {flag}"))
        })
    }
}

fn parse_address(written: &str) -> Result<(TenantAddress, Origin), PromptError> {
    if UrlParts::split(written).is_some() {
        let origin = address::parse_origin(written).map_err(|error| wrong("the URL", &error))?;
        return Ok((TenantAddress::Url(written.to_owned()), origin));
    }
    let region: Region = written
        .parse()
        .map_err(|error| wrong("the region", &error))?;
    let origin = Origin::direct(true, region.host().to_owned(), 443);
    Ok((TenantAddress::Region(region), origin))
}

fn wrong(what: &str, error: &dyn std::fmt::Display) -> PromptError {
    PromptError::Wrong(format!("{what}: {error}"))
}
