//! A request on record is forwarded once, and what comes of it cannot be forwarded again.
use ninjaone_proxy::{audit::Intended, credentials::Vaults, net::body::request_body::RequestBody, upstream::{tenant_upstream::Origins, Forwarded, Upstream}};

async fn twice(upstream: &Upstream, origins: &Origins, vaults: &Vaults, intended: Intended) {
    let _ = upstream.forward(origins, vaults, intended, RequestBody::Empty).await;
    let _ = upstream.forward(origins, vaults, intended, RequestBody::Empty).await;
}

async fn again(upstream: &Upstream, origins: &Origins, vaults: &Vaults, forwarded: Forwarded) {
    let (leased, ..) = forwarded.into_parts();
    let _ = upstream.forward(origins, vaults, leased, RequestBody::Empty).await;
}

fn main() {}
