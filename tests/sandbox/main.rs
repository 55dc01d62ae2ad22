//! The sandbox over real HTTP: tokens, reads, paging, writes, faults and its control address.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod api;
mod faults;
mod serving;
mod tokens;
mod wire;
