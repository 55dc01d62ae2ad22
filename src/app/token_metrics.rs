//! What the metrics show of tokens and of NinjaOne's throttles.

use std::sync::Arc;

use crate::{
    admin::metrics_snapshot,
    clock::Timestamp,
    credentials::token::{snapshot::TokenSnapshot, update::UnprovenChange},
    proxy::rules::Rules,
};

/// The token of one identity.
pub(super) fn token(token: &TokenSnapshot) -> metrics_snapshot::TokenMetrics {
    metrics_snapshot::TokenMetrics {
        tenant: Arc::from(token.tenant.as_str()),
        identity: token.identity.as_str(),
        expires_unix_s: token.expires_at.map(Timestamp::unix_seconds),
        new_secret_refused: token.refused_change() == Some(UnprovenChange::Secret),
        login: token
            .login
            .as_ref()
            .map(|it| metrics_snapshot::LoginMetrics {
                needed: token.only_login_helps,
                unsaved: it.unsaved_since.is_some(),
            }),
    }
}

/// Its renewals, by result.
pub(super) fn renewals(token: &TokenSnapshot) -> Vec<metrics_snapshot::RenewalCount> {
    let result = |(result, count): &(&'static str, u64)| metrics_snapshot::RenewalCount {
        tenant: Arc::from(token.tenant.as_str()),
        identity: token.identity.as_str(),
        result,
        count: *count,
    };
    token.results.iter().map(result).collect()
}

/// The throttles of all tenants.
pub(super) fn throttled(rules: &Rules) -> Vec<metrics_snapshot::ThrottleCount> {
    let mut all = Vec::new();
    for tenant in rules.policy.tenants() {
        if let Some(origin) = rules.upstreams.get(tenant.index) {
            for (kind, count) in origin.throttle_counts() {
                all.push(metrics_snapshot::ThrottleCount {
                    tenant: Arc::from(tenant.name.as_str()),
                    kind,
                    count,
                });
            }
        }
    }
    all
}
