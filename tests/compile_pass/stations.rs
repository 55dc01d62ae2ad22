//! What the files of `tests/compile_fail` import and may do with it: this one compiles, so those fail for what they try.
use ninjaone_proxy::{
    audit::{Intended, Recorded},
    caller::Identified,
    credentials::Leased,
    limits::{Admitted, budget::Permit},
    net::Incoming,
    policy::Authorized,
    secret::Secret,
};

fn stations(_: &Incoming, _: &Identified, _: &Authorized, _: &Admitted, _: &Leased, _: &Intended) {}

fn moved(admitted: Admitted, permit: Permit, recorded: Recorded<()>) -> (Admitted, Permit, Recorded<()>) {
    (admitted, permit, recorded)
}

fn main() {
    let _ = (stations, moved);
    let secret: Secret<String> = Secret::new(String::new());
    drop(secret);
}
