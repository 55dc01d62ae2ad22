//! Nobody but `caller` says who is asking.
use ninjaone_proxy::caller::Identified;

fn main() {
    let _ = Identified {};
}
