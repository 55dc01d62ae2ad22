//! Those who connect and give nothing: silent connections, bodies that drip, answers that nobody reads, and floods of them at
//! the admin's listeners. The built program is started, with its own configuration file, and spoken to over real sockets.
// The time that passes for a caller, and tasks that end with their test.
#![allow(clippy::disallowed_methods)]

mod admin;
mod behind;
mod bodies;
mod drips;
mod record;
mod running;
mod sockets;
