//! Checks `[limits.tokens]`: the proxy's own token endpoint.

use std::time::Duration;

use crate::{
    caller::revoked_tokens::TOKEN_LIFETIME_MAX,
    config::{CallerTokenConfig, read::key_path::KeyPath, settings::limits::TokenLimitSettings},
};

use super::Checker;

/// `expires_in` is in whole seconds.
const TOKEN_LIFETIME_MIN: Duration = Duration::from_secs(1);

impl Checker<'_> {
    pub(super) fn caller_tokens(&mut self, settings: &TokenLimitSettings) -> CallerTokenConfig {
        let TokenLimitSettings { rate, burst, life } = settings;
        let top = KeyPath::from_keys(&["limits", "tokens"]);
        let at = top.child("life");
        let lifetime = self.duration(&at, life);
        let is_whole = lifetime.subsec_nanos() == 0;
        if !(TOKEN_LIFETIME_MIN..=TOKEN_LIFETIME_MAX).contains(&lifetime) || !is_whole {
            self.error(&at, "a token lives \"1s\" to \"24h\", in whole seconds");
        }
        CallerTokenConfig {
            rate: self.rate(&top.child("rate"), rate),
            burst: *burst,
            lifetime,
        }
    }
}
