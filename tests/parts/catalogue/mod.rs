//! The built-in catalogue: what is in it, and how a request finds its operation.

mod contents;
mod lookup;
mod secrets;
