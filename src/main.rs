//! The program. Everything it does is in the library; `cli` reads the arguments.

use std::process::ExitCode;

/// Chosen by measurement: see ARCHITECTURE.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ninjaone_proxy::cli::main()
}
