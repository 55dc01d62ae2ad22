//! A request's body, from the caller's connection to NinjaOne: read on demand, metered, timed and, where a retry may need it,
//! recorded. Bodies know neither protocol nor side.

pub mod channel;
pub mod incoming_body;
pub mod incoming_body_error;
pub mod metered_body;
pub mod progress;
pub mod replay_buffer;
pub mod request_body;
pub mod request_body_error;
pub mod streaming_body;
pub mod throughput_window;
pub mod timeouts;
pub mod timer;
