//! Probes, status and metrics: who gets which response, and what the commands make of it.

mod access;
pub(crate) mod fixture;
mod probes;
mod server;
mod status;

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use ninjaone_proxy::admin::{
    AdminService, access::AdminAccess, health::ReadinessCondition, status_snapshot::StatusSnapshot,
};

use fixture::{figures, healthy};

fn admin_of(snapshot: StatusSnapshot, ready: ReadinessCondition) -> AdminService {
    AdminService::new(
        Box::new(move || snapshot.clone()),
        Some(Box::new(figures)),
        ready,
        vec!["proxy.internal".to_owned()],
    )
    .with_access(open_to_all())
}

/// `admin.anonymous`: most tests are not about who asks.
fn open_to_all() -> Arc<ArcSwap<AdminAccess>> {
    Arc::new(ArcSwap::from_pointee(AdminAccess {
        anonymous: true,
        ..AdminAccess::default()
    }))
}

fn admin() -> AdminService {
    admin_of(healthy(), ReadinessCondition::AnyToken)
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect()
}

fn get(admin: &AdminService, target: &str) -> Response<Bytes> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    admin.respond_without_body(
        None,
        &Method::GET,
        path,
        query,
        &headers(&[("host", "localhost:6466")]),
    )
}

fn body(response: &Response<Bytes>) -> &str {
    std::str::from_utf8(response.body()).unwrap()
}
