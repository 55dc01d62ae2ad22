//! The store of logins: what is written stays, whoever dies and whatever the disk does, and tampering is noticed.

mod attacks;
mod child;
mod crash;
mod keys;
mod lock;
mod login;
mod tamper;
mod trouble;
mod vector;
mod world;
