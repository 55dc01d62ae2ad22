//! A lease is not written out field by field either.
use std::sync::Arc;

use ninjaone_proxy::{credentials::{token::{access_token::AccessToken, cell::TokenCell}, Leased}, limits::Admitted};

fn forge(admitted: Admitted, token: Arc<AccessToken>, cell: Arc<TokenCell>) {
    let _ = Leased {
        admitted,
        token,
        cell,
    };
}

fn main() {}
