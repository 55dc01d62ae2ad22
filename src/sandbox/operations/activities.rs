//! What happened, newest first, and the jobs that are running.

use std::{cmp::Reverse, collections::HashSet};

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, bad_request},
    call::ApiCall,
    response::SandboxResponse,
    time_text::parse_time,
    world::{
        Collection, NewActivity, Record, RecordId, WorldData, in_words, integer, record, text,
    },
};

use super::devices;

use Collection::{Activities, Devices, Jobs};

const PAGE_SIZE: u64 = 200;

const PAGE_SIZE_MAX: u64 = 1_000;

/// Whoever logs in at the sandbox is this user.
const USER: u64 = 1;

/// Beginnings of the status codes of what people do to accounts.
const OF_USERS: [&str; 3] = ["APP_USER", "END_USER", "CONTACT"];

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getActivities" => all(call, world),
        "getDeviceActivities" => of_device(call, world),
        "getActiveJobs" => jobs(call, world),
        "getDeviceActiveJobs" => device_jobs(call, world),
        _ => return None,
    })
}

/// Who makes a request: `None` without the context of a user.
pub(super) fn acting_user(call: &ApiCall<'_>) -> Option<u64> {
    call.bearer.user_context.then_some(USER)
}

/// Records a change that no device made.
pub(super) fn record_change(
    call: &ApiCall<'_>,
    world: &mut WorldData,
    code: &str,
    subject: &str,
    device_id: Option<u64>,
) -> Record {
    let status = in_words(code);
    world.add_activity(NewActivity {
        device_id,
        kind: if code.starts_with("NINJA_TICKETING") {
            "NINJA_TICKETING"
        } else {
            "SYSTEM"
        },
        status_code: code,
        status: &status,
        subject,
        message: &format!("{status}: {subject}"),
        more: record(json!({"userId": acting_user(call), "activityResult": "SUCCESS"})),
    })
}

/// Records a change of a device that is made at once.
pub(super) fn record_device_change(
    call: &ApiCall<'_>,
    world: &mut WorldData,
    code: &str,
    device: &RecordId,
    message: &str,
) {
    let device_id = world
        .get(Devices, device)
        .and_then(|device| integer(device, "id"));
    world.add_activity(NewActivity {
        device_id,
        kind: "SYSTEM",
        status_code: code,
        status: &in_words(code),
        subject: message,
        message,
        more: record(json!({"userId": acting_user(call), "activityResult": "SUCCESS"})),
    });
}

/// The ids of the devices that `df` chooses; `None`: there is no filter.
///
/// # Errors
/// 400: the filter is malformed.
pub(super) fn chosen_devices(
    call: &ApiCall<'_>,
    world: &WorldData,
) -> Result<Option<HashSet<u64>>, SandboxResponse> {
    if call.query("df").is_none_or(|it| it.trim().is_empty()) {
        return Ok(None);
    }
    let ids = devices::filtered(call, world)?.filter_map(|it| integer(it, "id"));
    Ok(Some(ids.collect()))
}

pub(super) fn is_of(record: &Record, chosen: Option<&HashSet<u64>>) -> bool {
    chosen.is_none_or(|ids| integer(record, "deviceId").is_some_and(|id| ids.contains(&id)))
}

/// Whether a record's text is one of a list such as `STARTED,COMPLETED` in the query.
pub(super) fn is_one_of(record: &Record, member: &str, wanted: Option<&str>) -> bool {
    let value = text(record, member).unwrap_or_default();
    wanted.is_none_or(|list| {
        list.split(',')
            .any(|it| it.trim().eq_ignore_ascii_case(value))
    })
}

fn all(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let chosen = chosen_devices(call, world)?;
    let class = call.query("class").unwrap_or("ALL");
    if !["SYSTEM", "DEVICE", "USER", "ALL"].contains(&class) {
        return Err(bad_request("The class is SYSTEM, DEVICE, USER or ALL"));
    }
    let before = time(call, "before")?;
    let after = time(call, "after")?;
    let users = call.query("user").map(|list| user_ids(world, list));
    let fits = |it: &Record| {
        let at = integer(it, "activityTime").unwrap_or_default();
        is_of(it, chosen.as_ref())
            && (class == "ALL" || class == class_of(it))
            && before.is_none_or(|limit| at < limit)
            && after.is_none_or(|limit| at > limit)
            && is_one_of(it, "activityType", call.query("type"))
            && is_one_of(it, "sourceConfigUid", call.query("sourceConfigUid"))
            && users
                .as_ref()
                .is_none_or(|ids| integer(it, "userId").is_some_and(|id| ids.contains(&id)))
    };
    let (activities, last) = page(call, world, fits);
    Ok(Answer::Value(
        json!({"lastActivityId": last, "activities": activities}),
    ))
}

fn of_device(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let device = integer(call.record_of(0, world, Devices)?, "id");
    let is_own = |it: &Record| integer(it, "deviceId") == device;
    let (activities, last) = page(call, world, |it| {
        is_own(it) && is_one_of(it, "activityType", call.query("activityType"))
    });
    let newest = world
        .all(Activities)
        .rev()
        .find(|it| is_own(it))
        .and_then(|it| integer(it, "id"));
    Ok(Answer::Value(json!({
        "lastActivityId": last,
        "lastNodeActivityId": newest,
        "activities": activities,
    })))
}

fn class_of(activity: &Record) -> &'static str {
    let code = text(activity, "statusCode").unwrap_or_default();
    if OF_USERS.iter().any(|it| code.starts_with(it)) {
        "USER"
    } else if activity.contains_key("deviceId") {
        "DEVICE"
    } else {
        "SYSTEM"
    }
}

/// Those that fit, newest first, and the id of the newest. The page after `newerThan` begins right after it, so that a client that
/// follows `lastActivityId` misses none.
fn page(
    call: &ApiCall<'_>,
    world: &WorldData,
    fits: impl Fn(&Record) -> bool,
) -> (Vec<Value>, Option<u64>) {
    let number = |name| call.request.query.number(name);
    let (newer, older) = (number("newerThan"), number("olderThan"));
    let size = number("pageSize")
        .unwrap_or(PAGE_SIZE)
        .clamp(1, PAGE_SIZE_MAX);
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let id = |it: &Record| integer(it, "id").unwrap_or_default();
    let fits = |it: &&Record| {
        newer.is_none_or(|limit| id(it) > limit)
            && older.is_none_or(|limit| id(it) < limit)
            && is_one_of(it, "statusCode", call.query("status"))
            && is_one_of(it, "seriesUid", call.query("seriesUid"))
            && fits(it)
    };
    let mut found: Vec<&Record> = if newer.is_some() {
        world.all(Activities).filter(fits).take(size).collect()
    } else {
        world
            .all(Activities)
            .rev()
            .filter(fits)
            .take(size)
            .collect()
    };
    found.sort_unstable_by_key(|it| Reverse(id(it)));
    let newest = world.all(Activities).next_back().map(id);
    let last = found.first().map(|it| id(it)).or(newer).or(newest);
    let found = found.into_iter().cloned().map(Value::Object).collect();
    (found, last)
}

/// The start of what a query says.
fn time(call: &ApiCall<'_>, name: &str) -> Result<Option<u64>, SandboxResponse> {
    let Some(given) = call.query(name).filter(|it| !it.is_empty()) else {
        return Ok(None);
    };
    match parse_time(given) {
        Some(time) => Ok(Some(time.start)),
        None => Err(bad_request(&format!("{name} is no date"))),
    }
}

/// The ids of users that are named by id or e-mail address.
fn user_ids(world: &WorldData, list: &str) -> HashSet<u64> {
    let names: Vec<&str> = list.split(',').map(str::trim).collect();
    let is_named = |user: &&Record| {
        let id = integer(user, "id").unwrap_or_default().to_string();
        let email = text(user, "email").unwrap_or_default();
        names
            .iter()
            .any(|name| *name == id || name.eq_ignore_ascii_case(email))
    };
    let users = world.all(Collection::Users).filter(is_named);
    users.filter_map(|it| integer(it, "id")).collect()
}

fn jobs(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let chosen = chosen_devices(call, world)?;
    let found = world
        .all(Jobs)
        .filter(|it| is_of(it, chosen.as_ref()) && is_one_of(it, "jobType", call.query("jobType")));
    Ok(Answer::list(found.map(|it| with_device(world, it))))
}

fn device_jobs(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let device = integer(call.record_of(0, world, Devices)?, "id");
    let own = world
        .all(Jobs)
        .filter(|it| integer(it, "deviceId") == device);
    Ok(Answer::list(own.map(|it| with_device(world, it))))
}

/// A job or an alert with its device.
pub(super) fn with_device(world: &WorldData, record: &Record) -> Value {
    let id = integer(record, "deviceId").map(RecordId::from);
    let device = id.and_then(|id| world.get(Devices, &id));
    let mut record = record.clone();
    if let Some(device) = device {
        record.insert("device".to_owned(), devices::shown(world, device));
    }
    Value::Object(record)
}
