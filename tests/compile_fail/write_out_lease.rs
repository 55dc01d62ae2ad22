//! A lease is not written out field by field either.
use std::sync::Arc;

use ninjaone_proxy::{
    credentials::{
        Leased,
        token::{access_token::AccessToken, cell::TokenCell},
    },
    limits::Admitted,
};

fn forge(admitted: Admitted, token: Arc<AccessToken>, cell: Arc<TokenCell>) {
    let _ = Leased {
        admitted,
        token,
        cell,
    };
}

fn main() {}
