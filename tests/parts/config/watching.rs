//! When a change on disk triggers a reload.

use std::{fs, os::unix::fs::PermissionsExt};

use ninjaone_proxy::app::reload::Reloader;

use super::House;

/// A file that is being written looks different each time.
#[test]
fn a_change_is_noticed_when_it_was_the_same_at_two_looks() {
    let house = House::with_tenant("");
    let mut reloader = Reloader::new(house.sources(), &house.accepted());
    assert!(!reloader.has_changed());

    house.write("callers.d/guest.toml", "# half");
    assert!(!reloader.has_changed());
    house.write("callers.d/guest.toml", "# half of it, and the rest");
    assert!(!reloader.has_changed(), "it is still being written");
    assert!(reloader.has_changed(), "the same at two looks");
}

#[test]
fn a_file_that_may_be_read_again_is_noticed() {
    let house = House::with_tenant("");
    let (file, config) = (house.path("config.toml"), house.accepted());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    let mut reloader = Reloader::new(house.sources(), &config);
    assert!(!reloader.has_changed());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(!reloader.has_changed(), "the next check confirms it");
    assert!(reloader.has_changed());
}

#[test]
fn a_change_that_was_taken_back_is_none() {
    let house = House::with_tenant("");
    let mut reloader = Reloader::new(house.sources(), &house.accepted());
    let file = house.path("config.toml");
    let kept = house.path("kept");
    fs::rename(&file, &kept).unwrap();
    assert!(!reloader.has_changed());
    fs::rename(kept, file).unwrap();
    assert!(!reloader.has_changed());
    assert!(!reloader.has_changed());
}
