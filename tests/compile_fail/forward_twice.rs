//! A request on record is forwarded once, and what comes of it cannot be forwarded again.
use ninjaone_proxy::{
    audit::Intended,
    credentials::TokenCells,
    net::body::request_body::RequestBody,
    upstream::{Forwarded, Upstream, tenant_upstream::TenantUpstreams},
};

async fn twice(
    upstream: &Upstream,
    tenant_upstreams: &TenantUpstreams,
    token_cells: &TokenCells,
    intended: Intended,
) {
    let _ = upstream
        .forward(tenant_upstreams, token_cells, intended, RequestBody::Empty)
        .await;
    let _ = upstream
        .forward(tenant_upstreams, token_cells, intended, RequestBody::Empty)
        .await;
}

async fn again(
    upstream: &Upstream,
    tenant_upstreams: &TenantUpstreams,
    token_cells: &TokenCells,
    forwarded: Forwarded,
) {
    let (leased, ..) = forwarded.into_parts();
    let _ = upstream
        .forward(tenant_upstreams, token_cells, leased, RequestBody::Empty)
        .await;
}

fn main() {}
