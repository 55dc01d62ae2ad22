//! WIRING: constructs everything by hand, in journey order, runs it, loads it again, and ends it.

pub mod accept;
pub mod assembly;
pub mod deadline;
pub mod descriptors;
pub mod entrances;
mod files_snapshot;
pub mod keepers;
pub mod logging;
pub mod program;
pub mod reload;
mod restart_only;
pub mod run;
pub mod sandbox;
pub mod signals;
pub mod spare_memory;
pub mod status;
mod stop;
pub mod supervisor;
mod tokens;
pub mod watch;
pub mod wiring;
pub mod worker;

/// The version of this program, as Cargo knows it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
