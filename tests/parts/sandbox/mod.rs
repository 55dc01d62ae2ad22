//! The sandbox over real HTTP: logins, tokens, reads, paging, writes, faults and its control address.

mod api;
mod assets;
mod backups;
mod behaviour;
mod billing;
mod checklists;
mod custom_fields;
mod device_actions;
mod device_reports;
mod documents;
mod faults;
mod knowledge_base;
mod login;
mod people;
mod policies;
mod refresh;
mod related_items;
mod scripts;
mod serving;
mod tabs;
mod tags;
mod tickets;
mod token_faults;
mod tokens;
mod user_login;
mod wire;
