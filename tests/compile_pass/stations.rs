//! What the files of `tests/compile_fail` import and may do with it: this one compiles, so those fail for what they try.
use std::sync::Arc;

use ninjaone_proxy::{audit::{Intended, Recorded}, caller::{Caller, Identified}, credentials::{token::{access_token::AccessToken, cell::Vault}, Leased, Vaults}, limits::{budget::Permit, Admitted}, net::{body::request_body::RequestBody, request::target::Target, Incoming}, policy::Authorized, secret::Secret, upstream::{tenant_upstream::Origins, Forwarded, Upstream}};

fn stations(_: &Incoming, _: &Identified, _: &Authorized, _: &Admitted, _: &Leased, _: &Intended) {}

fn moved(admitted: Admitted, permit: Permit, recorded: Recorded<()>) -> (Admitted, Permit, Recorded<()>) {
    (admitted, permit, recorded)
}

fn read(identified: &Identified, authorized: &Authorized, leased: &Leased, intended: &Intended) {
    let _: (&Arc<Caller>, &Target) = (identified.caller(), authorized.request().target());
    let _: (&Arc<AccessToken>, &Arc<Vault>) = (intended.token(), leased.vault());
}

async fn once(upstream: &Upstream, origins: &Origins, vaults: &Vaults, intended: Intended) -> Option<Leased> {
    let forwarded: Box<Forwarded> = upstream.forward(origins, vaults, intended, RequestBody::Empty).await.ok()?;
    let (leased, ..) = forwarded.into_parts();
    Some(leased)
}

fn main() {
    let _ = (stations, moved, read, once);
    let secret: Secret<String> = Secret::new(String::new());
    drop(secret);
}
