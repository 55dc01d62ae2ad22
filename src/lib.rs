//! `ninjaone-proxy`: an authenticating reverse proxy and token broker in front of the NinjaOne API.
//!
//! The modules are declared in the order in which a request passes them, and a module imports only from modules above it
//! (`tests/architecture` enforces that). Each station takes the proof that the previous station made and returns the next one.
//! Nobody else can make a proof, so code that forgets to authorise, limit or record a request does not compile.
//!
//! ```text
//!   vocabulary    names   clock   random   hex   secret   files   lock   tasks   watchdog
//!                 shell_word   typed_command
//!   plumbing      net                                      HTTP, TLS, sockets; knows nothing of NinjaOne
//!   vendor        ninjaone                                 operations, scopes, regions; facts, no I/O
//!   ═══════════════════════════════ the journey ═══════════════════════════════
//!   caller        IncomingRequest ──►  Identified          who is asking?
//!   policy        Identified      ──►  Authorized          may they?
//!   limits        Authorized      ──►  Admitted            may they now?
//!   credentials   Admitted        ──►  Leased              with which token?
//!   audit         Leased          ──►  Intended            put it on record
//!   upstream      Intended        ──►  Forwarded           send it
//!   proxy         Outcome         ──►  Recorded<Outcome> ──►  RecordedResponse
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

pub(crate) mod shell_word;

pub mod files;

pub mod lock;

pub mod tasks;

pub mod watchdog;

pub(crate) mod typed_command;

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
