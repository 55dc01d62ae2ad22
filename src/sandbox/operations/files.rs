//! Files that requests bring, and the ways to get them back.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_DISPOSITION, CONTENT_TYPE},
};
use serde_json::{Map, Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, bad_request, no_such},
    call::ApiCall,
    multipart::{self, FormPart},
    response::SandboxResponse,
    seeded_rng,
    world::{Collection, Record, RecordId, WorldData, integer, record, text},
};

use Collection::Files;

/// Bytes of all files together, so that uploads cannot fill the memory. The oldest go first.
const BYTES_MAX: u64 = 16 << 20;

const UNKNOWN_KIND: &str = "application/octet-stream";

/// The parts of the form in the body.
///
/// # Errors
/// 400: the body is none.
pub(super) fn form_parts<'a>(call: &'a ApiCall<'_>) -> Result<Vec<FormPart<'a>>, SandboxResponse> {
    multipart::parse(&call.request.headers, &call.request.body)
        .map_err(|error| bad_request(&error.to_string()))
}

/// The files in the body, kept from now on.
///
/// # Errors
/// 400: there is none.
pub(super) fn keep_all(
    call: &ApiCall<'_>,
    world: &mut WorldData,
) -> Result<Vec<Record>, SandboxResponse> {
    let parts = form_parts(call)?;
    let files = parts.iter().filter(|it| it.file_name.is_some());
    let kept: Result<Vec<Record>, _> = files.map(|it| keep(world, it)).collect();
    match kept {
        Ok(kept) if kept.is_empty() => Err(bad_request("There is no file in the body")),
        kept => kept,
    }
}

fn keep(world: &mut WorldData, part: &FormPart<'_>) -> Result<Record, SandboxResponse> {
    let size = u64::try_from(part.bytes.len()).unwrap_or_default();
    make_room(world, size);
    let name = part.file_name.as_deref().unwrap_or_default();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let key = format!("file {name} {} {size}", world.count(Files));
    let file = record(json!({
        "name": name,
        "mimeType": part.content_type.as_deref().unwrap_or(UNKNOWN_KIND),
        "size": size.to_string(),
        "extension": extension,
        "contentId": seeded_rng::uuid(seeded_rng::hash(world.seed, &key)),
        "bytes": size,
        "base64": BASE64_STANDARD.encode(part.bytes),
    }));
    Ok(world.create(Files, file)?)
}

fn make_room(world: &mut WorldData, wanted: u64) {
    let mut held: u64 = world.all(Files).filter_map(|it| integer(it, "bytes")).sum();
    let oldest: Vec<(RecordId, u64)> = world
        .all(Files)
        .filter_map(|it| Some((integer(it, "id")?.into(), integer(it, "bytes")?)))
        .collect();
    for (id, size) in oldest {
        if held.saturating_add(wanted) <= BYTES_MAX {
            break;
        }
        world.remove(Files, &id);
        held = held.saturating_sub(size);
    }
}

/// The file as the server sends it: of no particular type, to be saved.
pub(super) fn download(world: &WorldData, id: u64) -> Answered {
    let file = world
        .get(Files, &RecordId::from(id))
        .ok_or_else(|| no_such(Files))?;
    let bytes = BASE64_STANDARD.decode(text(file, "base64").unwrap_or_default());
    Ok(attachment(
        text(file, "name").unwrap_or_default(),
        bytes.unwrap_or_default(),
    ))
}

/// A body to be saved under a name.
pub(super) fn attachment(name: &str, bytes: Vec<u8>) -> Answer {
    let safe: String = name
        .chars()
        .map(|it| {
            if it.is_ascii_graphic() && it != '"' || it == ' ' {
                it
            } else {
                '_'
            }
        })
        .collect();
    let kind = HeaderValue::from_static(UNKNOWN_KIND);
    let mut response = SandboxResponse::bytes(StatusCode::OK, kind.clone(), bytes.into());
    response.headers.insert(CONTENT_TYPE, kind);
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{safe}\"")) {
        response.headers.insert(CONTENT_DISPOSITION, value);
    }
    Answer::Response(response)
}

/// What lists show of a file.
pub(super) fn metadata(world: &WorldData, id: u64) -> Option<Record> {
    let mut shown = world.get(Files, &RecordId::from(id))?.clone();
    shown.remove("base64");
    Some(shown)
}

/// For each of the files its content id, and an address on another host where NinjaOne would give it away for a while.
pub(super) fn signed_urls(world: &WorldData, ids: impl IntoIterator<Item = u64>) -> Answer {
    let addresses: Map<String, Value> = ids
        .into_iter()
        .filter_map(|id| {
            let file = metadata(world, id)?;
            let content = text(&file, "contentId")?.to_owned();
            let signature = seeded_rng::hash(world.seed, &content);
            let url = format!(
                "https://files.sandbox.invalid/{content}?expires=3600&signature={signature:016x}"
            );
            Some((content, url.into()))
        })
        .collect();
    Answer::Value(Value::Object(addresses))
}

/// The numbers in a member that lists them.
pub(super) fn numbers(record: &Record, member: &str) -> Vec<u64> {
    let listed = record.get(member).and_then(Value::as_array);
    listed
        .into_iter()
        .flatten()
        .filter_map(Value::as_u64)
        .collect()
}
