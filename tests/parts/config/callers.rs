//! Callers' files: read beside the configuration, created and changed by commands.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink},
};

use ninjaone_proxy::config::{
    caller_edits::{self, CallerEdits},
    caller_file_error::CallerFileError,
    caller_files::{self, CallerFileChange, NewCaller},
    value::key_digest,
};

use super::{House, digest, known};

fn new(name: &str) -> NewCaller {
    NewCaller {
        name: name.parse().unwrap(),
        allow: vec!["read".into(), "GET /v2/device/{id}/**".into()],
        deny: vec!["secrets".into()],
        policy: Vec::new(),
        expires: Some("2199-03-31".into()),
        tenants: vec!["acme".into()],
    }
}

fn add(house: &House, name: &str) -> Result<CallerFileChange, CallerFileError> {
    caller_files::add(&house.sources(), &known(), &new(name))
}

fn key(changed: &CallerFileChange) -> String {
    changed.key.as_ref().unwrap().expose().clone()
}

fn refusal(result: Result<CallerFileChange, CallerFileError>) -> String {
    match result {
        Ok(changed) => panic!("changed {}", changed.file.display()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_new_caller_is_a_file_with_the_digest_of_its_key() {
    let house = House::with_tenant("");
    let key = key(&add(&house, "powerbi").unwrap());
    let random = key.strip_prefix("njp_powerbi_").unwrap();
    assert_eq!(random.len(), 43);
    assert!(
        random
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    );

    let text = house.read("callers.d/powerbi.toml");
    assert!(!text.contains(random));
    let config = house.accepted();
    assert_eq!(config.callers[0].name.as_str(), "powerbi");
    assert_eq!(config.callers[0].keys, [key_digest::sha256(&key)]);
    assert_eq!(config.callers[0].rules.len(), 3);
    assert_eq!(
        &*config.callers[0].rules[0].location,
        "callers.d/powerbi.toml:4"
    );
}

#[test]
fn the_file_and_its_directory_are_read_by_whoever_reads_the_main_file_and_nothing_else_is_left() {
    let house = House::with_tenant("");
    add(&house, "powerbi").unwrap();
    let mode = |name: &str| fs::metadata(house.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode("callers.d"), mode("callers.d/powerbi.toml")),
        (0o755, 0o644)
    );
    assert_eq!(fs::read_dir(house.path("callers.d")).unwrap().count(), 1);
}

#[test]
fn two_keys_are_never_the_same() {
    let house = House::with_tenant("");
    let (one, two) = (add(&house, "one").unwrap(), add(&house, "two").unwrap());
    assert_ne!(key(&one).rsplit('_').next(), key(&two).rsplit('_').next());
}

#[test]
fn a_caller_that_is_there_already_is_left_alone() {
    let house = House::with_tenant(&format!(
        "[caller.main]\nkey = \"{}\"\nallow = [\"read\"]\n",
        digest('a')
    ));
    add(&house, "powerbi").unwrap();
    let before = house.read("callers.d/powerbi.toml");
    assert!(refusal(add(&house, "powerbi")).contains("callers.d/powerbi.toml:1"));
    assert!(refusal(add(&house, "main")).contains("config.toml:5"));
    assert_eq!(house.read("callers.d/powerbi.toml"), before);
}

#[test]
fn a_caller_that_would_make_the_configuration_wrong_is_taken_back() {
    let house = House::with_tenant("");
    let mut wrong = new("powerbi");
    wrong.policy = vec!["no \"such\" policy".into()];
    let refusal = refusal(caller_files::add(&house.sources(), &known(), &wrong));
    assert!(refusal.contains("there is no policy"), "{refusal}");
    assert!(!house.path("callers.d/powerbi.toml").exists());
    house.accepted();
}

#[test]
fn a_configuration_that_was_wrong_before_does_not_keep_callers_from_being_made() {
    let house = House::with_tenant("[listen]\ndrain = \"soon\"\n");
    let changed = add(&house, "powerbi").unwrap();
    assert!(changed.remaining_errors.is_some());
    assert!(house.path("callers.d/powerbi.toml").exists());
}

#[test]
fn rotation_adds_a_key_and_leaves_the_rest_of_the_file_as_it_is() {
    let house = House::with_tenant("");
    for (before, after) in [
        (
            format!("key = \"{}\" # old", digest('a')),
            format!("key = [\"{}\", \"NEW\"] # old", digest('a')),
        ),
        (
            format!("key = [\n  \"{}\", # old\n]", digest('a')),
            format!("key = [\n  \"{}\", \"NEW\", # old\n]", digest('a')),
        ),
    ] {
        house.write(
            "callers.d/x.toml",
            &format!("# by hand\n[caller.x]\n{before}\nallow = [\"read\"] # why\n"),
        );
        let changed = caller_files::rotate(&house.sources(), &known(), "x", false).unwrap();
        let written = key_digest::to_text(&key_digest::sha256(&key(&changed)));
        let after = after.replace("NEW", &written);
        assert_eq!(
            house.read("callers.d/x.toml"),
            format!("# by hand\n[caller.x]\n{after}\nallow = [\"read\"] # why\n")
        );
        assert_eq!(house.accepted().callers[0].keys.len(), 2);
    }
}

#[test]
fn rotation_at_once_ends_the_old_keys() {
    let house = House::with_tenant("");
    let old = key(&add(&house, "x").unwrap());
    let changed = caller_files::rotate(&house.sources(), &known(), "x", true).unwrap();
    assert_ne!(key(&changed), old);
    assert_eq!(
        house.accepted().callers[0].keys,
        [key_digest::sha256(&key(&changed))]
    );
}

#[test]
fn one_key_of_several_can_be_revoked_but_not_the_last() {
    let house = House::with_tenant("");
    let [a, b, c] = ['a', 'b', 'c'].map(digest);
    let text =
        format!("[caller.x] # x\nkey = [\"{a}\", \"{b}\", \"{c}\"] # keys\nallow = [\"read\"]\n");
    house.write("callers.d/x.toml", &text);
    let revoke = |prefix: &str| caller_files::revoke_key(&house.sources(), &known(), "x", prefix);
    revoke("sha256:bbbbbbbb").unwrap();
    assert!(
        house
            .read("callers.d/x.toml")
            .contains(&format!("key = [\"{a}\", \"{c}\"] # keys"))
    );
    assert!(refusal(revoke("dddd")).contains("no key whose digest starts with"));
    revoke("CCCC").unwrap();
    assert!(
        house
            .read("callers.d/x.toml")
            .contains(&format!("key = [\"{a}\"] # keys"))
    );
    assert!(refusal(revoke("aaaa")).contains("the only key"));
    house.accepted();
}

#[test]
fn a_revoked_caller_is_gone() {
    let house = House::with_tenant("");
    add(&house, "x").unwrap();
    caller_files::revoke(&house.sources(), &known(), "x").unwrap();
    assert!(!house.path("callers.d/x.toml").exists());
    assert!(house.accepted().callers.is_empty());
}

#[test]
fn a_caller_of_the_main_file_is_changed_there_but_not_removed() {
    let house = House::with_tenant(&format!(
        "[caller.x]\nkey = \"{}\"\nallow = [\"read\"]\n",
        digest('a')
    ));
    let before = house.read("config.toml");
    assert!(
        refusal(caller_files::revoke(&house.sources(), &known(), "x")).contains("config.toml:5")
    );
    assert_eq!(house.read("config.toml"), before);

    let rotated = caller_files::rotate(&house.sources(), &known(), "x", false).unwrap();
    assert_eq!(rotated.file, house.path("config.toml"));
    let edits = CallerEdits {
        allow: vec!["secrets".to_owned()],
        ..CallerEdits::default()
    };
    caller_edits::change(&house.sources(), &known(), "x", &edits).unwrap();

    let after = house.read("config.toml");
    assert!(after.starts_with(before.split("key = ").next().unwrap()));
    assert!(after.contains("allow = [\"read\", \"secrets\"]"), "{after}");
    assert_eq!(house.accepted().callers[0].keys.len(), 2);
}

#[test]
fn a_caller_that_shares_its_file_with_another_is_not_removed() {
    let house = House::with_tenant("");
    let one = |name: &str, digit| {
        format!(
            "[caller.{name}]\nkey = \"{}\"\nallow = [\"read\"]\n",
            digest(digit)
        )
    };
    house.write("callers.d/both.toml", &(one("x", 'a') + &one("y", 'b')));
    assert_eq!(house.accepted().callers.len(), 2);
    assert!(refusal(caller_files::revoke(&house.sources(), &known(), "x")).contains("both.toml:1"));
}

#[test]
fn callers_that_clash_are_refused_with_both_places() {
    let one = |name: &str, digit| {
        format!(
            "[caller.{name}]\nkey = \"{}\"\nallow = [\"read\"]\n",
            digest(digit)
        )
    };
    let house = House::with_tenant(&one("x", 'a'));
    house.write("callers.d/a.toml", &one("x", 'b'));
    house.write("callers.d/b.toml", &one("z", 'a'));
    house.write("callers.d/.hidden.toml", "nonsense");
    house.write("callers.d/c.toml~", "nonsense");
    let text = house.refused().to_string();
    assert!(text.contains("caller `x` is defined twice"), "{text}");
    assert!(text.contains("config.toml:5"), "{text}");
}

#[test]
fn two_callers_with_one_key_are_refused() {
    let one = |name: &str| {
        format!(
            "[caller.{name}]\nkey = \"{}\"\nallow = [\"read\"]\n",
            digest('a')
        )
    };
    let house = House::with_tenant(&one("x"));
    house.write("callers.d/z.toml", &one("z"));
    let problems = house.refused();
    assert_eq!(problems.as_slice().len(), 1, "{problems}");
    assert!(
        problems
            .to_string()
            .contains("`caller.x.key` has the same key"),
        "{problems}"
    );
    assert!(
        problems.to_string().contains("callers.d/z.toml:2:7"),
        "{problems}"
    );
}

#[test]
fn a_caller_file_holds_nothing_but_callers() {
    let house = House::with_tenant("");
    house.write(
        "callers.d/x.toml",
        "[listen]\ndrain = \"1s\"\n[policy.all]\nallow = [\"all\"]\n",
    );
    let places = house.places();
    assert_eq!(places.len(), 2, "{places:?}");
    assert!(
        places[0].starts_with("1:2 a caller file holds"),
        "{places:?}"
    );
}

/// Whoever may write in the directory could else put a link there that root gives away.
#[test]
fn nobody_can_foretell_the_name_under_which_a_file_is_written_first() {
    let house = House::with_tenant("");
    fs::create_dir(house.path("callers.d")).unwrap();
    let elsewhere = house.path("elsewhere");
    fs::write(&elsewhere, "").unwrap();
    let foretold = format!(".powerbi.toml.{}.new", std::process::id());
    symlink(&elsewhere, house.path("callers.d").join(foretold)).unwrap();

    add(&house, "powerbi").unwrap();

    let file = house.path("callers.d/powerbi.toml");
    assert!(fs::symlink_metadata(file).unwrap().is_file());
    assert_eq!(fs::read_to_string(elsewhere).unwrap(), "");
}

#[test]
fn root_writes_through_no_link_of_another_user_to_what_is_not_theirs() {
    const SOMEBODY: u32 = 65_534;
    let house = House::with_tenant("");
    let elsewhere = tempfile::tempdir().unwrap();
    let link = house.path("callers.d");
    symlink(elsewhere.path(), &link).unwrap();
    if lchown(&link, Some(SOMEBODY), Some(SOMEBODY)).is_err() {
        // Only root can set this up.
        return;
    }

    let told = refusal(add(&house, "powerbi"));
    assert!(told.contains("symbolic link of user 65534"), "{told}");
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);

    // They might as well have written there themselves.
    chown(elsewhere.path(), Some(SOMEBODY), Some(SOMEBODY)).unwrap();
    add(&house, "powerbi").unwrap();
    chown(elsewhere.path(), Some(0), Some(0)).unwrap();

    let rotate = || caller_files::rotate(&house.sources(), &known(), "powerbi", false);
    refusal(rotate());
    let revoke = || caller_files::revoke(&house.sources(), &known(), "powerbi");
    let told = refusal(revoke());
    assert!(told.contains("symbolic link of user 65534"), "{told}");

    lchown(&link, Some(0), Some(0)).unwrap();
    rotate().unwrap();
    let file = elsewhere.path().join("powerbi.toml");
    assert_eq!(fs::metadata(&file).unwrap().uid(), 0);
    revoke().unwrap();
    assert!(!file.exists());
}
