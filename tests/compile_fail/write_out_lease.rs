//! A lease is not written out field by field either.
use std::sync::Arc;

use ninjaone_proxy::{
    credentials::{Leased, token::AccessToken, vault::Vault},
    limits::Admitted,
};

fn forge(admitted: Admitted, token: Arc<AccessToken>, vault: Arc<Vault>) {
    let _ = Leased {
        admitted,
        token,
        vault,
    };
}

fn main() {}
