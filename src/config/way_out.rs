//! How a tenant is reached: directly or through an outgoing proxy, and what says so.

use crate::net::client::outgoing_proxy::OutgoingProxy;

use super::value::{
    address::is_loopback,
    no_proxy,
    proxy_url::{ProxyUrl, ProxyUrlError, masked},
};

/// The setting, as it is named where a way out comes from.
pub const PROXY_SETTING: &str = "tenant.NAME.proxy";

/// The variables that name the proxy for https:// URLs, in the order in which they win. In each pair lower case wins, and
/// an empty one counts as not set; so it is with curl.
const PROXY_VARIABLES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
/// The variables that exempt hosts from those.
const EXEMPTING_VARIABLES: [&str; 2] = ["no_proxy", "NO_PROXY"];
/// The port of a proxy whose variable names none: curl's.
const DEFAULT_PORT: u16 = 1080;

/// How a tenant is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum WayOut {
    /// Nothing names a proxy.
    #[default]
    Direct,
    /// The setting is "none".
    DirectBySetting,
    /// A variable names a proxy and this one exempts the host.
    Exempted(&'static str),
    /// A proxy is named, but a loopback address is never reached through one.
    Loopback,
    /// Through the proxy of the setting.
    Setting(OutgoingProxy),
    /// Through the proxy that a variable names.
    Variable(OutgoingProxy, &'static str),
}

/// A variable that names no proxy that can be used. The text holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{shown:?}: {error}")]
pub(crate) struct ProxyVariableError {
    pub(crate) name: &'static str,
    shown: String,
    error: ProxyUrlError,
}

impl ProxyVariableError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> String {
        let name = self.name;
        format!(
            "set {name} to http://HOST:PORT (in a password write @ as %40, : as %3A, / as %2F), or name NinjaOne's host in NO_PROXY, or write proxy = \"none\" or proxy = {{ url = \"http://HOST:PORT\" }} in [tenant.NAME], which wins over {name}"
        )
    }
}

impl WayOut {
    /// What the environment says about the way to `host`; `variable` gives a variable's value.
    pub(crate) fn from_environment<'a>(
        host: &str,
        variable: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<Self, ProxyVariableError> {
        let first = |names: &[&'static str]| {
            let mut set = names
                .iter()
                .filter_map(|name| Some((*name, variable(name)?)));
            set.find(|(_, value)| !value.is_empty())
        };
        let Some((name, value)) = first(&PROXY_VARIABLES) else {
            return Ok(Self::Direct);
        };
        if is_loopback(host) {
            return Ok(Self::Loopback);
        }
        if let Some((by, list)) = first(&EXEMPTING_VARIABLES)
            && no_proxy::names(list, host)
        {
            return Ok(Self::Exempted(by));
        }
        let url = ProxyUrl::parse(value).map_err(|error| ProxyVariableError {
            name,
            shown: masked(value),
            error,
        })?;
        let port = url.port.unwrap_or(DEFAULT_PORT);
        let proxy = OutgoingProxy::new(url.host, port, url.user.as_ref());
        Ok(Self::Variable(proxy, name))
    }

    /// What connections go through; none if they go directly.
    #[must_use]
    pub const fn proxy(&self) -> Option<&OutgoingProxy> {
        match self {
            Self::Setting(proxy) | Self::Variable(proxy, _) => Some(proxy),
            Self::Direct | Self::DirectBySetting | Self::Exempted(_) | Self::Loopback => None,
        }
    }

    /// The same, owned.
    #[must_use]
    pub fn into_proxy(self) -> Option<OutgoingProxy> {
        match self {
            Self::Setting(proxy) | Self::Variable(proxy, _) => Some(proxy),
            Self::Direct | Self::DirectBySetting | Self::Exempted(_) | Self::Loopback => None,
        }
    }

    /// Where it comes from: a setting, a variable, or a rule of ours.
    #[must_use]
    pub const fn source(&self) -> &'static str {
        match self {
            Self::Direct => "default",
            Self::DirectBySetting | Self::Setting(_) => PROXY_SETTING,
            Self::Exempted(name) | Self::Variable(_, name) => name,
            Self::Loopback => "a loopback address is never reached through a proxy",
        }
    }

    /// Whether the tenant's `proxy` was written and is in force.
    #[must_use]
    pub const fn is_as_written(&self) -> bool {
        matches!(self, Self::DirectBySetting | Self::Setting(_))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const P: &str = "http://proxy:1";
    const Q: &str = "http://other:2";

    fn way(host: &str, variables: &[(&str, &'static str)]) -> Result<String, ProxyVariableError> {
        let found = WayOut::from_environment(host, |wanted| {
            let found = variables.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| *value)
        })?;
        let proxy = found.proxy().map_or("direct".into(), ToString::to_string);
        Ok(format!("{proxy} by {}", found.source()))
    }

    #[test]
    fn variables_win_in_curls_order() {
        for (variables, said) in [
            (&[][..], "direct by default"),
            (&[("HTTPS_PROXY", P)], "http://proxy:1 by HTTPS_PROXY"),
            (
                &[("HTTPS_PROXY", Q), ("https_proxy", P)],
                "http://proxy:1 by https_proxy",
            ),
            (
                &[("https_proxy", ""), ("HTTPS_PROXY", P)],
                "http://proxy:1 by HTTPS_PROXY",
            ),
            (
                &[("ALL_PROXY", Q), ("HTTPS_PROXY", P)],
                "http://proxy:1 by HTTPS_PROXY",
            ),
            (
                &[("ALL_PROXY", Q), ("all_proxy", P)],
                "http://proxy:1 by all_proxy",
            ),
            (&[("ALL_PROXY", "proxy")], "http://proxy:1080 by ALL_PROXY"),
            (&[("HTTP_PROXY", P), ("http_proxy", P)], "direct by default"),
            (&[("NO_PROXY", "*")], "direct by default"),
            (&[("ALL_PROXY", P), ("NO_PROXY", "*")], "direct by NO_PROXY"),
            (
                &[("ALL_PROXY", P), ("no_proxy", "x"), ("NO_PROXY", "*")],
                "http://proxy:1 by ALL_PROXY",
            ),
            (
                &[("ALL_PROXY", P), ("no_proxy", ""), ("NO_PROXY", "example")],
                "direct by NO_PROXY",
            ),
            (
                &[("ALL_PROXY", "socks5://x"), ("https_proxy", P)],
                "http://proxy:1 by https_proxy",
            ),
            (
                &[("ALL_PROXY", "socks5://x"), ("no_proxy", "*")],
                "direct by no_proxy",
            ),
        ] {
            assert_eq!(
                way("acme.example", variables).unwrap(),
                said,
                "{variables:?}"
            );
        }
    }

    #[test]
    fn a_loopback_address_is_never_reached_through_a_proxy() {
        for host in ["localhost", "127.0.0.1", "127.8.9.1", "::1"] {
            let said = way(host, &[("ALL_PROXY", "socks5://x")]).unwrap();
            assert!(said.starts_with("direct by a loopback"), "{said}");
        }
    }

    #[test]
    fn a_variable_that_names_no_http_proxy_is_an_error_without_its_secrets() {
        let error = way("acme.example", &[("ALL_PROXY", "socks5h://me:hunter2@x:1")]).unwrap_err();
        assert_eq!(error.name, "ALL_PROXY");
        assert_eq!(
            error.to_string(),
            "\"socks5h://***@x:1\": SOCKS proxies are not supported, only HTTP proxies are"
        );
        assert!(error.hint().contains("set ALL_PROXY to http://"));
    }
}
