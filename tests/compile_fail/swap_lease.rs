//! The token of a request on record is exchanged by the lease alone, which changes its audit line as well.
use std::sync::Arc;

use ninjaone_proxy::{audit::Intended, credentials::token::access_token::AccessToken};

fn exchange(intended: &mut Intended, other: Arc<AccessToken>) {
    *intended.token() = other;
}

fn reach_in(mut intended: Intended, other: Arc<AccessToken>) {
    intended.leased.token = other;
}

fn main() {}
