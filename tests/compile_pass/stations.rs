//! What the files of `tests/compile_fail` import and may do with it: this one compiles, so those fail for what they try.
use std::sync::Arc;

use ninjaone_proxy::{
    audit::{Intended, Recorded},
    caller::{Caller, Identified},
    credentials::{Leased, Vaults, token::AccessToken, vault::Vault},
    limits::{Admitted, budget::Permit},
    net::{Incoming, body::RequestBody, target::Target},
    policy::Authorized,
    secret::Secret,
    upstream::{Forwarded, Upstream, origin::Origins},
};

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
