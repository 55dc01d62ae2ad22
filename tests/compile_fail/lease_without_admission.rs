//! A token is lent to a request that is within its limits.
use ninjaone_proxy::{credentials::Leased, limits::Admitted, policy::Authorized};

fn admitted(_: &Admitted) {}

fn skip(authorized: &Authorized) {
    admitted(authorized);
    let _ = Leased {};
}

fn main() {}
