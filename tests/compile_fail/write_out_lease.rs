//! A lease is not written out field by field either.
use std::sync::Arc;

use ninjaone_proxy::{credentials::{token::{access_token::AccessToken, cell::Vault}, Leased}, limits::Admitted};

fn forge(admitted: Admitted, token: Arc<AccessToken>, vault: Arc<Vault>) {
    let _ = Leased {
        admitted,
        token,
        vault,
    };
}

fn main() {}
