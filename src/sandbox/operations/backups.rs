//! Backup jobs, integrity checks, usage and bandwidth.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered, bad_request, no_such, unknown_in_body},
    call::ApiCall,
    device_filter::{DeviceFilter, is_at},
    filter_terms::{FilterError, FilterOperator, FilterTerm, parse_terms},
    response::SandboxResponse,
    time_text::parse_time,
    world::{Collection, Record, RecordId, WorldData, add_totals, integer, record, text},
};

use super::{devices, organizations};

use Collection::{BackupJobs, Devices, IntegrityCheckJobs, Locations, Organizations};

/// How long an integrity check takes.
const CHECK_SECONDS: u64 = 600;

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getBackupJobs" => jobs(call, world, BackupJobs),
        "getIntegrityCheckJobs" => jobs(call, world, IntegrityCheckJobs),
        "submitIntegrityCheckJob" => check(call, world),
        "setBandwidthThrottleForDevice" => throttle(call, world),
        "getDeviceUsage" => Ok(device_usage(call, world)),
        "getLocationUsage" => location_usage(call, world),
        "getOrganizationLocationUsage" => locations_usage(call, world),
        _ => return None,
    })
}

/// Of devices that are there, of deleted ones, or of both.
fn jobs(call: &ApiCall<'_>, world: &WorldData, of: Collection) -> Answered {
    let include = call.query("include").unwrap_or("active");
    if !["active", "deleted", "all"].contains(&include) {
        return Err(bad_request("include is active, deleted or all"));
    }
    let active = devices::filter(call)?;
    let deleted = deleted_filter(call)?;
    let conditions = job_conditions(call).map_err(|error| bad_request(&error.to_string()))?;
    let is_of_device = |job: &Record| {
        let id = integer(job, "deviceId").map(RecordId::from);
        let device = id.and_then(|it| world.get(Devices, &it));
        device.is_some_and(|device| {
            include != "deleted" && active.matches(world, device)
                || include != "active" && is_deleted(device) && deleted.matches(world, device)
        })
    };
    let rows = world
        .all(of)
        .filter(|job| conditions.iter().all(|it| holds(it, job)) && is_of_device(job));
    Ok(Answer::report(rows.cloned().map(Value::Object).collect()))
}

fn is_deleted(device: &Record) -> bool {
    text(device, "approvalStatus") == Some("DECOMMISSIONED")
}

/// `ddf`: like `df`, among the devices that were decommissioned.
fn deleted_filter(call: &ApiCall<'_>) -> Result<DeviceFilter, SandboxResponse> {
    let given = call.query("ddf").unwrap_or_default().trim();
    let filter = if given.is_empty() {
        "status = DECOMMISSIONED".to_owned()
    } else {
        format!("{given} AND status = DECOMMISSIONED")
    };
    DeviceFilter::parse(&filter).map_err(|error| bad_request(&error.to_string()))
}

/// What `sf`, `ptf` and `stf` ask for: each is about one field.
fn job_conditions(call: &ApiCall<'_>) -> Result<Vec<FilterTerm>, FilterError> {
    let mut conditions = Vec::new();
    for (parameter, field) in [("sf", "status"), ("ptf", "plantype"), ("stf", "starttime")] {
        for term in parse_terms(call.query(parameter).unwrap_or_default())? {
            let is_time = field == "starttime";
            let is_understood = match term.operator {
                FilterOperator::In | FilterOperator::NotIn => !is_time || term.values.len() == 1,
                FilterOperator::Before | FilterOperator::After => is_time,
                FilterOperator::Between => is_time && term.values.len() == 2,
                FilterOperator::Bare | FilterOperator::Of => false,
            };
            let has_times = !is_time || term.values.iter().all(|it| parse_time(it).is_some());
            if term.field != field || !is_understood || !has_times {
                return Err(FilterError(format!(
                    "there is no such condition for '{}' in {parameter}",
                    term.field
                )));
            }
            conditions.push(term);
        }
    }
    Ok(conditions)
}

fn holds(term: &FilterTerm, job: &Record) -> bool {
    let member = match &*term.field {
        "status" => "jobStatus",
        "plantype" => "planType",
        _ => return is_started(term, integer(job, "jobStartTime").unwrap_or_default()),
    };
    let is_one = text(job, member).is_some_and(|it| term.values.iter().any(|value| value == it));
    is_one == (term.operator == FilterOperator::In)
}

fn is_started(term: &FilterTerm, at: u64) -> bool {
    let times: Vec<_> = term.values.iter().filter_map(|it| parse_time(it)).collect();
    match (term.operator, &*times) {
        (FilterOperator::Between, [from, to]) => (from.start..=to.start).contains(&at),
        (operator, [time]) => is_at(at, operator, time),
        _ => false,
    }
}

/// Checks the newest job of a plan. It takes a while.
fn check(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let body = call.members();
    let device = integer(&body, "deviceId").map(RecordId::from);
    let device = device
        .filter(|it| world.get(Devices, it).is_some())
        .ok_or_else(|| unknown_in_body(Devices))?;
    let (device, plan) = (device.to_value(), body.get("planUid"));
    let newest = world
        .all(BackupJobs)
        .filter(|it| it.get("deviceId") == Some(&device) && it.get("planGuid") == plan)
        .max_by_key(|it| integer(it, "jobStartTime"))
        .cloned();
    let Some(mut job) = newest else {
        let failure = json!({"result": "FAILURE", "deviceId": device, "planGuid": plan});
        return Ok(Answer::Value(failure));
    };
    let now = world.now();
    job.insert(
        "sourceJobId".to_owned(),
        job.get("jobId").cloned().unwrap_or_default(),
    );
    job.insert("jobStatus".to_owned(), "PROCESSING".into());
    job.insert("jobStartTime".to_owned(), now.into());
    job.insert("jobEndTime".to_owned(), (now + CHECK_SECONDS).into());
    let job = world.create(IntegrityCheckJobs, job)?;
    let id = RecordId::from(text(&job, "jobId").unwrap_or_default());
    world.at(
        now + CHECK_SECONDS,
        Box::new(move |world| {
            if let Some(job) = world.get_mut(IntegrityCheckJobs, &id) {
                job.insert("jobStatus".to_owned(), "COMPLETED".into());
            }
        }),
    );
    Ok(Answer::Value(json!({
        "result": "SUCCESS",
        "jobUid": job.get("jobId"),
        "deviceId": device,
        "planGuid": plan,
        "planName": job.get("planName"),
        "planType": job.get("planType"),
    })))
}

fn throttle(call: &ApiCall<'_>, world: &mut WorldData) -> Answered {
    let mut body = call.members();
    let id = integer(&body, "deviceId").map(RecordId::from);
    let device = id.and_then(|id| world.get_mut(Devices, &id));
    let device = device.ok_or_else(|| unknown_in_body(Devices))?;
    let throttle = body.remove("bandwidthThrottle").unwrap_or_default();
    device.insert("backupBandwidthThrottle".to_owned(), throttle);
    Ok(Answer::Value("SUCCESS".into()))
}

/// Devices that have backups.
fn device_usage(call: &ApiCall<'_>, world: &WorldData) -> Answer {
    let with_deleted = call.request.query.is_true("includeDeletedDevices");
    let devices = world
        .all(Devices)
        .filter(|it| it.contains_key("backupUsage") && (with_deleted || !is_deleted(it)));
    let rows = devices.map(|it| devices::shown(world, it));
    Answer::report(rows.collect())
}

fn location_usage(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let id = organizations::location_of(call, world, 1)?;
    let location = world
        .get(Locations, &id)
        .ok_or_else(|| no_such(Locations))?;
    Ok(Answer::Value(usage_of(world, location)))
}

fn locations_usage(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let organization = call.id_of(0, world, Organizations)?.to_value();
    let own = world
        .all(Locations)
        .filter(|it| it.get("organizationId") == Some(&organization));
    Ok(Answer::list(own.map(|it| usage_of(world, it))))
}

/// The sizes of a location are the sums of those of its devices, its last jobs the newest.
fn usage_of(world: &WorldData, location: &Record) -> Value {
    let organization = integer(location, "organizationId").map(RecordId::from);
    let organization = organization.and_then(|it| world.get(Organizations, &it));
    let mut usage = record(json!({
        "locationId": location.get("id"),
        "locationName": location.get("name"),
        "locationDescription": location.get("description"),
        "organizationId": location.get("organizationId"),
        "organizationName": organization.and_then(|it| it.get("name")),
    }));
    let own = world
        .all(Devices)
        .filter(|it| it.get("locationId") == location.get("id"));
    for of_device in own.filter_map(|it| it.get("backupUsage")?.as_object()) {
        for (member, size) in of_device {
            let (size, sum) = (
                size.as_u64().unwrap_or_default(),
                integer(&usage, member).unwrap_or_default(),
            );
            let combined = if member.ends_with("Job") {
                size.max(sum)
            } else {
                size + sum
            };
            usage.insert(member.clone(), combined.into());
        }
    }
    add_totals(&mut usage);
    Value::Object(usage)
}
