//! Settings that are planned but that this version does not have. Each is refused by name: a setting that is
//! silently ignored promises something that does not happen.

/// Paths of such settings, `*` for any name, and what to do about it.
const UNSUPPORTED: [(&[&str], Advice); 32] = [
    (&["store"], Advice::NothingStored),
    (&["cache"], Advice::NoEffect),
    (&["tenant", "*", "user"], Advice::ServiceOnly),
    (&["policy", "*", "organizations"], Advice::Fence),
    (&["policy", "*", "scripts"], Advice::Fence),
    (&["policy", "*", "where"], Advice::Fence),
    (&["policy", "*", "hours"], Advice::Fence),
    (&["policy", "*", "max_pages"], Advice::Fence),
    (&["policy", "*", "mode"], Advice::Enforced),
    (&["policy", "*", "identity"], Advice::ServiceOnly),
    (&["caller", "*", "organizations"], Advice::Fence),
    (&["caller", "*", "scripts"], Advice::Fence),
    (&["caller", "*", "where"], Advice::Fence),
    (&["caller", "*", "hours"], Advice::Fence),
    (&["caller", "*", "max_pages"], Advice::Fence),
    (&["caller", "*", "mode"], Advice::Enforced),
    (&["caller", "*", "identity"], Advice::ServiceOnly),
    (&["caller", "*", "mtls"], Advice::KeyOnly),
    (&["caller", "*", "jwt"], Advice::KeyOnly),
    (&["caller", "*", "unix"], Advice::KeyOnly),
    (&["listen", "trusted_proxies"], Advice::PeerOnly),
    (&["listen", "https", "*", "client_ca"], Advice::KeyOnly),
    (&["audit", "checkpoint"], Advice::Promise),
    (&["audit", "forward"], Advice::Promise),
    (&["audit", "retain"], Advice::Promise),
    (&["audit", "bodies"], Advice::Promise),
    (&["admin", "access"], Advice::Fence),
    (&["admin", "dashboard"], Advice::NoEffect),
    (&["telemetry", "otlp"], Advice::NoEffect),
    (&["telemetry", "trace_sample"], Advice::NoEffect),
    (&["retry", "replay_guard"], Advice::Promise),
    (&["operation", "*", "identity"], Advice::ServiceOnly),
];

#[derive(Clone, Copy)]
enum Advice {
    Fence,
    Enforced,
    Promise,
    NoEffect,
    NothingStored,
    ServiceOnly,
    KeyOnly,
    PeerOnly,
}

impl Advice {
    const fn text(self) -> &'static str {
        match self {
            Self::Fence => "remove it, because a fence that is ignored protects nothing",
            Self::Enforced => "remove it: every policy is enforced",
            Self::Promise => "remove it, because a promise that is not kept is worse than none",
            Self::NoEffect => "remove it: it would have no effect",
            Self::NothingStored => {
                "remove it: this version keeps no state, tokens are asked for again after a start"
            }
            Self::ServiceOnly => "remove it: this version has the `service` identity only",
            Self::KeyOnly => "remove it: in this version callers prove who they are with a `key`",
            Self::PeerOnly => "remove it: the address of the connection is what counts",
        }
    }
}

/// What to do about the setting at `keys`, if it is one that this version does not have.
#[must_use]
pub(super) fn advice(keys: &[String]) -> Option<&'static str> {
    let fits = |pattern: &[&str]| {
        let same = |(wanted, key): (&&str, &String)| *wanted == "*" || *wanted == key.as_str();
        pattern.len() == keys.len() && pattern.iter().zip(keys).all(same)
    };
    let (_, advice) = UNSUPPORTED.iter().find(|(pattern, _)| fits(pattern))?;
    Some(advice.text())
}
