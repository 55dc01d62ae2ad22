//! What policy looked at is what is sent: an authorized request can be read, not changed.
use ninjaone_proxy::{net::request::target::Target, policy::Authorized};

fn retarget(authorized: &mut Authorized, other: Target) {
    *authorized.request().target() = other;
}

fn reach_in(authorized: Authorized, other: Target) {
    authorized.identified.incoming.target = other;
}

fn lend(authorized: &mut Authorized) {
    authorized.request_mut();
}

fn main() {}
