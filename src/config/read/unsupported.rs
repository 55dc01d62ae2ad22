//! Settings that an operator may expect but that this version does not have. Each is refused by name: a setting that is
//! silently ignored would promise something that does not happen.

/// Paths of unsupported settings, `*` for any name, and what to do instead.
const UNSUPPORTED: [(&[&str], Advice); 36] = [
    (&["cache"], Advice::NoEffect),
    (&["tenant", "*", "legacy"], Advice::LegacyKey),
    (&["tenant", "*", "access_key_id"], Advice::LegacyKey),
    (&["tenant", "*", "secret_access_key"], Advice::LegacyKey),
    (&["tenant", "*", "api_key"], Advice::LegacyKey),
    (&["tenant", "*", "*", "access_key_id"], Advice::LegacyKey),
    (
        &["tenant", "*", "*", "secret_access_key"],
        Advice::LegacyKey,
    ),
    (&["tenant", "*", "*", "api_key"], Advice::LegacyKey),
    (&["store", "url"], Advice::LocalStoreOnly),
    (&["store", "seal", "aws_kms"], Advice::NoKms),
    (&["store", "seal", "*", "aws_kms"], Advice::NoKms),
    (&["policy", "*", "organizations"], Advice::Restriction),
    (&["policy", "*", "scripts"], Advice::Restriction),
    (&["policy", "*", "where"], Advice::Restriction),
    (&["policy", "*", "hours"], Advice::Restriction),
    (&["policy", "*", "max_pages"], Advice::Restriction),
    (&["policy", "*", "mode"], Advice::Enforced),
    (&["caller", "*", "organizations"], Advice::Restriction),
    (&["caller", "*", "scripts"], Advice::Restriction),
    (&["caller", "*", "where"], Advice::Restriction),
    (&["caller", "*", "hours"], Advice::Restriction),
    (&["caller", "*", "max_pages"], Advice::Restriction),
    (&["caller", "*", "mode"], Advice::Enforced),
    (&["caller", "*", "mtls"], Advice::KeyOnly),
    (&["caller", "*", "jwt"], Advice::KeyOnly),
    (&["caller", "*", "unix"], Advice::KeyOnly),
    (&["listen", "trusted_proxies"], Advice::PeerOnly),
    (&["listen", "https", "*", "client_ca"], Advice::KeyOnly),
    (&["audit", "checkpoint"], Advice::Guarantee),
    (&["audit", "forward"], Advice::Guarantee),
    (&["audit", "retain"], Advice::Guarantee),
    (&["audit", "bodies"], Advice::Guarantee),
    (&["admin", "dashboard"], Advice::NoEffect),
    (&["telemetry", "otlp"], Advice::NoEffect),
    (&["telemetry", "trace_sample"], Advice::NoEffect),
    (&["retry", "replay_guard"], Advice::Guarantee),
];

#[derive(Clone, Copy)]
enum Advice {
    Restriction,
    Enforced,
    Guarantee,
    NoEffect,
    LocalStoreOnly,
    NoKms,
    LegacyKey,
    KeyOnly,
    PeerOnly,
}

impl Advice {
    const fn text(self) -> &'static str {
        match self {
            Self::Restriction => "remove it, because a fence that is ignored protects nothing",
            Self::Enforced => "remove it: every policy is enforced",
            Self::Guarantee => "remove it, because a promise that is not kept is worse than none",
            Self::NoEffect => "remove it: it would have no effect",
            Self::LocalStoreOnly => "remove it: the store is a directory on this machine",
            Self::NoKms => {
                "write where a key of 32 bytes is kept; `exec` may ask a key management service for it"
            }
            Self::LegacyKey => {
                "NinjaOne's legacy API keys (HMAC) are not supported; create an API application under Administration > Apps > API and use `service` or `user`"
            }
            Self::KeyOnly => "remove it: in this version callers prove who they are with a `key`",
            Self::PeerOnly => "remove it: the address of the connection is what counts",
        }
    }
}

/// Keys of a tenant under which operators may look for NinjaOne's legacy API keys.
pub(in crate::config) const LEGACY_KEYS: [&str; 4] =
    ["legacy", "access_key_id", "secret_access_key", "api_key"];

/// The message about the setting `name` at `keys`, if this version does not support it.
#[must_use]
pub(in crate::config) fn unsupported_message(keys: &[String], name: &str) -> Option<String> {
    let fits = |pattern: &[&str]| {
        let same = |(wanted, key): (&&str, &String)| *wanted == "*" || *wanted == key.as_str();
        pattern.len() == keys.len() && pattern.iter().zip(keys).all(same)
    };
    let (_, advice) = UNSUPPORTED.iter().find(|(pattern, _)| fits(pattern))?;
    let text = advice.text();
    Some(match advice {
        Advice::LegacyKey => format!("`{name}`: {text}"),
        _ => format!("`{name}` is not supported by this version: {text}"),
    })
}
