//! The accounts of this machine, as `/etc/passwd` and `/etc/group` name them.
//!
//! A directory service is not asked: the program is one static binary, without the C library's name services. Whoever is in one
//! alone is named by number.

use std::fs;

const USERS: &str = "/etc/passwd";
const GROUPS: &str = "/etc/group";

/// The user's name, or the number where it has none.
#[must_use]
pub fn user_name(uid: u32) -> String {
    let found = entry(USERS, |fields| {
        let is_it = number(fields.get(2))? == uid;
        is_it.then(|| fields.first().map(|name| (*name).to_owned()))?
    });
    found.unwrap_or_else(|| uid.to_string())
}

/// The id of a user: a number, or a name in `/etc/passwd`.
#[must_use]
pub fn user_id(user: &str) -> Option<u32> {
    user.parse().ok().or_else(|| id_of(USERS, user))
}

/// The id of a group: a number, or a name in `/etc/group`.
#[must_use]
pub fn group_id(group: &str) -> Option<u32> {
    group.parse().ok().or_else(|| id_of(GROUPS, group))
}

/// Whether the user has the group as its own, or is listed among the group's members.
#[must_use]
pub fn is_member(uid: u32, gid: u32) -> bool {
    let own = entry(USERS, |fields| {
        (number(fields.get(2))? == uid).then(|| number(fields.get(3)))?
    });
    let name = user_name(uid);
    let listed = entry(GROUPS, |fields| {
        let is_it = number(fields.get(2))? == gid;
        let members = fields.get(3)?;
        (is_it && members.split(',').any(|it| it == name)).then_some(())
    });
    own == Some(gid) || listed.is_some()
}

/// In both files the name comes first and the id third (passwd(5), group(5)).
fn id_of(file: &str, name: &str) -> Option<u32> {
    entry(file, |fields| {
        (*fields.first()? == name).then(|| number(fields.get(2)))?
    })
}

fn number(field: Option<&&str>) -> Option<u32> {
    field?.parse().ok()
}

fn entry<T>(file: &str, found: impl Fn(&[&str]) -> Option<T>) -> Option<T> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        found(&fields)
    })
}
