//! Nobody asserts a lease but the function that lends the token.
use std::sync::Arc;

use ninjaone_proxy::{credentials::{token::{access_token::AccessToken, cell::Vault}, Leased}, limits::Admitted};

fn forge(admitted: Admitted, token: Arc<AccessToken>, vault: Arc<Vault>) {
    let _ = Leased::assert_leased(admitted, token, vault);
}

fn main() {}
