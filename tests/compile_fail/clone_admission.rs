//! An admission is good for one request: it cannot be copied.
use ninjaone_proxy::limits::Admitted;

fn twice(admitted: &Admitted) -> (Admitted, Admitted) {
    (admitted.clone(), admitted.clone())
}

fn main() {}
