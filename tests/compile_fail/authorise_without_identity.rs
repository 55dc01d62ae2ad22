//! Policy takes a caller who is known, not a request that just came in.
use ninjaone_proxy::{caller::Identified, net::IncomingRequest, policy::Authorized};

fn identified(_: &Identified) {}

fn skip(incoming: &IncomingRequest) {
    identified(incoming);
    let _ = Authorized {};
}

fn main() {}
