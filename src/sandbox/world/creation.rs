//! Fills a new world: the same seed gives the same world. Ids and names are fixed; the seed decides who is offline and since
//! when, what happened, and every uid and serial number.

use serde_json::json;

use crate::sandbox::seeded_rng::SeededRng;

use super::{
    Collection, WorldData,
    backups::create_backups,
    clock::NOW_SECONDS,
    device_parts::equip_devices,
    devices::{DEVICES, FIRST_DEVICE, create_devices},
    record::{integer, record, text},
    seed,
};

const FIRST_ACTIVITY: u64 = 5_001;

const ACTIVITIES: u64 = 480;

/// Time between two activities of a new world.
const ACTIVITY_SECONDS: u64 = 600;

const ALERTS: u32 = 7;

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
        "TRIGGERED",
        "Triggered",
        "A condition was met.",
    ),
    (
        "ACTIONSET",
        "COMPLETED",
        "Completed",
        "The scheduled automation has completed.",
    ),
];

pub(super) fn fill(world: &mut WorldData) {
    seed::fill(world);
    let mut rng = SeededRng::new(world.seed);
    create_devices(world, &mut rng);
    equip_devices(world);
    create_backups(world);
    create_alerts(world, &mut rng);
    create_activities(world, &mut rng);
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

fn create_alerts(world: &mut WorldData, rng: &mut SeededRng) {
    for (_, &(source_type, severity, priority, source_name, message)) in
        (0..ALERTS).zip(ALERT_KINDS.iter().cycle())
    {
        let since = NOW_SECONDS - u64::from(600 + rng.below(200_000));
        let alert = json!({
            "uid": rng.uuid(),
            "deviceId": some_device(rng),
            "message": message,
            "createTime": since,
            "updateTime": since + 60,
            "sourceType": source_type,
            "sourceName": source_name,
            "subject": source_name,
            "conditionName": source_name,
            "severity": severity,
            "priority": priority,
            "conditionHealthStatus": "NEEDS_ATTENTION",
        });
        // A new world has room.
        let _ = world.put(Collection::Alerts, record(alert));
    }
}

fn create_activities(world: &mut WorldData, rng: &mut SeededRng) {
    for index in 0..ACTIVITIES {
        let (kind, status_code, status, message) = ACTIVITY_KINDS
            .get(rng.below(4) as usize)
            .copied()
            .unwrap_or_default();
        let activity = json!({
            "id": FIRST_ACTIVITY + index,
            "activityTime": NOW_SECONDS - (ACTIVITIES - index) * ACTIVITY_SECONDS,
            "deviceId": some_device(rng),
            "activityType": kind,
            "statusCode": status_code,
            "status": status,
            "type": status,
            "activityResult": "SUCCESS",
            "subject": status,
            "message": message,
        });
        let _ = world.put(Collection::Activities, record(activity));
    }
}
