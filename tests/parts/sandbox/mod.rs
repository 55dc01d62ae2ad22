//! The sandbox over real HTTP: logins, tokens, reads, paging, writes, faults and its control address.

mod api;
mod assets;
mod billing;
mod checklists;
mod documents;
mod faults;
mod knowledge_base;
mod login;
mod refresh;
mod related_items;
mod serving;
mod tabs;
mod tags;
mod token_faults;
mod tokens;
mod user_login;
mod wire;
