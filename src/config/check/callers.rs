//! Checks callers and policies: keys, rules and limits.

use std::collections::HashMap;

use crate::{
    clock::Timestamp,
    config::{
        CallerConfig, CallerLimitConfig, TenantConfig,
        read::{key_path::KeyPath, suggestion::closest_match},
        settings::{
            self, Settings,
            admin::AdminSettings,
            caller::{self, CallerLimitSettings, HeaderRequirementSetting},
            keyword::Keyword,
        },
        value::{expiry, key_digest},
    },
    limits::rate::Rate,
    names::{CallerName, IdentityKind, PolicyName},
    ninjaone::operation::Operation,
    policy::{
        identity::IdentityPin,
        rule::{Effect, Rule},
    },
};

use super::{Checker, budget::default_burst};

const KEYS_MAX: usize = 16;
const PLAIN_KEY_HINT: &str = "`ninjaone-proxy caller add` makes a key and stores its digest; if a key stood here, replace it";

/// A checked policy.
struct PolicyRules {
    rules: Vec<Rule>,
    limit: PartialLimit,
}

/// A limit, as far as it is set.
#[derive(Clone, Copy, Default)]
struct PartialLimit {
    rate: Option<Rate>,
    burst: Option<u32>,
    concurrency: Option<u32>,
}

impl Checker<'_> {
    pub(super) fn callers(
        &mut self,
        settings: &Settings,
        tenants: &[TenantConfig],
        known: &[&Operation],
    ) -> Vec<CallerConfig> {
        let policies = self.policies(settings, known);
        let usual = self.default_limit(settings);
        let top = KeyPath::from_keys(&["caller"]);
        let mut callers = Vec::new();
        let mut owners = admin_key_owners(&settings.admin);
        for (name, caller) in &settings.caller {
            let caller::CallerSettings {
                require_reason,
                on_behalf_of,
                // Each is checked by its own function below.
                key: _,
                expires: _,
                created: _,
                policy: _,
                allow: _,
                deny: _,
                limit: _,
                tenants: _,
                identity: _,
            } = caller;
            let path = top.child(name);
            let parsed = name.parse::<CallerName>();
            if let Err(error) = &parsed {
                self.diagnostics
                    .error(self.key_location(&path), error.to_string(), None);
            }
            let keys = self.keys(caller, name, &path, &mut owners);
            let rules = self.caller_rules(caller, name, &path, &policies, known);
            let limit = self.caller_limit(caller, &path, &policies, usual);
            let expires = self.expires(caller, name, &path);
            if let Some(Err(error)) = caller.created.as_deref().map(expiry::parse) {
                self.error(&path.child("created"), error);
            }
            let tenants = self.caller_tenants(caller, &path, tenants, settings);
            let named: Vec<&caller::PolicySettings> = caller
                .policy
                .iter()
                .filter_map(|it| settings.policy.get(it))
                .collect();
            let Ok(name) = parsed else {
                continue;
            };
            callers.push(CallerConfig {
                name,
                keys,
                expires,
                tenants,
                rules,
                reason_required: *require_reason || named.iter().any(|it| it.require_reason),
                on_behalf_of_required: *on_behalf_of == HeaderRequirementSetting::Required
                    || named
                        .iter()
                        .any(|it| it.on_behalf_of == HeaderRequirementSetting::Required),
                limit,
            });
        }
        callers
    }

    fn policies(
        &mut self,
        settings: &Settings,
        known: &[&Operation],
    ) -> HashMap<String, PolicyRules> {
        let top = KeyPath::from_keys(&["policy"]);
        let mut policies = HashMap::new();
        for (name, policy) in &settings.policy {
            let caller::PolicySettings {
                allow,
                deny,
                limit,
                identity,
                // Combined for each caller above.
                require_reason: _,
                on_behalf_of: _,
            } = policy;
            let path = top.child(name);
            if let Err(error) = name.parse::<PolicyName>() {
                self.diagnostics
                    .error(self.key_location(&path), error.to_string(), None);
            }
            let mut rules = self.rules(allow, Effect::Allow, name, &path.child("allow"), known);
            rules.extend(self.rules(deny, Effect::Deny, name, &path.child("deny"), known));
            self.pin_identities(&mut rules, *identity, name, &path);
            let limit = self.limit(limit, &path.child("limit"));
            policies.insert(name.clone(), PolicyRules { rules, limit });
        }
        policies
    }

    fn keys(
        &mut self,
        caller: &caller::CallerSettings,
        name: &str,
        path: &KeyPath,
        owners: &mut HashMap<[u8; 32], KeyPath>,
    ) -> Vec<[u8; 32]> {
        let at_key = path.child("key");
        let written = caller
            .key
            .as_ref()
            .map_or(&[][..], caller::OneOrMany::as_slice);
        if caller.key.is_none() {
            self.missing(
                path,
                "key",
                format!("`ninjaone-proxy caller add {name}` makes a caller with a key"),
            );
        } else if written.is_empty() {
            let hint = format!("`ninjaone-proxy caller rotate {name}` adds one");
            self.error_with_hint(
                &at_key,
                "a caller without a key can never prove who it is",
                hint,
            );
        }
        if written.len() > KEYS_MAX {
            self.error(&at_key, format!("a caller has at most {KEYS_MAX} keys"));
        }
        let is_list = matches!(caller.key, Some(caller::OneOrMany::Many(_)));
        let mut keys = Vec::new();
        for (index, text) in written.iter().enumerate() {
            let path = if is_list {
                at_key.element(index)
            } else {
                at_key.clone()
            };
            if self.diagnostics.has_at(&self.value_location(&path)) {
                continue;
            }
            match key_digest::parse(text) {
                Ok(digest) => {
                    if let Some(other) = owners.insert(digest, path.clone()) {
                        self.error_with_hint(
                            &path,
                            format!("`{other}` has the same key"),
                            "each caller needs keys of its own",
                        );
                    }
                    keys.push(digest);
                }
                Err(error) => {
                    let hint = match error {
                        key_digest::KeyDigestParseError::PlaintextKey => {
                            Some(PLAIN_KEY_HINT.to_owned())
                        }
                        _ => None,
                    };
                    self.redacted_error(&path, error.to_string(), hint);
                }
            }
        }
        keys
    }

    fn expires(
        &mut self,
        caller: &caller::CallerSettings,
        name: &str,
        path: &KeyPath,
    ) -> Option<Timestamp> {
        let text = caller.expires.as_ref()?;
        let path = path.child("expires");
        match expiry::parse(text) {
            Ok(moment) => {
                if moment <= Timestamp::now() {
                    self.warning(
                        &path,
                        format!("the keys of caller `{name}` have expired"),
                        format!(
                            "let them live on with `ninjaone-proxy caller set {name} --expires DATE`, or remove the caller with `ninjaone-proxy caller revoke {name}`"
                        ),
                    );
                }
                Some(moment)
            }
            Err(error) => {
                self.error(&path, error);
                None
            }
        }
    }

    fn caller_tenants(
        &mut self,
        caller: &caller::CallerSettings,
        path: &KeyPath,
        tenants: &[TenantConfig],
        settings: &Settings,
    ) -> Vec<usize> {
        let Some(names) = &caller.tenants else {
            return (0..tenants.len()).collect();
        };
        let path = path.child("tenants");
        if names.is_empty() {
            self.error_with_hint(
                &path,
                "a caller without a tenant can reach nothing",
                "remove the line for all tenants",
            );
        }
        let mut places = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let path = path.element(index);
            if let Some(index) = tenants.iter().position(|it| it.name.as_str() == name) {
                if !places.contains(&index) {
                    places.push(index);
                }
            } else if !settings.tenant.contains_key(name) {
                let known: Vec<&str> = settings.tenant.keys().map(String::as_str).collect();
                self.unknown_reference(&path, "tenant", name, &known);
            }
        }
        places
    }

    fn caller_rules(
        &mut self,
        caller: &caller::CallerSettings,
        name: &str,
        path: &KeyPath,
        policies: &HashMap<String, PolicyRules>,
        known: &[&Operation],
    ) -> Vec<Rule> {
        let mut rules = Vec::new();
        for (index, policy) in caller.policy.iter().enumerate() {
            if let Some(policy) = policies.get(policy) {
                rules.extend(policy.rules.iter().cloned());
                continue;
            }
            let names: Vec<&str> = policies.keys().map(String::as_str).collect();
            let path = path.child("policy").element(index);
            self.unknown_reference(&path, "policy", policy, &names);
        }
        let owner = format!("caller.{name}");
        rules.extend(self.rules(
            &caller.allow,
            Effect::Allow,
            &owner,
            &path.child("allow"),
            known,
        ));
        rules.extend(self.rules(
            &caller.deny,
            Effect::Deny,
            &owner,
            &path.child("deny"),
            known,
        ));
        self.pin_identities(&mut rules, caller.identity, &owner, path);
        let writes_rules = ["policy", "allow"]
            .iter()
            .any(|key| self.provenance.contains(&path.child(key)));
        if !rules.iter().any(|rule| rule.effect == Effect::Allow) && !writes_rules {
            let at = self.key_location(path);
            let hint = "give it a `policy` or an `allow` list".to_owned();
            self.diagnostics.missing_warning(
                at,
                format!("caller `{name}` is allowed nothing"),
                Some(hint),
            );
        }
        rules
    }

    /// Sets the identity for the requests that the rules of `owner` allow, overriding that of a policy.
    fn pin_identities(
        &self,
        rules: &mut [Rule],
        identity: Option<Keyword<IdentityKind>>,
        owner: &str,
        path: &KeyPath,
    ) {
        let Some(identity) = identity else {
            return;
        };
        let pin = IdentityPin {
            identity: identity.0,
            owner: owner.into(),
            location: self.rule_location(&path.child("identity")),
        };
        for rule in rules.iter_mut().filter(|it| it.effect == Effect::Allow) {
            rule.identity_pin = Some(pin.clone());
        }
    }

    /// Reports a reference to something that does not exist.
    pub(super) fn unknown_reference(
        &mut self,
        path: &KeyPath,
        what: &str,
        name: &str,
        known: &[&str],
    ) {
        let at = self.value_location(path);
        let section = KeyPath::from_keys(&[what]);
        // What is there but wrong, or in a misspelt section, has been reported.
        let is_reported =
            self.provenance.contains(&section.child(name)) || self.provenance.is_misspelt(&section);
        if is_reported || self.diagnostics.has_at(&at) {
            return;
        }
        let mut known = known.to_vec();
        known.sort_unstable();
        let hint = match closest_match(name, known.iter().copied()) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None if known.is_empty() => format!("there is no [{what}.NAME] at all"),
            None => format!("there are: {}", known.join(", ")),
        };
        self.diagnostics
            .missing(at, format!("there is no {what} `{name}`"), Some(hint));
    }

    /// The limit of a caller: its own, otherwise the lowest of its policies, otherwise that of `[limits.caller]`. A burst
    /// belongs to a rate: one from further out than the rate does not count.
    fn caller_limit(
        &mut self,
        caller: &caller::CallerSettings,
        path: &KeyPath,
        policies: &HashMap<String, PolicyRules>,
        usual: PartialLimit,
    ) -> CallerLimitConfig {
        let own = self.limit(&caller.limit, &path.child("limit"));
        let named = caller.policy.iter().filter_map(|name| policies.get(name));
        let shared = named
            .map(|policy| policy.limit.with_burst())
            .fold(PartialLimit::default(), PartialLimit::strictest);
        own.or_inherit(shared).or_inherit(usual).complete()
    }

    fn default_limit(&mut self, settings: &Settings) -> PartialLimit {
        let settings::limits::DefaultCallerLimitSettings {
            rate,
            burst,
            concurrency,
        } = &settings.limits.caller;
        let path = KeyPath::from_keys(&["limits", "caller", "rate"]);
        PartialLimit {
            rate: Some(self.rate(&path, rate)),
            burst: *burst,
            concurrency: Some(*concurrency),
        }
    }

    fn limit(&mut self, limit: &CallerLimitSettings, path: &KeyPath) -> PartialLimit {
        let CallerLimitSettings {
            rate,
            burst,
            concurrency,
        } = limit;
        let rate = rate.as_ref();
        PartialLimit {
            rate: rate.map(|text| self.rate(&path.child("rate"), text)),
            burst: *burst,
            concurrency: *concurrency,
        }
    }
}

/// The keys of the admin listener: no caller may have one of them.
fn admin_key_owners(admin: &AdminSettings) -> HashMap<[u8; 32], KeyPath> {
    let path = KeyPath::from_keys(&["admin", "access"]);
    let keys = admin.access.iter().enumerate().filter_map(|(index, it)| {
        let digest = key_digest::parse(it.key.as_deref()?).ok()?;
        Some((digest, path.element(index).child("key")))
    });
    keys.collect()
}

impl PartialLimit {
    /// This limit, completed by the one `below` it.
    fn or_inherit(self, below: Self) -> Self {
        Self {
            rate: self.rate.or(below.rate),
            burst: self.burst.or(if self.rate.is_some() {
                None
            } else {
                below.burst
            }),
            concurrency: self.concurrency.or(below.concurrency),
        }
        .with_burst()
    }

    /// Fills in the usual burst, so that one from further out is not applied to this rate.
    fn with_burst(self) -> Self {
        let burst = self.burst.or(self.rate.map(default_burst));
        Self { burst, ..self }
    }

    fn strictest(self, other: Self) -> Self {
        let slower = match (self.rate, other.rate) {
            (Some(one), Some(two)) if per_hour(two) < per_hour(one) => Some(two),
            (one, two) => one.or(two),
        };
        Self {
            rate: slower,
            burst: stricter(self.burst, other.burst),
            concurrency: stricter(self.concurrency, other.concurrency),
        }
    }

    fn complete(self) -> CallerLimitConfig {
        let one = Rate::new(
            std::num::NonZeroU32::MIN,
            crate::limits::rate::Period::Second,
        );
        let rate = self.rate.unwrap_or(one);
        CallerLimitConfig {
            rate,
            burst: self.burst.unwrap_or_else(|| default_burst(rate)),
            concurrency: self.concurrency.unwrap_or(1),
        }
    }
}

fn stricter(one: Option<u32>, other: Option<u32>) -> Option<u32> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn per_hour(rate: Rate) -> u64 {
    let hour = 3600 / rate.period().duration().as_secs().max(1);
    u64::from(rate.count().get()) * hour
}
