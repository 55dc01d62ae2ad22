//! The answers from which `init` writes a configuration: from flags, or asked for, and tried at NinjaOne.

use std::io;

use crate::{
    app::wiring::endpoint,
    cli::{context::Context, terminal::Echo},
    config::{
        value::secret_ref::{self, SecretError},
        value::secret_text,
        way_out::WayOut,
    },
    credentials::grant::{
        application::{Application, ClientAuthMethod},
        client_credentials::{ClientCredentials, TokenSummary},
    },
    names::TenantName,
    secret::Secret,
};

use super::{
    args::InitArgs,
    init_refusal::{InitRefusal, RefusedPart},
    place::TenantPlace,
    proxy_choice::ProxyChoice,
    questioner::{InitError, Question, Questioner},
};

const PLACE_FLAG: &str = "--region or --url";
const CLIENT_ID_FLAG: &str = "--client-id";
const SECRET_FLAG: &str = "--client-secret-file";

const PLACE_QUESTION: &str = "Where is your NinjaOne? A region (us, us2, eu, ca, oc, fed, jp), or the address in your browser";
const CLIENT_ID_QUESTION: &str = "Client ID of an application of the platform API Services (in NinjaOne: Administration, Apps, API)";
const SECRET_QUESTION: &str = "Its client secret (not shown while you type or paste it)";

/// As the configuration takes them.
const CLIENT_ID_BYTES_MAX: usize = 512;
/// So that an endless input ends.
const REFUSALS_MAX: usize = 10;

pub(super) struct Answers {
    pub(super) tenant: TenantName,
    pub(super) place: TenantPlace,
    pub(super) client_id: String,
    pub(super) secret: Secret<String>,
    /// The file that already holds the secret; otherwise one is written.
    pub(super) secret_file: Option<String>,
    pub(super) user_client_id: Option<String>,
    pub(super) proxy: ProxyChoice,
}

/// The flags that are needed and missing, all of them.
pub(super) fn missing_flags(args: &InitArgs) -> Vec<&'static str> {
    let needed = [
        (PLACE_FLAG, args.region.is_none() && args.url.is_none()),
        (CLIENT_ID_FLAG, args.client_id.is_none()),
        (SECRET_FLAG, args.client_secret_file.is_none()),
    ];
    let missing = needed.into_iter().filter(|(_, is_missing)| *is_missing);
    missing.map(|(flag, _)| flag).collect()
}

/// Collects the answers and tries them; what NinjaOne refuses is asked for again. Gives what NinjaOne granted, unless nothing
/// was to be tried.
///
/// # Errors
/// An answer is wrong or refused, and nobody can be asked.
pub(super) async fn collect(
    args: &InitArgs,
    context: &Context,
    questioner: &mut Questioner<'_>,
) -> Result<(Answers, Option<TokenSummary>), InitError> {
    let mut answers = first(args, questioner).await?;
    let mut refusals = 0;
    loop {
        let refusal = match try_out(&mut answers, args, context).await {
            Ok(offered) => return Ok((answers, offered)),
            Err(refusal) => refusal,
        };
        refusals += 1;
        if context.no_input || refusals == REFUSALS_MAX {
            return Err(InitError::Refused(refusal, false));
        }
        questioner.say(&format!("\n{}", refusal.text))?;
        let again = answers.ask_again(refusal.part, questioner).await;
        match again {
            Ok(()) => {}
            Err(InitError::EndOfInput(_)) => return Err(InitError::Refused(refusal, true)),
            Err(other) => return Err(other),
        }
    }
}

async fn first(args: &InitArgs, questioner: &mut Questioner<'_>) -> Result<Answers, InitError> {
    let tenant = args.tenant.parse();
    let tenant = tenant.map_err(|error| wrong("--tenant", &error))?;
    let place = match (&args.region, &args.url) {
        (Some(written), _) => place_of_flag("--region", written, questioner)?,
        (None, Some(written)) => place_of_flag("--url", written, questioner)?,
        (None, None) => ask_place(None, questioner).await?,
    };
    let client_id = match &args.client_id {
        Some(id) => parse_client_id(id).map_err(|why| wrong(CLIENT_ID_FLAG, &why))?,
        None => ask_client_id(None, questioner).await?,
    };
    let (secret, secret_file) = match &args.client_secret_file {
        Some(file) => {
            let read = secret_ref::from_file(file).and_then(|it| it.text());
            let secret = read.map_err(|error| wrong_secret_file(&error))?;
            let whole = std::path::absolute(file)?;
            (secret, Some(whole.display().to_string()))
        }
        None => (ask_secret(&client_id, None, questioner).await?, None),
    };
    Ok(Answers {
        tenant,
        place,
        client_id,
        secret,
        secret_file,
        user_client_id: args.user_client_id.clone(),
        proxy: ProxyChoice::Environment,
    })
}

async fn try_out(
    answers: &mut Answers,
    args: &InitArgs,
    context: &Context,
) -> Result<Option<TokenSummary>, InitRefusal> {
    let host = &answers.place.origin.host;
    let way_out = match answers.proxy.way_out() {
        Some(chosen) => chosen,
        None => WayOut::from_environment(host, |name| context.env_var(name)).map_err(|error| {
            InitRefusal {
                part: RefusedPart::OutgoingProxy,
                text: format!("{}: {error}\nhint: {}", error.name, error.hint()),
                exit: crate::cli::exit::ExitStatus::ConfigurationWrong,
            }
        })?,
    };
    answers.place.origin.way_out = way_out;
    if args.untried {
        return Ok(None);
    }
    let origin = &answers.place.origin;
    let credentials = ClientCredentials {
        application: Application {
            endpoint: endpoint(origin),
            client_id: answers.client_id.clone(),
            client_secret: Some(answers.secret.clone()),
            client_auth: ClientAuthMethod::ClientSecretPost,
        },
        scopes: Vec::new(),
    };
    let tried = credentials.verify().await;
    tried
        .map(Some)
        .map_err(|error| InitRefusal::of(error, origin))
}

impl Answers {
    async fn ask_again(
        &mut self,
        part: RefusedPart,
        questioner: &mut Questioner<'_>,
    ) -> Result<(), InitError> {
        match part {
            RefusedPart::Place => {
                self.place = ask_place(Some(&self.place), questioner).await?;
            }
            RefusedPart::PlaceAndClientId => {
                self.place = ask_place(Some(&self.place), questioner).await?;
                self.client_id = ask_client_id(Some(&self.client_id), questioner).await?;
            }
            RefusedPart::Secret => {
                let before = Some(&self.secret);
                let secret = ask_secret(&self.client_id, before, questioner).await?;
                if secret != self.secret {
                    self.secret_file = None;
                    self.secret = secret;
                }
            }
            RefusedPart::OutgoingProxy => self.proxy = ProxyChoice::ask(questioner).await?,
            RefusedPart::Application | RefusedPart::Trouble => {
                let question = Question {
                    text: "Press Enter to try again, or Ctrl-C to stop.",
                    echo: Echo::On,
                    flag: "--untried",
                };
                questioner.ask(&question, |_| Ok(())).await?;
            }
        }
        Ok(())
    }
}

fn place_of_flag(
    flag: &str,
    written: &str,
    questioner: &mut Questioner<'_>,
) -> Result<TenantPlace, InitError> {
    let place = TenantPlace::parse(written).map_err(|error| wrong(flag, &error))?;
    say_what_is_kept(&place, questioner)?;
    Ok(place)
}

fn say_what_is_kept(place: &TenantPlace, questioner: &mut Questioner<'_>) -> io::Result<()> {
    if place.is_cut {
        let kept = endpoint(&place.origin).origin();
        questioner.say(&format!(
            "Using {kept}; the rest of the address is not needed."
        ))?;
    }
    Ok(())
}

async fn ask_place(
    before: Option<&TenantPlace>,
    questioner: &mut Questioner<'_>,
) -> Result<TenantPlace, InitError> {
    let text = or_keep(PLACE_QUESTION, before.map(TenantPlace::written));
    let question = Question {
        text: &text,
        echo: Echo::On,
        flag: PLACE_FLAG,
    };
    let answered = questioner
        .ask(&question, |answer| match before {
            Some(before) if answer.expose().is_empty() => Ok(before.clone()),
            _ => TenantPlace::parse(answer.expose()).map_err(|error| error.to_string()),
        })
        .await?;
    if before.is_none_or(|it| it.written() != answered.written()) {
        say_what_is_kept(&answered, questioner)?;
    }
    Ok(answered)
}

async fn ask_client_id(
    before: Option<&str>,
    questioner: &mut Questioner<'_>,
) -> Result<String, InitError> {
    let text = or_keep(CLIENT_ID_QUESTION, before);
    let question = Question {
        text: &text,
        echo: Echo::On,
        flag: CLIENT_ID_FLAG,
    };
    questioner
        .ask(&question, |answer| match before {
            Some(before) if answer.expose().is_empty() => Ok(before.to_owned()),
            _ => parse_client_id(answer.expose()),
        })
        .await
}

async fn ask_secret(
    client_id: &str,
    before: Option<&Secret<String>>,
    questioner: &mut Questioner<'_>,
) -> Result<Secret<String>, InitError> {
    let kept = before.map(|_| "the same secret, once the application is right");
    let text = or_keep(SECRET_QUESTION, kept);
    let question = Question {
        text: &text,
        echo: Echo::Off,
        flag: SECRET_FLAG,
    };
    questioner
        .ask(&question, |answer| match before {
            Some(before) if answer.expose().is_empty() => Ok(before.clone()),
            _ => parse_secret(answer, client_id),
        })
        .await
}

fn or_keep(question: &str, kept: Option<&str>) -> String {
    kept.map_or_else(
        || question.to_owned(),
        |kept| format!("{question}\nPress Enter for {kept}."),
    )
}

fn parse_client_id(text: &str) -> Result<String, String> {
    let text = secret_text::trim(text);
    if text.is_empty() {
        return Err("A client ID is needed.".to_owned());
    }
    if text.contains("://") {
        return Err("This is an address, not a client ID; NinjaOne shows the ID in the list of applications.".to_owned());
    }
    if text.len() > CLIENT_ID_BYTES_MAX || !text.bytes().all(|it| it.is_ascii_graphic()) {
        return Err(format!(
            "A client ID is 1 to {CLIENT_ID_BYTES_MAX} letters, digits and signs, without blanks."
        ));
    }
    Ok(text.to_owned())
}

fn parse_secret(answer: &Secret<String>, client_id: &str) -> Result<Secret<String>, String> {
    let text = answer.expose();
    if text.is_empty() {
        return Err("A client secret is needed.".to_owned());
    }
    if text == client_id {
        return Err("This is the client ID again; its secret is another text.".to_owned());
    }
    let hidden = secret_text::hidden_within(text).map(SecretError::HiddenCharacter);
    let control = || {
        text.chars()
            .any(char::is_control)
            .then_some(SecretError::ControlCharacter)
    };
    match hidden.or_else(control) {
        Some(error) => Err(format!("This cannot be the client secret: {error}.")),
        None => Ok(answer.clone()),
    }
}

fn wrong(what: &str, error: &dyn std::fmt::Display) -> InitError {
    InitError::Wrong(format!("{what}: {error}"))
}

fn wrong_secret_file(error: &SecretError) -> InitError {
    let hint = error.hint();
    let hint = hint.map_or_else(String::new, |hint| format!("\nhint: {hint}"));
    InitError::Wrong(format!("{SECRET_FLAG}: {error}{hint}"))
}
