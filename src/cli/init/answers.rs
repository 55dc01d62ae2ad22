//! The answers from which `init` writes a configuration: from flags, or asked for.

use std::io::{self, Write};

use crate::{
    cli::terminal::{Echo, line},
    config::{
        Origin,
        value::{address, secret_ref},
    },
    names::TenantName,
    ninjaone::region::Region,
    secret::Secret,
};

use super::InitArgs;

const LINE_BYTES_MAX: usize = 4096;

pub(super) struct Answers {
    pub(super) tenant: TenantName,
    /// As written: a region or a URL.
    pub(super) place: Place,
    pub(super) origin: Origin,
    pub(super) client_id: String,
    pub(super) secret: Secret<String>,
    /// The file that already holds the secret; otherwise one is written.
    pub(super) secret_file: Option<String>,
    pub(super) user_client_id: Option<String>,
}

pub(super) enum Place {
    Region(Region),
    Url(String),
}

/// An answer is missing or wrong.
pub(super) struct NoAnswer(pub(super) String);

pub(super) async fn gather(
    args: &InitArgs,
    no_input: bool,
    err: &mut dyn Write,
) -> io::Result<Result<Answers, NoAnswer>> {
    let mut asker = Asker { no_input, err };
    Ok(match asker.all(args).await {
        Ok(answers) => Ok(answers),
        Err(Stop::Wrong(why)) => Err(NoAnswer(why)),
        Err(Stop::Io(error)) => return Err(error),
    })
}

struct Asker<'a> {
    no_input: bool,
    err: &'a mut dyn Write,
}

enum Stop {
    Wrong(String),
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Asker<'_> {
    async fn all(&mut self, args: &InitArgs) -> Result<Answers, Stop> {
        let tenant = args.tenant.parse();
        let tenant = tenant.map_err(|error| wrong("--tenant", &error))?;
        let written = if let Some(written) = args.region.as_ref().or(args.url.as_ref()) {
            written.clone()
        } else {
            let question = "1. Where is your NinjaOne? us, us2, eu, ca, oc, fed, jp, or a URL such as https://acme.rmmservice.com";
            self.ask(question, "--region or --url", Echo::On).await?
        };
        let (place, origin) = place(&written)?;
        let client_id = if let Some(id) = &args.client_id {
            id.clone()
        } else {
            let question = "2. Client ID of an application of the platform API Services (NinjaOne: Administration, Apps, API)";
            self.ask(question, "--client-id", Echo::On).await?
        };
        let (secret, secret_file) = if let Some(file) = &args.client_secret_file {
            let read = secret_ref::from_file(file).and_then(|it| it.text());
            let secret = read.map_err(|error| wrong("--client-secret-file", &error))?;
            let whole = std::path::absolute(file)?;
            (secret, Some(whole.display().to_string()))
        } else {
            let question = "3. Its client secret (not shown while you type or paste it)";
            let secret = self
                .ask(question, "--client-secret-file", Echo::Off)
                .await?;
            (Secret::new(secret), None)
        };
        Ok(Answers {
            tenant,
            place,
            origin,
            client_id,
            secret,
            secret_file,
            user_client_id: args.user_client_id.clone(),
        })
    }

    async fn ask(&mut self, question: &str, flag: &str, echo: Echo) -> Result<String, Stop> {
        if self.no_input {
            return Err(Stop::Wrong(format!("with --no-input, {flag} is needed")));
        }
        write!(self.err, "{question}\n> ")?;
        self.err.flush()?;
        let read = tokio::select! {
            read = line(echo, LINE_BYTES_MAX) => read?,
            _ = tokio::signal::ctrl_c() => None,
        };
        if echo == Echo::Off {
            writeln!(self.err)?;
        }
        let text = read.map(|it| it.expose().trim().to_owned());
        text.filter(|it| !it.is_empty())
            .ok_or_else(|| Stop::Wrong(format!("no answer was given; it can be given with {flag}")))
    }
}

fn place(written: &str) -> Result<(Place, Origin), Stop> {
    if written.contains("://") {
        let origin = address::parse_origin(written).map_err(|error| wrong("the URL", &error))?;
        return Ok((Place::Url(written.to_owned()), origin));
    }
    let region: Region = written
        .parse()
        .map_err(|error| wrong("the region", &error))?;
    let origin = Origin {
        tls: true,
        host: region.host().to_owned(),
        port: 443,
        ca: None,
    };
    Ok((Place::Region(region), origin))
}

fn wrong(what: &str, error: &dyn std::fmt::Display) -> Stop {
    Stop::Wrong(format!("{what}: {error}"))
}
