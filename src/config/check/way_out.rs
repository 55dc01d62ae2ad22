//! Checks how a tenant is reached: its `proxy`, or else the environment's.

use crate::{
    config::{
        SecretUse,
        read::{diagnostics::SourceLocation, key_path::KeyPath},
        settings::{
            outgoing_proxy::{OutgoingProxySetting, OutgoingProxySettings},
            secret::SecretRef,
        },
        value::{
            address::is_loopback,
            proxy_url::{ProxyUrl, ProxyUrlError, check_user_name},
        },
        way_out::WayOut,
    },
    net::client::outgoing_proxy::{OutgoingProxy, ProxyUser},
};

use super::Checker;

const FORMS: &str = "write proxy = { url = \"http://HOST:PORT\" }, with `user` and `password` if it asks for them, or proxy = \"none\"";
const USER_ELSEWHERE: &str =
    "write proxy = { url = \"http://HOST:PORT\", user = \"…\", password = { file = \"…\" } }";

impl Checker<'_> {
    /// The way to `host`, which is none if it is wrong; `path` is the setting's.
    pub(super) fn way_out(
        &mut self,
        setting: Option<&OutgoingProxySetting>,
        path: &KeyPath,
        host: Option<&str>,
    ) -> WayOut {
        let proxy = match setting {
            // Written and wrong has been reported already.
            None if self.provenance.contains(path) => return WayOut::default(),
            None => return self.environments_way_out(host),
            Some(OutgoingProxySetting::Off(word)) if word == "none" => {
                return WayOut::DirectBySetting;
            }
            Some(OutgoingProxySetting::Off(_)) => {
                let message = "a proxy is a table with a `url`, or \"none\"".to_owned();
                self.redacted_error(path, message, Some(FORMS.into()));
                return WayOut::default();
            }
            Some(OutgoingProxySetting::Through(proxy)) => self.outgoing_proxy(proxy, path),
        };
        if host.is_some_and(is_loopback) {
            self.warning(
                path,
                "this proxy is not used: a loopback address is never reached through one",
                "remove it, or check the tenant's `url`",
            );
            return WayOut::Loopback;
        }
        proxy.map(WayOut::Setting).unwrap_or_default()
    }

    fn environments_way_out(&mut self, host: Option<&str>) -> WayOut {
        let Some(host) = host else {
            return WayOut::default();
        };
        let sources = self.sources;
        match WayOut::from_environment(host, |name| sources.env_var(name)) {
            Ok(way_out) => way_out,
            Err(error) => {
                let at = SourceLocation::Named(error.name.to_owned());
                // Once, however many tenants it is about.
                if !self.diagnostics.has_at(&at) {
                    let (message, hint) = (error.to_string(), Some(error.hint()));
                    match self.secrets {
                        SecretUse::Needed => self.diagnostics.error(at, message, hint),
                        // The variables are those of a shell. The service that sends may have others.
                        SecretUse::NotNeeded => {
                            let message = format!("{message}; `run` does not start with it");
                            self.diagnostics.warning(at, message, hint);
                        }
                    }
                }
                WayOut::default()
            }
        }
    }

    fn outgoing_proxy(
        &mut self,
        settings: &OutgoingProxySettings,
        path: &KeyPath,
    ) -> Option<OutgoingProxy> {
        let OutgoingProxySettings {
            url,
            user,
            password,
        } = settings;
        let user = self.proxy_user(user.as_deref(), password.as_ref(), path);
        let Some(url) = url else {
            self.missing(path, "url", FORMS);
            return None;
        };
        let path = path.child("url");
        let (host, port) = match ProxyUrl::parse(url) {
            Ok(parsed) if parsed.user.is_some() => {
                let message = "user and password are not written into a proxy's url".to_owned();
                self.redacted_error(&path, message, Some(USER_ELSEWHERE.into()));
                return None;
            }
            Ok(ProxyUrl { has_path: true, .. }) => {
                self.redacted_error(&path, ProxyUrlError::InvalidFormat.to_string(), None);
                return None;
            }
            Ok(parsed) => (parsed.host, parsed.port),
            Err(error) if url.contains('@') => {
                self.redacted_error(&path, error.to_string(), Some(USER_ELSEWHERE.into()));
                return None;
            }
            Err(error) => {
                self.error_with_hint(&path, error, FORMS);
                return None;
            }
        };
        let Some(port) = port else {
            self.error_with_hint(&path, "a proxy's url names its port", FORMS);
            return None;
        };
        Some(OutgoingProxy::new(host, port, user.as_ref()))
    }

    fn proxy_user(
        &mut self,
        user: Option<&str>,
        password: Option<&SecretRef>,
        path: &KeyPath,
    ) -> Option<ProxyUser> {
        let secret = password.map(|it| self.secret(it, &path.child("password")));
        match (user, secret) {
            (Some(name), Some(password)) => {
                if let Err(error) = check_user_name(name) {
                    self.error(&path.child("user"), error);
                    return None;
                }
                Some(ProxyUser {
                    name: name.to_owned(),
                    password: password?,
                })
            }
            (Some(_), None) => {
                self.missing(path, "password", USER_ELSEWHERE);
                None
            }
            (None, Some(_)) => {
                self.missing(path, "user", USER_ELSEWHERE);
                None
            }
            (None, None) => None,
        }
    }
}
