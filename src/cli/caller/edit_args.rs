//! The flags of `caller allow`, `caller deny` and `caller set`.

use std::str::FromStr;

use clap::{Args, ValueEnum};

use crate::{
    clock::Timestamp,
    config::{
        caller_edits::{CallerEdits, CallerSettingEdit, CallerSettingValue},
        value::expiry,
    },
};

#[derive(Debug, Args)]
pub struct CallerSelectorArgs {
    /// Name of the caller
    pub name: String,
    /// A class, an operation ID, scope:…, tag:… or "METHOD /path"
    #[arg(required = true, value_name = "SELECTOR")]
    pub selectors: Vec<String>,
    /// Take the rule back, where the caller itself has it; policies stay as they are
    #[arg(long)]
    pub remove: bool,
}

/// A number, or `default`, which removes the setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitArgument(Option<u32>);

impl FromStr for LimitArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "default" {
            return Ok(Self(None));
        }
        let number = text.parse().map(|it| Self(Some(it)));
        number.map_err(|_| "this is neither a number nor default".to_owned())
    }
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("setting").required(true).multiple(true))]
pub struct CallerSetArgs {
    /// Name of the caller
    pub name: String,
    /// Policies that apply to it, in place of those it has; may be repeated; none removes them
    #[arg(long, group = "setting")]
    pub policy: Vec<String>,
    /// When its keys expire: a date, a time or never
    #[arg(long, group = "setting", value_name = "DATE")]
    pub expires: Option<String>,
    /// Tenants it may use, in place of those it has; may be repeated; all for every tenant
    #[arg(long, group = "setting")]
    pub tenant: Vec<String>,
    /// Rate limit, such as 5/s or 60/min; default removes it
    #[arg(long, group = "setting")]
    pub rate: Option<String>,
    /// Number of requests that may come at once; default removes it
    #[arg(long, group = "setting", value_name = "NUMBER")]
    pub burst: Option<LimitArgument>,
    /// Number of requests that may be in progress at once; default removes it
    #[arg(long, group = "setting", value_name = "NUMBER")]
    pub concurrency: Option<LimitArgument>,
    /// Whether it must send NJP-Reason
    #[arg(long, group = "setting", num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
    pub require_reason: Option<bool>,
    /// Whether it must send NJP-On-Behalf-Of
    #[arg(long, group = "setting", value_name = "WHETHER")]
    pub on_behalf_of: Option<OnBehalfOfArgument>,
    /// Identity that its requests are sent as; default leaves it to policies and operations
    #[arg(long, group = "setting", value_name = "IDENTITY")]
    pub identity: Option<IdentityArgument>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnBehalfOfArgument {
    Required,
    Optional,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum IdentityArgument {
    Service,
    User,
    Default,
}

impl CallerSetArgs {
    /// # Errors
    /// What is wrong with a flag.
    pub(super) fn edits(&self) -> Result<CallerEdits, String> {
        let mut settings = Vec::new();
        let mut push = |path: &'static [&'static str], value| {
            settings.push(CallerSettingEdit { path, value });
        };
        if let Some(list) = list_or(&self.policy, "none")? {
            push(&["policy"], list);
        }
        if let Some(list) = list_or(&self.tenant, "all")? {
            push(&["tenants"], list);
        }
        if let Some(expires) = &self.expires {
            if expires != "never" {
                check_expiry(expires)?;
            }
            push(&["expires"], text_or(expires, "never"));
        }
        if let Some(rate) = &self.rate {
            push(&["limit", "rate"], text_or(rate, "default"));
        }
        for (path, number) in [
            (&["limit", "burst"], self.burst),
            (&["limit", "concurrency"], self.concurrency),
        ] {
            if let Some(LimitArgument(number)) = number {
                push(path, number.map(CallerSettingValue::Number));
            }
        }
        if let Some(is_required) = self.require_reason {
            push(
                &["require_reason"],
                Some(CallerSettingValue::Flag(is_required)),
            );
        }
        if let Some(choice) = self.on_behalf_of {
            let word = match choice {
                OnBehalfOfArgument::Required => "required",
                OnBehalfOfArgument::Optional => "optional",
            };
            push(&["on_behalf_of"], text_or(word, ""));
        }
        if let Some(choice) = self.identity {
            let word = match choice {
                IdentityArgument::Service => "service",
                IdentityArgument::User => "user",
                IdentityArgument::Default => "default",
            };
            push(&["identity"], text_or(word, "default"));
        }
        Ok(CallerEdits {
            settings,
            ..CallerEdits::default()
        })
    }
}

fn text_or(text: &str, removes: &str) -> Option<CallerSettingValue> {
    (text != removes).then(|| CallerSettingValue::Text(text.to_owned()))
}

/// Nothing if no value was given; inside, nothing if the setting is to be removed.
#[expect(clippy::option_option, reason = "not given, or given as its removal")]
fn list_or(values: &[String], removes: &str) -> Result<Option<Option<CallerSettingValue>>, String> {
    match values {
        [] => Ok(None),
        [one] if one == removes => Ok(Some(None)),
        several if several.iter().any(|it| it == removes) => {
            Err(format!("\"{removes}\" stands alone"))
        }
        several => Ok(Some(Some(CallerSettingValue::Texts(several.to_vec())))),
    }
}

/// # Errors
/// It is no date, or a key with it would never work.
pub(super) fn check_expiry(text: &str) -> Result<(), String> {
    let at = expiry::parse(text).map_err(|error| format!("--expires: {error}"))?;
    if at <= Timestamp::now() {
        return Err(format!(
            "--expires: {text} is in the past, so the key would never work"
        ));
    }
    Ok(())
}
