//! Nothing is sent to NinjaOne that is not on record.
use ninjaone_proxy::{audit::Intended, credentials::Leased};

fn intended(_: &Intended) {}

fn skip(leased: &Leased) {
    intended(leased);
    let _ = Intended {};
}

fn main() {}
