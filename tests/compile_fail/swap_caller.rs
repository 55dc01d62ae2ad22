//! Who was identified stays who is asking.
use std::sync::Arc;

use ninjaone_proxy::caller::{Caller, Identified};

fn exchange(identified: &mut Identified, other: Arc<Caller>) {
    *identified.caller() = other;
}

fn reach_in(mut identified: Identified, other: Arc<Caller>) {
    identified.caller = other;
}

fn main() {}
