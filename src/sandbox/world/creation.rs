//! Fills a new world: the same seed gives the same world. Ids and names are fixed; the seed decides who is offline and since
//! when, what happened, and every uid and serial number.

use serde_json::{Value, json};

use crate::sandbox::seeded_rng::SeededRng;

use super::{
    Collection, RecordId, WorldData,
    backups::create_backups,
    clock::NOW_SECONDS,
    device_parts::equip_devices,
    devices::{DEVICES, FIRST_DEVICE, create_devices},
    in_words,
    record::{integer, record, text},
    seed,
};

const FIRST_ACTIVITY: u64 = 5_001;

const ACTIVITIES: u64 = 480;

/// Time between two activities of a new world.
const ACTIVITY_SECONDS: u64 = 600;

/// The user behind what the world begins with.
const USER: u64 = 1;

/// The device that is in maintenance for some hours.
const MAINTAINED_DEVICE: u64 = 105;

/// The device that is looking for patches for an hour.
const SCANNED_DEVICE: u64 = 101;

const HOUR: u64 = 3_600;

const ALERTS: u32 = 7;

/// Activities between two alerts, on average.
const ALERT_SPACING: u32 = 47;

/// Type, severity, priority, source, message.
const ALERT_KINDS: [(&str, &str, &str, &str, &str); 3] = [
    (
        "CONDITION_AGENT_DISK_FREE_SPACE",
        "MAJOR",
        "HIGH",
        "Disk space",
        "Less than 10 % of C: is free.",
    ),
    (
        "AGENT_OFFLINE",
        "CRITICAL",
        "HIGH",
        "Down",
        "The device has been offline for more than an hour.",
    ),
    (
        "CONDITION_AGENT_CPU",
        "MODERATE",
        "MEDIUM",
        "Processor",
        "The processor has been busy for 30 minutes.",
    ),
];

/// Type, status code, status, what is said.
const ACTIVITY_KINDS: [(&str, &str, &str, &str); 4] = [
    (
        "PATCH_MANAGEMENT",
        "COMPLETED",
        "Completed",
        "The scan for patches has completed.",
    ),
    (
        "SYSTEM",
        "NODE_UPDATED",
        "Updated",
        "The inventory was updated.",
    ),
    (
        "CONDITION",
        "RESET",
        "Reset",
        "A condition is no longer met.",
    ),
    (
        "ACTIONSET",
        "COMPLETED",
        "Completed",
        "The scheduled automation has completed.",
    ),
];

/// The world of this seed.
pub(super) fn new_world(seed: u64) -> WorldData {
    let mut world = WorldData::empty(seed);
    fill(&mut world);
    world
}

fn fill(world: &mut WorldData) {
    seed::fill(world);
    let mut rng = SeededRng::new(world.seed);
    create_devices(world, &mut rng);
    equip_devices(world);
    create_backups(world);
    give_owners(world);
    create_activities(world, &mut rng);
    create_alerts(world, &mut rng);
    create_job(world, &mut rng);
    let id = RecordId::from(MAINTAINED_DEVICE);
    let reason = json!("New memory is being built in.");
    world.set_maintenance(
        &id,
        NOW_SECONDS - HOUR,
        Some(NOW_SECONDS + 4 * HOUR),
        &reason,
    );
    note_end_user(world);
}

/// The first end user has a custom field.
fn note_end_user(world: &mut WorldData) {
    let id = world
        .all(Collection::Users)
        .find(|it| text(it, "userType") == Some("END_USER"))
        .and_then(|it| integer(it, "id"));
    if let Some(id) = id {
        let notes = json!({"text": "Prefers a call.", "html": "<p>Prefers a call.</p>"});
        let values = json!({"key": format!("END_USER/{id}"), "values": {"userNotes": notes}});
        let _ = world.put(Collection::CustomFieldValues, record(values));
    }
}

fn some_device(rng: &mut SeededRng) -> u64 {
    FIRST_DEVICE + u64::from(rng.below(DEVICES))
}

/// Each device belongs to the end user of its organization.
fn give_owners(world: &mut WorldData) {
    let owners: Vec<(u64, Value)> = world
        .all(Collection::Users)
        .filter(|it| text(it, "userType") == Some("END_USER"))
        .filter_map(|it| Some((integer(it, "organizationId")?, it.get("uid")?.clone())))
        .collect();
    let devices: Vec<RecordId> = world
        .all(Collection::Devices)
        .filter_map(|it| integer(it, "id"))
        .map(RecordId::from)
        .collect();
    for id in devices {
        let Some(device) = world.get_mut(Collection::Devices, &id) else {
            continue;
        };
        let organization = integer(device, "organizationId");
        if let Some((_, uid)) = owners.iter().find(|(of, _)| Some(*of) == organization) {
            device.insert("assignedOwnerUid".to_owned(), uid.clone());
        }
    }
}

/// A device that can have such an alert: an agent, and offline if that is what the alert says.
fn alerted_device(world: &WorldData, rng: &mut SeededRng, source_type: &str) -> u64 {
    let is_offline = source_type == "AGENT_OFFLINE";
    let fitting: Vec<u64> = world
        .all(Collection::Devices)
        .filter(|it| text(it, "nodeClass").is_some_and(|it| it.starts_with("WINDOWS")))
        .filter(|it| it.get("offline") == Some(&is_offline.into()))
        .filter_map(|it| integer(it, "id"))
        .collect();
    let count = u32::try_from(fitting.len()).unwrap_or(1);
    let index = rng.below(count) as usize;
    fitting.get(index).copied().unwrap_or(FIRST_DEVICE)
}

/// Each alert has an activity of its series, in place of one that the world has at that time.
fn create_alerts(world: &mut WorldData, rng: &mut SeededRng) {
    for (turn, &(source_type, severity, priority, source_name, message)) in
        (0..ALERTS).zip(ALERT_KINDS.iter().cycle())
    {
        let step = 1 + u64::from(turn * ALERT_SPACING + rng.below(ALERT_SPACING));
        let since = NOW_SECONDS - step * ACTIVITY_SECONDS;
        let common = record(json!({
            "deviceId": alerted_device(world, rng, source_type),
            "message": message,
            "sourceConfigUid": rng.uuid(),
            "sourceName": source_name,
            "subject": source_name,
            "severity": severity,
            "priority": priority,
            "userId": USER,
            "data": {"message": {"code": "condition_triggered", "params": {"name": source_name}}},
        }));
        let uid = rng.uuid();
        let mut alert = record(json!({
            "uid": uid,
            "createTime": since,
            "updateTime": since + 60,
            "sourceType": source_type,
            "conditionName": source_name,
            "conditionHealthStatus": "NEEDS_ATTENTION",
        }));
        let mut activity = record(json!({
            "id": FIRST_ACTIVITY + ACTIVITIES - step,
            "activityTime": since,
            "activityType": "CONDITION",
            "type": "Condition",
            "statusCode": "TRIGGERED",
            "status": "Triggered",
            "activityResult": "SUCCESS",
            "seriesUid": uid,
        }));
        alert.extend(common.clone());
        activity.extend(common);
        // A new world has room.
        let _ = world.put(Collection::Alerts, alert);
        let _ = world.put(Collection::Activities, activity);
    }
}

fn create_activities(world: &mut WorldData, rng: &mut SeededRng) {
    let sources: Vec<String> = ACTIVITY_KINDS.iter().map(|_| rng.uuid()).collect();
    for index in 0..ACTIVITIES {
        let kind = rng.below(4) as usize;
        let (kind_code, status_code, status, message) =
            ACTIVITY_KINDS.get(kind).copied().unwrap_or_default();
        let activity = json!({
            "id": FIRST_ACTIVITY + index,
            "activityTime": NOW_SECONDS - (ACTIVITIES - index) * ACTIVITY_SECONDS,
            "deviceId": some_device(rng),
            "activityType": kind_code,
            "type": in_words(kind_code),
            "statusCode": status_code,
            "status": status,
            "activityResult": "SUCCESS",
            "seriesUid": rng.uuid(),
            "sourceConfigUid": sources.get(kind),
            "sourceName": in_words(kind_code),
            "userId": USER,
            "subject": status,
            "message": message,
            "data": {"message": {"code": status_code.to_lowercase(), "params": {"name": status}}},
        });
        let _ = world.put(Collection::Activities, record(activity));
    }
}

/// A job that runs for an hour.
fn create_job(world: &mut WorldData, rng: &mut SeededRng) {
    let uid = rng.uuid();
    let job = json!({
        "uid": uid,
        "deviceId": SCANNED_DEVICE,
        "message": "Scan for OS patches is running",
        "subject": "Scan for OS patches",
        "createTime": NOW_SECONDS - 60,
        "updateTime": NOW_SECONDS - 60,
        "sourceType": "SCHEDULED_TASK",
        "sourceConfigUid": rng.uuid(),
        "sourceName": "Scan for OS patches",
        "userId": USER,
        "jobStatus": "IN_PROCESS",
        "jobResult": "UNCOMPLETED",
        "jobType": "PATCH_MANAGEMENT",
    });
    let _ = world.put(Collection::Jobs, record(job));
    let end = move |world: &mut WorldData| {
        world.remove(Collection::Jobs, &RecordId::from(&*uid));
    };
    world.at(NOW_SECONDS + HOUR, Box::new(end));
}
