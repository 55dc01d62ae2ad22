//! What the files of `tests/compile_fail` import and may do with it: this one compiles, so those fail for what they try.
use std::sync::Arc;

use ninjaone_proxy::{audit::{Intended, Recorded}, caller::{Caller, Identified}, credentials::{token::{access_token::AccessToken, cell::TokenCell}, Leased, TokenCells}, limits::{budget::Permit, Admitted}, net::{body::request_body::RequestBody, request::target::Target, IncomingRequest}, policy::Authorized, secret::Secret, upstream::{tenant_upstream::TenantUpstreams, Forwarded, Upstream}};

fn stations(_: &IncomingRequest, _: &Identified, _: &Authorized, _: &Admitted, _: &Leased, _: &Intended) {}

fn moved(admitted: Admitted, permit: Permit, recorded: Recorded<()>) -> (Admitted, Permit, Recorded<()>) {
    (admitted, permit, recorded)
}

fn read(identified: &Identified, authorized: &Authorized, leased: &Leased, intended: &Intended) {
    let _: (&Arc<Caller>, &Target) = (identified.caller(), authorized.request().target());
    let _: (&Arc<AccessToken>, &Arc<TokenCell>) = (intended.token(), leased.cell());
}

async fn once(upstream: &Upstream, upstreams: &TenantUpstreams, token_cells: &TokenCells, intended: Intended) -> Option<Leased> {
    let forwarded: Box<Forwarded> = upstream.forward(upstreams, token_cells, intended, RequestBody::Empty).await.ok()?;
    let (leased, ..) = forwarded.into_parts();
    Some(leased)
}

fn main() {
    let _ = (stations, moved, read, once);
    let secret: Secret<String> = Secret::new(String::new());
    drop(secret);
}
