//! The applications, as an administrator would create them under Administration, Apps, API: what each platform may do, and
//! the four that every sandbox has.

use crate::{ninjaone::operation::Scope, secret::Secret};

use super::{grant_type::GrantType, granted_scopes::GrantedScopes};

/// The app of platform API Services that every sandbox knows.
pub const DEFAULT_CLIENT_ID: &str = "sandbox-client";

/// Known to everybody: it opens nothing but sandboxes.
pub const DEFAULT_CLIENT_SECRET: &str = "sandbox-secret-not-a-real-one";

/// The app of platform Web that every sandbox knows.
pub const WEB_CLIENT_ID: &str = "sandbox-web";

/// Known to everybody: it opens nothing but sandboxes.
pub const WEB_CLIENT_SECRET: &str = "sandbox-web-secret-not-a-real-one";

/// The first is where `ninjaone-proxy login` waits.
pub const WEB_REDIRECTS: [&str; 2] = [
    "http://127.0.0.1:6468/callback",
    "https://web.example/signed-in/",
];

/// The app of platform Native that every sandbox knows. It has no secret and takes any port of `http://127.0.0.1`.
pub const NATIVE_CLIENT_ID: &str = "sandbox-native";

/// The app of platform Single Page that every sandbox knows. It has no secret.
pub const SINGLE_PAGE_CLIENT_ID: &str = "sandbox-spa";

/// The redirect URIs of the Single Page application.
pub const SINGLE_PAGE_REDIRECTS: [&str; 2] =
    ["http://127.0.0.1:6468/callback", "https://spa.example/"];

/// Longest redirect URI, in bytes.
const REDIRECT_BYTES_MAX: usize = 2_048;

/// The redirect URI of a Native app; a port and a path may follow.
const NATIVE_REDIRECT: &str = "http://127.0.0.1";

/// The kinds of app that NinjaOne offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientPlatform {
    /// A server: it has a secret, and logs users in.
    Web,
    /// A program on the user's machine: no secret, PKCE, a redirect to any loopback port.
    Native,
    /// A page in a browser: no secret, PKCE, no refresh token.
    SinglePage,
    /// A machine: it has a secret, but no user and no authorize page.
    ApiServices,
}

impl ClientPlatform {
    pub(super) const fn has_secret(self) -> bool {
        matches!(self, Self::Web | Self::ApiServices)
    }

    pub(super) const fn supports_user_login(self) -> bool {
        !matches!(self, Self::ApiServices)
    }

    pub(super) const fn supports_refresh_tokens(self) -> bool {
        matches!(self, Self::Web | Self::Native)
    }

    /// Whether a code is issued only with a challenge: a client without a secret needs PKCE (RFC 7636).
    pub(super) const fn requires_pkce(self) -> bool {
        self.supports_user_login() && !self.has_secret()
    }

    pub(super) const fn supports_grant(self, grant: GrantType) -> bool {
        match grant {
            GrantType::AuthorizationCode => self.supports_user_login(),
            GrantType::RefreshToken => self.supports_refresh_tokens(),
            GrantType::ClientCredentials => matches!(self, Self::ApiServices),
        }
    }
}

/// An app.
#[derive(Clone)]
pub struct Client {
    pub id: String,
    /// Ignored for platforms that have none.
    pub secret: Secret<String>,
    pub scopes: Vec<Scope>,
    /// Its client-credentials tokens have a user context, as those of a login do, so operations that require one
    /// succeed.
    pub user_context: bool,
    pub platform: ClientPlatform,
    /// The registered redirect URIs, compared exactly. Ignored for Native and API Services.
    pub redirects: Vec<String>,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            id: DEFAULT_CLIENT_ID.to_owned(),
            secret: Secret::new(DEFAULT_CLIENT_SECRET.to_owned()),
            scopes: Scope::ALL.to_vec(),
            user_context: false,
            platform: ClientPlatform::ApiServices,
            redirects: Vec::new(),
        }
    }
}

impl Client {
    /// One app of each platform; the service first.
    #[must_use]
    pub fn defaults() -> Vec<Self> {
        vec![
            Self::default(),
            Self {
                id: WEB_CLIENT_ID.to_owned(),
                secret: Secret::new(WEB_CLIENT_SECRET.to_owned()),
                platform: ClientPlatform::Web,
                redirects: WEB_REDIRECTS.map(str::to_owned).to_vec(),
                ..Self::default()
            },
            Self::without_secret(NATIVE_CLIENT_ID, ClientPlatform::Native, &[]),
            Self::without_secret(
                SINGLE_PAGE_CLIENT_ID,
                ClientPlatform::SinglePage,
                &SINGLE_PAGE_REDIRECTS,
            ),
        ]
    }

    fn without_secret(id: &str, platform: ClientPlatform, redirects: &[&str]) -> Self {
        Self {
            id: id.to_owned(),
            secret: Secret::new(String::new()),
            platform,
            redirects: redirects.iter().map(|it| (*it).to_owned()).collect(),
            ..Self::default()
        }
    }

    /// A public client authenticates with its id alone; any secret that it sends is wrong.
    pub(super) fn authenticates_with(&self, secret: &Secret<String>) -> bool {
        let expected = if self.platform.has_secret() {
            &self.secret
        } else {
            &Secret::new(String::new())
        };
        expected == secret
    }

    pub(super) fn may_redirect_to(&self, target: &str) -> bool {
        match self.platform {
            ClientPlatform::Web | ClientPlatform::SinglePage => {
                self.redirects.iter().any(|known| known == target)
            }
            ClientPlatform::Native => is_loopback_redirect(target),
            ClientPlatform::ApiServices => false,
        }
    }

    /// All scopes and a refresh token; `None` if the platform gets no refresh tokens.
    pub(super) fn all_scopes_offline(&self) -> Option<GrantedScopes> {
        self.platform
            .supports_refresh_tokens()
            .then(|| GrantedScopes {
                scopes: self.scopes.clone(),
                offline: true,
            })
    }

    /// All scopes of the app if none is requested. `None` if one is requested that it does not have: the request is
    /// refused, not narrowed.
    pub(super) fn granted(&self, requested_scopes: Option<&str>) -> Option<GrantedScopes> {
        let all = GrantedScopes {
            scopes: self.scopes.clone(),
            offline: false,
        };
        let most = GrantedScopes {
            offline: self.platform.supports_refresh_tokens(),
            ..all.clone()
        };
        let Some(requested_scopes) = requested_scopes.filter(|it| !it.trim().is_empty()) else {
            return Some(all);
        };
        GrantedScopes::parse(requested_scopes).filter(|scopes| most.covers(scopes))
    }
}

/// RFC 8252 section 7.3, as NinjaOne takes it: the address and not the name, any port, any path.
fn is_loopback_redirect(target: &str) -> bool {
    let Some(rest) = target.strip_prefix(NATIVE_REDIRECT) else {
        return false;
    };
    let is_plain = rest.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_plain || rest.contains(['#', '\\']) || target.len() > REDIRECT_BYTES_MAX {
        return false;
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (port, _) = rest.split_at(end);
    port.is_empty() || port.strip_prefix(':').is_some_and(is_port)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse().is_ok_and(|port: u16| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_bound() {
        let room = REDIRECT_BYTES_MAX - NATIVE_REDIRECT.len() - 1;
        let longest = format!("{NATIVE_REDIRECT}/{}", "a".repeat(room));
        assert!(is_loopback_redirect(&longest));
        assert!(!is_loopback_redirect(&format!("{longest}a")));
    }

    #[test]
    fn a_native_app_goes_back_to_the_address_of_the_machine_itself_and_nowhere_else() {
        for fine in [
            "http://127.0.0.1",
            "http://127.0.0.1/",
            "http://127.0.0.1:1",
            "http://127.0.0.1:65535/any/path?and=query",
            "http://127.0.0.1:6468?x",
        ] {
            assert!(is_loopback_redirect(fine), "{fine}");
        }
        for wrong in [
            "",
            "https://127.0.0.1/",
            "http://localhost:6468/",
            "http://127.0.0.10/",
            "http://127.0.0.1.evil.example/",
            "http://127.0.0.1@evil.example/",
            "http://127.0.0.1:80@evil.example/",
            "http://127.0.0.1\\@evil.example/",
            "http://127.0.0.1:/",
            "http://127.0.0.1:0/",
            "http://127.0.0.1:+80/",
            "http://127.0.0.1:65536/",
            "http://127.0.0.1/#fragment",
            "http://127.0.0.1/a b",
            "http://127.0.0.1/\r\nSet-Cookie:x",
            "http://[::1]/",
        ] {
            assert!(!is_loopback_redirect(wrong), "{wrong}");
        }
    }
}
