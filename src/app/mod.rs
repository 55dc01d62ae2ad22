//! WIRING: constructs everything by hand in journey order, runs it, reloads it and shuts it down.

mod accept;
mod assembly;
pub(crate) mod deadline;
mod descriptors;
pub(crate) mod entrances;
mod files_snapshot;
mod keepers;
pub(crate) mod logging;
pub(crate) mod program;
pub mod reload;
mod restart_only;
pub(crate) mod run;
pub mod sandbox;
pub(crate) mod signals;
mod spare_memory;
mod status;
mod stop;
mod supervisor;
mod tokens;
mod watch;
pub mod wiring;
mod worker;

/// The version of this program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
