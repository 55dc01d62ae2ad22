//! The audit log: what is written, what survives, and what both verifiers see.

mod cli;
mod crash;
mod full_disk;
mod ledger;
mod tamper;
mod trouble;
mod vector;
mod world;
