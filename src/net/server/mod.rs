//! The server side: listeners, callers' connections with their limits and timeouts, and the protocols on them. Nothing here
//! knows NinjaOne.

pub(in crate::net) mod accept_batch;
pub mod connection_control;
pub mod connection_permit;
pub mod connection_rejections;
mod connection_table;
pub mod connection_timer;
pub mod connections;
pub mod handler;
pub mod head_reservation;
pub mod http1;
pub mod http2;
pub mod listener;
pub mod one_shot;
mod one_shot_connections;
pub mod peer_group;
pub mod sniff;
pub mod timeouts;
