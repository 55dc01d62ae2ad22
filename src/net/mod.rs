//! Sockets, TLS and HTTP. A request is parsed and checked here, or refused; nothing here knows NinjaOne.
//!
//! Callers are on the server's side, NinjaOne on the client's; neither side imports from the other.

mod accept_batch;
pub mod body;
pub mod body_progress;
pub mod body_timeouts;
pub mod body_timer;
pub mod client;
pub mod client_response;
pub mod connection_timer;
pub mod connections;
pub mod endpoint;
pub mod exchange;
pub mod exchange_error;
pub mod forwardable_headers;
pub mod handler;
pub mod headers;
pub mod host;
pub mod http1;
pub mod http2;
pub mod http2_client;
pub mod http2_messages;
pub mod incoming;
pub mod incoming_body;
pub mod incoming_body_error;
pub mod kept_body;
pub mod listener;
pub mod metered_body;
pub mod method;
pub mod neighbour;
pub mod origin_form;
pub mod outgoing;
pub mod pace;
pub mod patience;
pub mod peer;
pub mod pool;
pub mod pooled_connections;
pub mod presented_credentials;
pub mod problem;
pub mod request_body_error;
pub mod response;
pub mod seat;
pub mod send_error;
pub mod small_server;
pub mod sniff;
pub mod streaming_body;
pub mod target;
pub mod tls;
pub mod tls_io;
pub mod tls_stream;
pub mod turned_away;
pub mod unfinished;
pub mod url;
pub mod worker_cell;

pub use self::{incoming::Incoming, method::Method, peer::Peer, presented_credentials::Evidence};
