//! Scan groups of vulnerability scanners.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, bad_request},
    call::ApiCall,
    world::{Collection, Record, WorldData, record, text},
};

use super::{files, records};

use Collection::ScanGroups;

/// How long an upload is being processed.
const PROCESSING_SECONDS: u64 = 5;

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "fetchAllScanGroups" => records::list(call, world, ScanGroups),
        "fetchScanGroupById" => records::read(call, world, ScanGroups),
        "updateScanGroup" => upload(call, world),
        _ => return None,
    })
}

/// The file needs the columns that the group names. It is processed a little later.
fn upload(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let id = call.id_of(0, world, ScanGroups)?;
    let group = call.record_of(0, world, ScanGroups)?.clone();
    let parts = files::form_parts(call)?;
    let file = parts
        .iter()
        .find(|it| it.name == "csv")
        .ok_or_else(|| bad_request("The part csv is missing"))?;
    let table = String::from_utf8_lossy(file.bytes);
    let mut lines = table.lines().filter(|it| !it.trim().is_empty());
    let header = lines.next().unwrap_or_default();
    if let Some(missing) = missing_column(&group, header) {
        return Err(bad_request(&format!("The file has no column {missing}")));
    }
    let records = lines.count();
    let now = world.now();
    let changes = json!({
        "fileName": file.file_name.as_deref().unwrap_or("upload.csv"),
        "status": "IN_PROGRESS",
        "lastFileUploadDate": time(now),
        "recordsProcessed": 0,
    });
    let group = records::update_from(world, ScanGroups, &id, record(changes))?;
    world.at(
        now + PROCESSING_SECONDS,
        Box::new(move |world| {
            let done = record(json!({"status": "COMPLETE", "recordsProcessed": records}));
            // The group may be gone by then.
            let _ = records::update_from(world, ScanGroups, &id, done);
        }),
    );
    Ok(Answer::Value(Value::Object(group)))
}

fn missing_column<'a>(group: &'a Record, header: &str) -> Option<&'a str> {
    let columns: Vec<&str> = header
        .split(',')
        .map(|it| it.trim().trim_matches('"'))
        .collect();
    ["deviceIdHeader", "cveIdHeader"]
        .into_iter()
        .filter_map(|member| text(group, member))
        .find(|wanted| !columns.iter().any(|it| it.eq_ignore_ascii_case(wanted)))
}

/// RFC 3339.
fn time(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or_default();
    jiff::Timestamp::from_second(seconds)
        .unwrap_or_default()
        .to_string()
}
