//! Only the ledger says that an ending is recorded.
use ninjaone_proxy::audit::Recorded;

fn main() {
    let _ = Recorded(());
}
