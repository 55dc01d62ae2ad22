//! The knowledge base: articles of everyone and of organizations, in folders.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, no_such},
    call::ApiCall,
    response::SandboxResponse,
    world::{Collection, Record, RecordId, WorldData, integer, record, text},
};

use super::{
    files,
    knowledge_base_folders::{self as folders, Place},
    query_filters::{is_open, lists, names},
    records,
};

use Collection::{Articles, Folders};

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getGlobalKnowledgeBaseArticles" => Ok(list(call, world, true)),
        "getClientKnowledgeBaseArticles" => Ok(list(call, world, false)),
        "getGlobalKnowledgeBaseArticleById" => {
            call.record_of(0, world, Articles)
                .and_then(|it| match integer(it, "organizationId") {
                    None => Ok(Answer::Value(shown(world, it))),
                    Some(_) => Err(no_such(Articles)),
                })
        }
        "getClientKnowledgeBaseArticleById" => call
            .record_of(0, world, Articles)
            .map(|it| Answer::Value(shown(world, it))),
        "createKnowledgeBaseArticles" => create_each(call, world),
        "updateKnowledgeBaseArticles" => update_each(call, world),
        "uploadKnowledgeBaseArticles" => upload(call, world),
        "downloadKnowledgeBaseArticle" => download(call, world),
        "getKnowledgeBaseArticleSignedUrls" => call
            .record_of(0, world, Articles)
            .map(|it| files::signed_urls(world, files::numbers(it, "files"))),
        "archiveKnowledgeBaseArticles" => set_archived(call, world, Articles, true),
        "restoreKnowledgeBaseArticles" => set_archived(call, world, Articles, false),
        "deleteKnowledgeBaseArticles" => records::delete_each(call, world, Articles),
        "archiveKnowledgeBaseFolders" => set_archived(call, world, Folders, true),
        "restoreKnowledgeBaseFolders" => set_archived(call, world, Folders, false),
        "deleteKnowledgeBaseFolders" => folders::delete_each(call, world),
        "getKnowledgeBaseFolderContent" => folders::read(call, world),
        "getKnowledgeBaseFolderPathContent" => folders::read_path(call, world),
        "move" => folders::move_items(call, world),
        _ => return None,
    })
}

fn list(call: &ApiCall<'_>, world: &WorldData, global: bool) -> Answer {
    let found = world.all(Articles).filter(|it| {
        integer(it, "organizationId").is_none() == global
            && (global || lists(call, "organizationIds", it, "organizationId"))
            && names(call, "articleName", it, "name")
            && is_open(call, it, "isArchived")
    });
    Answer::list(found.map(|it| shown(world, it)))
}

/// With its path and its attachments.
fn shown(world: &WorldData, article: &Record) -> Value {
    let attachments: Vec<Value> = files::numbers(article, "files")
        .into_iter()
        .filter_map(|id| {
            let metadata = files::metadata(world, id)?;
            Some(json!({"id": id, "uploadStatus": "SUCCESS", "metadata": metadata}))
        })
        .collect();
    let mut shown = article.clone();
    shown.insert("attachments".to_owned(), attachments.into());
    let path = folders::path(world, integer(article, "parentFolderId"));
    shown.insert("path".to_owned(), path.into());
    Value::Object(shown)
}

fn create_each(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let mut created = Vec::new();
    for item in call.items() {
        let body = record(item.clone());
        let place = Place {
            organization: integer(&body, "organizationId"),
            folder: integer(&body, "destinationFolderId"),
            path: text(&body, "destinationFolderPath"),
        };
        let article = json!({
            "name": body.get("name"),
            "content": body.get("content"),
        });
        created.push(create(world, &place, record(article))?);
    }
    Ok(Answer::list(created.iter().map(|it| shown(world, it))))
}

fn create(
    world: &mut WorldData,
    place: &Place<'_>,
    article: Record,
) -> Result<Record, SandboxResponse> {
    let defaults = json!({
        "organizationId": place.organization,
        "parentFolderId": folders::find_or_create(world, place)?,
        "isNinjaArticle": true,
        "isArchived": false,
        "createTime": world.now(),
        "updateTime": world.now(),
    });
    let mut defaults = record(defaults);
    defaults.retain(|_, value| !value.is_null());
    records::create_from(world, Articles, article, defaults)
}

fn update_each(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let ids: Vec<Value> = call.items().iter().map(|it| it["id"].clone()).collect();
    let mut articles = Vec::new();
    let existing = records::existing(world, Articles, &ids)?;
    for (id, item) in existing.iter().zip(call.items()) {
        let mut changes = record(item.clone());
        changes.insert("updateTime".to_owned(), world.now().into());
        articles.push(records::update_from(world, Articles, id, changes)?);
    }
    Ok(Answer::list(articles.iter().map(|it| shown(world, it))))
}

/// Each file becomes an article.
fn upload(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let parts = files::form_parts(call)?;
    let field = |name: &str| {
        let part = parts.iter().find(|it| it.name == name);
        part.map(|it| String::from_utf8_lossy(it.bytes).into_owned())
    };
    let number = |name| field(name).and_then(|it| it.trim().parse().ok());
    let path = field("folderPath");
    let place = Place {
        organization: number("organizationId"),
        folder: number("folderId"),
        path: path.as_deref(),
    };
    folders::find_or_create(world, &place)?;
    let mut created = Vec::new();
    for file in files::keep_all(call, world)? {
        let article = json!({
            "name": file.get("name"),
            "isNinjaArticle": false,
            "file": file.get("id"),
            "files": [file.get("id")],
        });
        created.push(create(world, &place, record(article))?);
    }
    Ok(Answer::list(created.iter().map(|it| shown(world, it))))
}

/// The file that was uploaded, or the page that was written.
fn download(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let article = call.record_of(0, world, Articles)?;
    if let Some(file) = integer(article, "file") {
        return files::download(world, file);
    }
    let name = text(article, "name").unwrap_or_default();
    let content = article.get("content").and_then(Value::as_object);
    let page = content.and_then(|it| text(it, "html").or_else(|| text(it, "text")));
    Ok(files::attachment(
        &format!("{name}.html"),
        page.unwrap_or_default().into(),
    ))
}

fn set_archived(
    call: &ApiCall<'_>,
    world: &mut WorldData,
    of: Collection,
    archived: bool,
) -> Answered {
    let time = archived.then(|| world.now());
    let changes = record(json!({"isArchived": archived, "archivedTime": time}));
    let ids: Vec<RecordId> = records::existing(world, of, call.items())?;
    for id in ids {
        records::update_from(world, of, &id, changes.clone())?;
    }
    Ok(Answer::Done)
}
