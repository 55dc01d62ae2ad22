//! The sandbox over real HTTP: logins, tokens, reads, paging, writes, faults and its control address.

mod api;
mod backups;
mod behaviour;
mod custom_fields;
mod device_actions;
mod device_reports;
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
