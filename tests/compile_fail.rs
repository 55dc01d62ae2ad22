//! Journeys that must not compile: each file of `tests/compile_fail` tries to skip a station, forge a proof or show a
//! secret, and the compiler's answer is pinned beside it. `TRYBUILD=overwrite cargo test --test compile_fail` renews it.

#[test]
fn a_request_cannot_skip_a_station_and_a_secret_cannot_be_printed() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
