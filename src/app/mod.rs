//! WIRING: constructs everything by hand in journey order, runs it, reloads it and shuts it down.

mod accept;
mod admin_access_control;
mod admin_listeners;
mod audit_status;
mod config_state;
mod config_watcher;
mod connection_load;
pub(crate) mod control_loop;
pub(crate) mod doctor;
mod fd_limit;
mod files_snapshot;
pub(crate) mod journal;
pub(crate) mod listeners;
pub(crate) mod logging;
mod memory_release;
pub(crate) mod port_holder;
pub(crate) mod program;
pub(crate) mod refusal_remedy;
pub mod reload;
pub(crate) mod request_line;
pub(crate) mod request_log;
mod restart_only;
mod rules_builder;
pub mod sandbox;
mod shutdown;
pub(crate) mod shutdown_deadline;
pub(crate) mod signals;
mod status_collector;
mod supervisor;
mod tenant_status;
mod token_events;
mod token_metrics;
mod token_renewers;
mod trouble_log;
pub(crate) mod way_out;
pub mod wiring;
mod worker;

/// The version of this program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
