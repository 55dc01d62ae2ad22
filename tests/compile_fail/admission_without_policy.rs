//! Limits admit what policy allowed, and policy alone says so.
use ninjaone_proxy::{caller::Identified, limits::Admitted, policy::Authorized};

fn authorized(_: &Authorized) {}

fn skip(identified: &Identified) {
    authorized(identified);
    let _ = Admitted {};
}

fn main() {}
