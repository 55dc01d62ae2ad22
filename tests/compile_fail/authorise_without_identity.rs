//! Policy takes a caller who is known, not a request that just came in.
use ninjaone_proxy::{caller::Identified, net::Incoming, policy::Authorized};

fn identified(_: &Identified) {}

fn skip(incoming: &Incoming) {
    identified(incoming);
    let _ = Authorized {};
}

fn main() {}
