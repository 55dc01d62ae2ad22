//! A secret has no text form, neither for people nor for debugging.
use ninjaone_proxy::secret::Secret;

fn main() {
    println!("{:?}", Secret::new(String::new()));
    println!("{}", Secret::new(String::new()));
}
