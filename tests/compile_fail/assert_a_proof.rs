//! The constructors of the proofs are for their stations.
use ninjaone_proxy::{
    audit::{Intended, Recorded},
    caller::Identified,
    limits::Admitted,
    policy::Authorized,
    upstream::Forwarded,
};

fn main() {
    let _ = Identified::assert_identified;
    let _ = Authorized::assert_authorized;
    let _ = Admitted::assert_admitted;
    let _ = Intended::assert_intended;
    let _ = Recorded::<()>::assert_recorded;
    let _ = Forwarded::assert_forwarded;
}
