//! One check: finding, verdict and remedy.

use serde_json::{Map, Value, json};

use crate::{admin::plain_text::single_line, typed_command::typed};

/// What is checked. Scripts rely on the names: they may be added, but not renamed or removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum CheckName {
    /// The files can be read, their secrets are private, and they make sense.
    Configuration,
    /// This machine's clocks can be believed.
    Clock,
    AuditDirectory,
    /// The newest file of the audit log is whole.
    AuditChain,
    StoreDirectory,
    /// Whether tokens of our own token endpoint outlive a restart.
    CallerTokens,
    /// Those that have expired. Only where there are any.
    CallerKeys,
    /// The certificate that callers of a TLS listener see.
    ListenCertificate,
    /// Whether a proxy is running, and what it says of itself.
    Proxy,
    /// The listeners' ports are free, or the running proxy's.
    Ports,
    /// The tenant's outgoing proxy opens a tunnel. Only where there is one.
    OutgoingProxy,
    Dns,
    Tcp,
    /// The certificate of the host.
    Tls,
    /// It speaks HTTP.
    Http,
    /// This machine's clock against the host's.
    ClockSkew,
    /// RFC 8414.
    Discovery,
    ServiceToken,
    ServiceScopes,
    /// What must be registered in NinjaOne, to the letter.
    Redirect,
    /// Whether NinjaOne would let a user log in.
    Authorize,
    /// The slot of the user's login in the store can be read.
    StoreSlot,
    /// Who may write it now.
    StoreLock,
    Login,
    LoginScopes,
}

impl CheckName {
    #[must_use]
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Clock => "clock",
            Self::AuditDirectory => "audit-directory",
            Self::AuditChain => "audit-chain",
            Self::StoreDirectory => "store-directory",
            Self::CallerTokens => "caller-tokens",
            Self::CallerKeys => "caller-keys",
            Self::ListenCertificate => "listen-certificate",
            Self::Proxy => "proxy",
            Self::Ports => "ports",
            Self::OutgoingProxy => "outgoing-proxy",
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Http => "http",
            Self::ClockSkew => "clock-skew",
            Self::Discovery => "discovery",
            Self::ServiceToken => "service-token",
            Self::ServiceScopes => "service-scopes",
            Self::Redirect => "redirect",
            Self::Authorize => "authorize",
            Self::StoreSlot => "store-slot",
            Self::StoreLock => "store-lock",
            Self::Login => "login",
            Self::LoginScopes => "login-scopes",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckStatus {
    Ok,
    /// It works, but needs attention.
    Warning,
    Failed,
    /// Not checked; the finding says why.
    Skipped,
}

impl CheckStatus {
    #[must_use]
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct DoctorCheck {
    pub(super) name: CheckName,
    pub(super) tenant: Option<String>,
    pub(super) status: CheckStatus,
    /// Both become one line, whatever the network sent.
    pub(super) observed: String,
    pub(super) remedy: Option<String>,
    /// It failed, and a login is all that is missing.
    pub(super) is_login_needed: bool,
}

impl DoctorCheck {
    pub(super) fn ok(name: CheckName, seen: impl AsRef<str>) -> Self {
        Self::new(name, CheckStatus::Ok, seen.as_ref(), None)
    }

    pub(super) fn skipped(name: CheckName, why: impl AsRef<str>) -> Self {
        Self::new(name, CheckStatus::Skipped, why.as_ref(), None)
    }

    pub(super) fn warning(name: CheckName, seen: impl AsRef<str>, remedy: impl AsRef<str>) -> Self {
        Self::new(
            name,
            CheckStatus::Warning,
            seen.as_ref(),
            Some(remedy.as_ref()),
        )
    }

    pub(crate) fn failed(name: CheckName, seen: impl AsRef<str>, remedy: impl AsRef<str>) -> Self {
        Self::new(
            name,
            CheckStatus::Failed,
            seen.as_ref(),
            Some(remedy.as_ref()),
        )
    }

    /// A failure that a login ends.
    pub(super) fn login_needed(
        name: CheckName,
        seen: impl AsRef<str>,
        remedy: impl AsRef<str>,
    ) -> Self {
        Self {
            is_login_needed: true,
            ..Self::failed(name, seen, remedy)
        }
    }

    /// Makes a failure something to look at, because what it breaks still works; `still` says how.
    #[must_use]
    pub(super) fn softened(mut self, still: &str) -> Self {
        if self.status == CheckStatus::Failed {
            self.status = CheckStatus::Warning;
            self.observed = single_line(&format!("{}; {}", self.observed, typed(still)));
        }
        self
    }

    fn new(name: CheckName, status: CheckStatus, seen: &str, remedy: Option<&str>) -> Self {
        Self {
            name,
            tenant: None,
            status,
            observed: single_line(seen),
            remedy: remedy.map(|it| typed(single_line(it)).into_owned()),
            is_login_needed: name == CheckName::Login,
        }
    }

    #[must_use]
    pub(super) fn for_tenant(mut self, tenant: &str) -> Self {
        self.tenant = Some(tenant.to_owned());
        self
    }

    #[must_use]
    pub(super) const fn needs_attention(&self) -> bool {
        matches!(self.status, CheckStatus::Warning | CheckStatus::Failed)
    }

    /// `acme/service-token`, or the name alone.
    #[must_use]
    pub(super) fn title(&self) -> String {
        match &self.tenant {
            Some(tenant) => format!("{tenant}/{}", self.name.as_str()),
            None => self.name.as_str().to_owned(),
        }
    }

    /// `{"name","tenant"?,"verdict","seen","do"?}`
    #[must_use]
    pub(super) fn json(&self) -> Value {
        let mut members = Map::new();
        members.insert("name".to_owned(), json!(self.name.as_str()));
        if let Some(tenant) = &self.tenant {
            members.insert("tenant".to_owned(), json!(tenant));
        }
        members.insert("verdict".to_owned(), json!(self.status.as_str()));
        members.insert("seen".to_owned(), json!(self.observed));
        if let Some(remedy) = &self.remedy {
            members.insert("do".to_owned(), json!(remedy));
        }
        Value::Object(members)
    }
}
