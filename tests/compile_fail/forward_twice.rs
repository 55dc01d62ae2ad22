//! A request on record is forwarded once, and what comes of it cannot be forwarded again.
use ninjaone_proxy::{audit::Intended, credentials::TokenCells, net::body::request_body::RequestBody, upstream::{tenant_upstream::TenantUpstreams, Forwarded, Upstream}};

async fn twice(upstream: &Upstream, upstreams: &TenantUpstreams, token_cells: &TokenCells, intended: Intended) {
    let _ = upstream.forward(upstreams, token_cells, intended, RequestBody::Empty).await;
    let _ = upstream.forward(upstreams, token_cells, intended, RequestBody::Empty).await;
}

async fn again(upstream: &Upstream, upstreams: &TenantUpstreams, token_cells: &TokenCells, forwarded: Forwarded) {
    let (leased, ..) = forwarded.into_parts();
    let _ = upstream.forward(upstreams, token_cells, leased, RequestBody::Empty).await;
}

fn main() {}
