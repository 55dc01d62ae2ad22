//! Sockets, TLS and HTTP. A request is parsed and checked here, or refused; nothing here knows NinjaOne.
//!
//! Callers are on the server's side, NinjaOne on the client's; neither side imports from the other.

pub mod body;
pub mod certificate_validity;
pub mod client;
pub mod exceeded_size;
pub mod http1;
pub mod link_header;
pub mod method;
pub mod peer;
pub mod request;
pub mod response;
pub mod server;
pub mod tls;
pub mod url;
pub mod worker_cell;

pub use self::{
    method::Method,
    peer::Peer,
    request::{incoming_request::IncomingRequest, presented_credentials::PresentedCredentials},
};
