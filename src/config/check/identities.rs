//! Checks the identities of a tenant: service and user.

use std::time::Duration;

use crate::{
    config::{
        Platform, RedirectUri, ServiceIdentity, UserIdentity,
        read::{document_reader::secret_ref_help, key_path::KeyPath},
        settings::{
            identity::{ServiceIdentitySettings, UserIdentitySettings, UserScope},
            keyword::{Keyword, KeywordSet},
            secret::SecretRef,
        },
        value::{
            duration, percentage,
            redirect_uri::{self, RedirectUriParseError},
        },
    },
    credentials::{
        grant::application::ClientAuthMethod, login::authorization::AuthorizationFlow,
        token::schedule::RenewalSchedule,
    },
    ninjaone::operation::Scope,
    secret::Secret,
};

use super::Checker;

const CLIENT_ID_BYTES_MAX: usize = 512;
const PERCENT_MIN: u8 = 1;
const PERCENT_MAX: u8 = 95;
const KEEPALIVE_MIN: Duration = Duration::from_mins(1);
const KEEPALIVE_MAX: Duration = Duration::from_hours(7 * 24);

impl Checker<'_> {
    pub(super) fn service(
        &mut self,
        settings: &ServiceIdentitySettings,
        path: &KeyPath,
    ) -> Option<ServiceIdentity> {
        let ServiceIdentitySettings {
            client_id,
            client_secret,
            scopes,
            refresh_at,
            client_auth,
        } = settings;
        let client_id = self.client_id(client_id.as_deref(), path);
        let client_secret = if let Some(reference) = client_secret {
            self.secret(reference, &path.child("client_secret"))
        } else {
            self.missing(path, "client_secret", secret_ref_help());
            None
        };
        let refresh_at = self.refresh_at(refresh_at, &path.child("refresh_at"));
        let scopes = scopes.iter().copied();
        Some(ServiceIdentity {
            client_id: client_id?,
            client_secret: client_secret?,
            scopes: scopes.map(|it| it.0.as_str().to_owned()).collect(),
            refresh_at,
            client_auth: client_auth.0,
        })
    }

    pub(super) fn user(
        &mut self,
        settings: &UserIdentitySettings,
        path: &KeyPath,
    ) -> Option<UserIdentity> {
        let UserIdentitySettings {
            client_id,
            client_secret,
            platform,
            grant: Keyword(grant),
            scopes,
            redirect,
            keepalive,
            refresh_at,
            client_auth: Keyword(client_auth),
        } = settings;
        let client_id = self.client_id(client_id.as_deref(), path);
        let has_secret = self.provenance.contains(&path.child("client_secret"));
        let platform = platform_of(*platform, has_secret);
        let client_secret = self.user_secret(client_secret.as_ref(), platform, path);
        if !has_secret && *client_auth == ClientAuthMethod::ClientSecretBasic {
            self.error_with_hint(
                &path.child("client_auth"),
                "there is no client secret that could be sent in a header",
                "remove it",
            );
        }
        let scopes = self.user_scopes(scopes.as_deref(), platform, *grant, path);
        let redirect = self.redirect(redirect, platform, &path.child("redirect"));
        let keepalive = self.keepalive(keepalive, &path.child("keepalive"));
        let refresh_at = self.refresh_at(refresh_at, &path.child("refresh_at"));
        Some(UserIdentity {
            client_id: client_id?,
            client_secret: client_secret.ok()?,
            platform,
            grant: *grant,
            scopes,
            redirect: redirect?,
            keepalive,
            refresh_at,
            client_auth: *client_auth,
        })
    }

    fn client_id(&mut self, id: Option<&str>, path: &KeyPath) -> Option<String> {
        let Some(id) = id else {
            let hint = "NinjaOne shows it with the application: Administration, Apps, API";
            self.missing(path, "client_id", hint);
            return None;
        };
        if !is_client_id(id) {
            let message =
                format!("a client id is 1 to {CLIENT_ID_BYTES_MAX} printable ASCII characters");
            self.error(&path.child("client_id"), message);
        }
        Some(id.to_owned())
    }

    /// The client secret that the platform requires, or `None` if it has none.
    fn user_secret(
        &mut self,
        reference: Option<&SecretRef>,
        platform: Platform,
        path: &KeyPath,
    ) -> Result<Option<Secret<String>>, ReportedError> {
        let at = path.child("client_secret");
        match (platform, reference) {
            (Platform::Web, None) => {
                let hint = format!(
                    "{}; an application without a secret is `platform = \"native\"` or \"single-page\"",
                    secret_ref_help()
                );
                self.missing(path, "client_secret", hint);
                Err(ReportedError)
            }
            (Platform::Web, Some(reference)) => {
                self.secret(reference, &at).map(Some).ok_or(ReportedError)
            }
            (Platform::Native | Platform::SinglePage, None) => Ok(None),
            (Platform::Native | Platform::SinglePage, Some(_)) => {
                self.error_with_hint(
                    &at,
                    format!("a {} application has no client secret", platform.word()),
                    "remove it, or write `platform = \"web\"` if NinjaOne shows one for the application",
                );
                Err(ReportedError)
            }
        }
    }

    fn user_scopes(
        &mut self,
        written: Option<&[Keyword<UserScope>]>,
        platform: Platform,
        grant: AuthorizationFlow,
        path: &KeyPath,
    ) -> Vec<String> {
        let refreshes = platform != Platform::SinglePage && grant == AuthorizationFlow::Code;
        let usual = [
            UserScope::Of(Scope::Monitoring),
            UserScope::Of(Scope::Management),
            UserScope::OfflineAccess,
        ]
        .map(Keyword);
        let usual = if refreshes { &usual[..] } else { &usual[..2] };
        let scopes = written.unwrap_or(usual);
        let is_offline = scopes.contains(&Keyword(UserScope::OfflineAccess));
        let at = path.child("scopes");
        if is_offline && !refreshes {
            let without = match platform {
                Platform::SinglePage => "a single-page application",
                Platform::Web | Platform::Native => "the implicit grant",
            };
            self.error_with_hint(
                &at,
                format!("{without} has no refresh token: `offline_access` makes no sense"),
                "remove \"offline_access\"",
            );
        } else if !is_offline
            && refreshes
            && !self.diagnostics.has_within(&self.value_location(&at))
        {
            self.warning(
                &at,
                "without `offline_access` there is no refresh token: somebody must log in again at each token's end",
                "add \"offline_access\"",
            );
        }
        let texts = scopes.iter().map(|it| it.0.word());
        texts.map(str::to_owned).collect()
    }

    fn redirect(&mut self, text: &str, platform: Platform, path: &KeyPath) -> Option<RedirectUri> {
        let redirect = match redirect_uri::parse(text) {
            Ok(redirect) => redirect,
            Err(error) => {
                let hint = error.hint().map(str::to_owned);
                if error == RedirectUriParseError::UserInfo {
                    self.redacted_error(path, error.to_string(), hint);
                } else {
                    let at = self.value_location(path);
                    self.diagnostics.error(at, error.to_string(), hint);
                }
                return None;
            }
        };
        if platform == Platform::Native && !redirect_uri::is_native_loopback(&redirect) {
            self.error_with_hint(
                path,
                "a native application's redirect begins with \"http://127.0.0.1:\" and a port",
                "such as \"http://127.0.0.1:6468/callback\"",
            );
            return None;
        }
        if platform != Platform::Native && redirect.loopback.is_some_and(|it| it.port() == 0) {
            self.error_with_hint(
                path,
                "only a native application is sent back to any port (0)",
                "write the port that is registered in NinjaOne",
            );
            return None;
        }
        if redirect.loopback.is_none() {
            self.warning(
                path,
                "`login` cannot listen there",
                "log in with `ninjaone-proxy login --paste`, or use an address such as \"http://127.0.0.1:6468/callback\"",
            );
        }
        Some(redirect)
    }

    fn keepalive(&mut self, text: &str, path: &KeyPath) -> Duration {
        match duration::parse(text) {
            Ok(time) if (KEEPALIVE_MIN..=KEEPALIVE_MAX).contains(&time) => return time,
            Ok(_) => self.error(path, "this must be between \"1m\" and \"7d\""),
            Err(error) => self.error(path, error),
        }
        KEEPALIVE_MIN
    }

    fn refresh_at(&mut self, text: &str, path: &KeyPath) -> RenewalSchedule {
        let usual = RenewalSchedule::AtLifetimePercent(80);
        if let Ok(share) = percentage::parse(text) {
            if (PERCENT_MIN..=PERCENT_MAX).contains(&share) {
                return RenewalSchedule::AtLifetimePercent(share);
            }
            self.error(
                path,
                format!("this must be a share of a token's life, {PERCENT_MIN}% to {PERCENT_MAX}%"),
            );
            return usual;
        }
        match duration::parse(text) {
            Ok(before) if !before.is_zero() => RenewalSchedule::BeforeExpiry(before),
            _ => {
                self.error(path, "this is a share of the token's life (\"80%\") or a time before its end (\"5m\")");
                usual
            }
        }
    }
}

/// Something is wrong and has been reported.
struct ReportedError;

fn is_client_id(text: &str) -> bool {
    (1..=CLIENT_ID_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn platform_of(written: Option<Keyword<Platform>>, has_secret: bool) -> Platform {
    match written {
        Some(Keyword(platform)) => platform,
        None if has_secret => Platform::Web,
        None => Platform::Native,
    }
}
