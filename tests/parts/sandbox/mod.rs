//! The sandbox over real HTTP: logins, tokens, reads, paging, writes, faults and its control address.

mod api;
mod backups;
mod behaviour;
mod custom_fields;
mod device_reports;
mod faults;
mod login;
mod refresh;
mod serving;
mod token_faults;
mod tokens;
mod user_login;
mod wire;
