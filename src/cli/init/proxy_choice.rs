//! The outgoing proxy that somebody chose because the one of the environment, or none, did not work.

use crate::{
    cli::terminal::Echo,
    config::{
        value::proxy_url::{ProxyUrl, check_user_name},
        way_out::WayOut,
    },
    net::client::outgoing_proxy::{OutgoingProxy, ProxyUser},
    secret::Secret,
};

use super::questioner::{InitError, Question, Questioner};

/// What proxies are set by instead.
const VARIABLE: &str = "HTTPS_PROXY";

/// How NinjaOne is to be reached.
#[derive(Clone)]
pub(super) enum ProxyChoice {
    /// What the environment says.
    Environment,
    Direct,
    Through {
        host: String,
        port: u16,
        user: Option<ProxyUser>,
    },
}

impl ProxyChoice {
    /// The way that was chosen; none if it is the environment's to say.
    pub(super) fn way_out(&self) -> Option<WayOut> {
        match self {
            Self::Environment => None,
            Self::Direct => Some(WayOut::DirectBySetting),
            Self::Through { host, port, user } => Some(WayOut::Setting(OutgoingProxy::new(
                host.clone(),
                *port,
                user.as_ref(),
            ))),
        }
    }

    pub(super) async fn ask(questioner: &mut Questioner<'_>) -> Result<Self, InitError> {
        let question = Question {
            text: "Outgoing proxy: http://HOST:PORT, or none for a direct connection",
            echo: Echo::On,
            flag: VARIABLE,
        };
        let address = questioner.ask(&question, parse_address).await?;
        let Some((host, port)) = address else {
            return Ok(Self::Direct);
        };
        let question = Question {
            text: "User name at the proxy (Enter if it asks for none)",
            echo: Echo::On,
            flag: VARIABLE,
        };
        let name = questioner.ask(&question, parse_user).await?;
        let Some(name) = name else {
            let user = None;
            return Ok(Self::Through { host, port, user });
        };
        let question = Question {
            text: "Password at the proxy (not shown while you type or paste it)",
            echo: Echo::Off,
            flag: VARIABLE,
        };
        let password = questioner.ask(&question, parse_password).await?;
        let user = Some(ProxyUser { name, password });
        Ok(Self::Through { host, port, user })
    }
}

/// None for a direct connection.
fn parse_address(answer: &Secret<String>) -> Result<Option<(String, u16)>, String> {
    let text = answer.expose().trim();
    if text.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    if text.contains('@') {
        return Err("Write it without user and password: they are asked for next.".to_owned());
    }
    let url = ProxyUrl::parse(text).map_err(|error| format!("That is no proxy: {error}."))?;
    let port = url
        .port
        .ok_or("Write its port as well: http://HOST:PORT.")?;
    Ok(Some((url.host, port)))
}

/// None where no user is named.
fn parse_user(answer: &Secret<String>) -> Result<Option<String>, String> {
    let name = answer.expose();
    if name.is_empty() {
        return Ok(None);
    }
    check_user_name(name).map_err(|error| format!("That is no user name: {error}."))?;
    Ok(Some(name.clone()))
}

fn parse_password(answer: &Secret<String>) -> Result<Secret<String>, String> {
    if answer.expose().is_empty() {
        return Err("A password is needed.".to_owned());
    }
    if answer.expose().chars().any(char::is_control) {
        return Err("A password holds no control characters.".to_owned());
    }
    Ok(answer.clone())
}
