//! `ninjaone-proxy`: an authenticating reverse proxy and token broker in front of the NinjaOne API.
//!
//! The modules stand in the order of a request's journey, and a module imports only from modules above it
//! (`tests/architecture.rs` keeps that). Each station takes the value that the station before it made and returns the next
//! one; nobody else can make that value, so code that forgets to authorise, to limit or to record does not compile.
//!
//! ```text
//!   vocabulary    names   clock   random   hex   secret   files   lock   tasks   watchdog
//!   plumbing      net                                      HTTP, TLS, sockets; knows nothing of NinjaOne
//!   vendor        ninjaone                                 operations, scopes, regions; facts, no I/O
//!   ═══════════════════════════════ the journey ═══════════════════════════════
//!   caller        Incoming    ──►  Identified              who is asking?
//!   policy        Identified  ──►  Authorized              may they?
//!   limits        Authorized  ──►  Admitted                may they now?
//!   credentials   Admitted    ──►  Leased                  with which token?
//!   audit         Leased      ──►  Intended                put it on record
//!   upstream      Intended    ──►  Forwarded               send it
//!   proxy         Outcome     ──►  Recorded<Outcome> ──►  Reply
//!   ════════════════════════════════════════════════════════════════════════════
//!   beside        admin   sandbox
//!   edge          config ──► app ──► cli ──► main
//! ```
//!
//! Read `proxy/mod.rs` first: it is the journey in one function.

pub mod names;

pub mod clock;

pub mod random;

pub mod hex;

pub mod secret;

pub mod files;

pub mod lock;

pub mod tasks;

pub mod watchdog;

pub mod net;

pub mod ninjaone;

pub mod caller;

pub mod policy;

pub mod limits;

pub mod credentials;

pub mod audit;

pub mod upstream;

pub(crate) mod proxy;

pub mod admin;

pub mod sandbox;

pub mod config;

pub mod app;

pub mod cli;
