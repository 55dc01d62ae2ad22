//! Nobody asserts a lease but the function that lends the token.
use std::sync::Arc;

use ninjaone_proxy::{
    credentials::{Leased, token::AccessToken, vault::Vault},
    limits::Admitted,
};

fn forge(admitted: Admitted, token: Arc<AccessToken>, vault: Arc<Vault>) {
    let _ = Leased::assert_leased(admitted, token, vault);
}

fn main() {}
