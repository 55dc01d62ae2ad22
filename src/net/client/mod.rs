//! The client side: connections to configured servers, NinjaOne first, pooled by each worker, and the requests on them.
//! Nothing here knows callers.

pub mod connector;
pub mod endpoint;
pub mod exchange;
pub mod exchange_error;
pub mod forwardable_response_headers;
pub mod http1;
pub mod http2;
pub mod http2_messages;
pub mod known_name;
pub mod name_resolver;
pub mod outgoing_proxy;
pub mod outgoing_request;
pub mod pool;
pub mod pooled_connections;
pub mod response;
pub mod response_body;
pub mod send_error;
pub mod send_progress;
pub mod tcp_dialer;
pub mod tls_io;
pub mod tls_stream;
pub mod tunnel;
pub mod tunnel_error;
pub mod unix_exchange;
