//! The sandbox over real HTTP: logins, tokens, reads, paging, writes, faults and its control address.

mod api;
mod device_actions;
mod faults;
mod login;
mod people;
mod policies;
mod refresh;
mod scripts;
mod serving;
mod tickets;
mod token_faults;
mod tokens;
mod user_login;
mod wire;
