//! Nobody asserts a lease but the function that lends the token.
use std::sync::Arc;

use ninjaone_proxy::{credentials::{token::{access_token::AccessToken, cell::TokenCell}, Leased}, limits::Admitted};

fn forge(admitted: Admitted, token: Arc<AccessToken>, cell: Arc<TokenCell>) {
    let _ = Leased::assert_leased(admitted, token, cell);
}

fn main() {}
