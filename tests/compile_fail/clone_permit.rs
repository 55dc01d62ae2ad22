//! One permit, one attempt: what a tenant may spend cannot be multiplied.
use ninjaone_proxy::limits::budget::Permit;

fn twice(permit: &Permit) -> (Permit, Permit) {
    (permit.clone(), permit.clone())
}

fn main() {}
