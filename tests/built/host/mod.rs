//! What surrounds the program: mounts that somebody else made, a machine with and without IPv6, scrapers of metrics, systemd.

mod loopback;
mod mounts;
mod scrapes;
mod service;
mod texts;

use std::net::SocketAddr;

use crate::{directory::Directory, program::free_address, settings::Settings};

/// Of the caller `main`, who may do everything.
const KEY: &str = "njp_main_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";

/// A directory with a client secret, and settings in front of a NinjaOne that nobody has started.
fn without_ninjaone() -> (Directory, Settings) {
    in_front_of(free_address())
}

fn in_front_of(ninjaone: SocketAddr) -> (Directory, Settings) {
    let directory = Directory::new();
    directory.write("acme.secret", "a client secret of the tests");
    let info = ("telemetry.log", "level", "\"info\"");
    let mut settings = Settings::usual().with(&[info]);
    settings.tenant(ninjaone, "host-client");
    settings.caller("main", KEY, "allow = [\"all\"]");
    (directory, settings)
}
