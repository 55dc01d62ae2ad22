//! Folders of the knowledge base, by id and by path. A path has slashes: `Network/Wireless`.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, no_such},
    call::ApiCall,
    response::SandboxResponse,
    world::{Collection, Record, RecordId, WorldData, integer, record, text},
};

use super::{files, query_filters::is_open, records};

use Collection::{Articles, Folders, Organizations};

/// The deepest folder that a path makes.
const DEPTH_MAX: usize = 16;

/// Where an article is to be: in a folder, or in one with a path, which is made.
pub(super) struct Place<'a> {
    /// `None`: for everyone.
    pub(super) organization: Option<u64>,
    pub(super) folder: Option<u64>,
    pub(super) path: Option<&'a str>,
}

pub(super) fn read(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let folder = call.record_of(0, world, Folders)?;
    Ok(Answer::Value(with_content(call, world, folder)))
}

/// By `folderId`, or by `folderPath` in an organization or for everyone. Without either: the top, which has no id of its own.
pub(super) fn read_path(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let query = &call.request.query;
    let organization = query.number("organizationId");
    check_organization(world, organization)?;
    let folder = match (query.number("folderId"), parts(call.query("folderPath"))) {
        (Some(id), _) => world.get(Folders, &RecordId::from(id)).cloned(),
        (None, path) if path.is_empty() => Some(record(json!({
            "id": 0,
            "name": "",
            "organizationId": organization,
        }))),
        (None, path) => find(world, organization, &path).cloned(),
    };
    let folder = folder.ok_or_else(|| no_such(Folders))?;
    Ok(Answer::Value(with_content(call, world, &folder)))
}

fn parts(path: Option<&str>) -> Vec<&str> {
    let parts = path.unwrap_or_default().split('/').map(str::trim);
    parts.filter(|it| !it.is_empty()).take(DEPTH_MAX).collect()
}

/// Those in it: folders first.
fn with_content(call: &ApiCall<'_>, world: &WorldData, folder: &Record) -> Value {
    let id = integer(folder, "id").filter(|id| *id > 0);
    let organization = integer(folder, "organizationId");
    let is_in = |it: &Record| {
        integer(it, "parentFolderId") == id
            && integer(it, "organizationId") == organization
            && is_open(call, it, "isArchived")
    };
    let folders = world.all(Folders).filter(|it| is_in(it)).map(|it| {
        let mut item = it.clone();
        item.insert("isFolder".to_owned(), true.into());
        item
    });
    let articles = world.all(Articles).filter(|it| is_in(it)).map(|it| {
        let file = integer(it, "file").and_then(|id| files::metadata(world, id));
        let mut item = it.clone();
        item.insert("isFolder".to_owned(), false.into());
        item.insert("fileUploadStatus".to_owned(), "SUCCESS".into());
        for (member, of) in [("fileSize", "size"), ("fileExtension", "extension")] {
            let value = file.as_ref().and_then(|it| it.get(of)).cloned();
            item.insert(member.to_owned(), value.unwrap_or_default());
        }
        item
    });
    let content: Vec<Value> = folders
        .chain(articles)
        .map(|mut item| {
            for (member, of) in [("folder", "isFolder"), ("archived", "isArchived")] {
                let value = item.get(of).cloned().unwrap_or_default();
                item.insert(member.to_owned(), value);
            }
            Value::Object(item)
        })
        .collect();
    let mut shown = folder.clone();
    shown.insert("content".to_owned(), content.into());
    Value::Object(shown)
}

/// The names from the top to this folder.
pub(super) fn path(world: &WorldData, folder: Option<u64>) -> String {
    let mut names = Vec::new();
    let mut next = folder;
    while let Some(folder) = next.and_then(|id| world.get(Folders, &RecordId::from(id)))
        && names.len() < DEPTH_MAX
    {
        names.push(text(folder, "name").unwrap_or_default());
        next = integer(folder, "parentFolderId");
    }
    names.reverse();
    names.join("/")
}

fn find<'w>(world: &'w WorldData, organization: Option<u64>, path: &[&str]) -> Option<&'w Record> {
    let mut found = None;
    for name in path {
        let parent = found.and_then(|it| integer(it, "id"));
        found = Some(world.all(Folders).find(|it| {
            integer(it, "organizationId") == organization
                && integer(it, "parentFolderId") == parent
                && text(it, "name") == Some(name)
        })?);
    }
    found
}

fn check_organization(world: &WorldData, id: Option<u64>) -> Result<(), SandboxResponse> {
    match id.map(RecordId::from) {
        Some(id) if world.get(Organizations, &id).is_none() => Err(no_such(Organizations)),
        _ => Ok(()),
    }
}

/// The id of the folder of a place; `None`: the top.
///
/// # Errors
/// 404: there is no such organization or folder.
pub(super) fn find_or_create(
    world: &mut WorldData,
    place: &Place<'_>,
) -> Result<Option<u64>, SandboxResponse> {
    check_organization(world, place.organization)?;
    if let Some(id) = place.folder.filter(|id| *id > 0) {
        let folder = world.get(Folders, &RecordId::from(id));
        return folder.map(|_| Some(id)).ok_or_else(|| no_such(Folders));
    }
    let path = parts(place.path);
    let mut parent = None;
    for depth in 1..=path.len() {
        let known = path.get(..depth).unwrap_or_default();
        if let Some(folder) = find(world, place.organization, known) {
            parent = integer(folder, "id");
            continue;
        }
        let folder = json!({
            "name": known.last(),
            "organizationId": place.organization,
            "parentFolderId": parent,
            "isArchived": false,
            "createTime": world.now(),
            "updateTime": world.now(),
        });
        let mut folder = record(folder);
        folder.retain(|_, value| !value.is_null());
        parent = integer(&world.create(Folders, folder)?, "id");
    }
    Ok(parent)
}

/// All that is below goes with them.
pub(super) fn delete_each(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let mut doomed = records::existing(world, Folders, call.items())?;
    while let Some(id) = doomed.pop() {
        world.remove(Folders, &id);
        let below = |of: Collection| {
            let own = world
                .all(of)
                .filter(|it| it.get("parentFolderId") == Some(&id.to_value()));
            own.filter_map(|it| integer(it, "id").map(RecordId::from))
                .collect::<Vec<_>>()
        };
        let (folders, articles) = (below(Folders), below(Articles));
        doomed.extend(folders);
        for article in articles {
            world.remove(Articles, &article);
        }
    }
    Ok(Answer::Done)
}

/// Folders and articles go to another folder, or to the top; of another organization, if one is named.
pub(super) fn move_items(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let body = call.members();
    let folder = integer(&body, "destinationFolderId").filter(|id| *id > 0);
    let mut organization = integer(&body, "destinationOrganizationId");
    check_organization(world, organization)?;
    if let Some(id) = folder {
        let folder = world.get(Folders, &RecordId::from(id));
        let folder = folder.ok_or_else(|| no_such(Folders))?;
        organization = organization.or(integer(folder, "organizationId"));
    }
    for (member, of) in [("folderIds", Folders), ("documentIds", Articles)] {
        let listed = body.get(member).and_then(Value::as_array);
        let ids = records::existing(world, of, listed.map_or(&[], Vec::as_slice))?;
        for id in ids {
            if of == Folders && is_within(world, folder, &id) {
                continue;
            }
            let mut changes = record(json!({
                "parentFolderId": folder,
                "updateTime": world.now(),
            }));
            if let Some(organization) = organization {
                changes.insert("organizationId".to_owned(), organization.into());
            }
            records::update_from(world, of, &id, changes)?;
        }
    }
    Ok(Answer::Done)
}

/// Whether a folder is another one or somewhere below it: it cannot move there.
fn is_within(world: &WorldData, folder: Option<u64>, other: &RecordId) -> bool {
    let mut next = folder;
    for _ in 0..DEPTH_MAX {
        let Some(id) = next else {
            return false;
        };
        if RecordId::from(id) == *other {
            return true;
        }
        let folder = world.get(Folders, &RecordId::from(id));
        next = folder.and_then(|it| integer(it, "parentFolderId"));
    }
    true
}
