//! Backups of a new world: who has any, the jobs of the last days, and how much is kept.

use serde_json::{Value, json};

use crate::sandbox::seeded_rng::{SeededRng, hash, uuid};

use super::{
    Collection, Record, RecordId, WorldData,
    clock::NOW_SECONDS,
    record::{integer, record, text},
};

const DAY: u64 = 86_400;

const MIB: u64 = 1 << 20;

/// Jobs of each plan, one a day.
const JOBS: u64 = 5;

struct BackupPlan {
    /// Of the devices that have it.
    class: &'static str,
    name: &'static str,
    kind: &'static str,
    /// The members of a usage that tell the size in the cloud and at the site.
    sizes: [&'static str; 2],
}

const FILES: [&str; 2] = ["cloudFileFolderSize", "localFileFolderSize"];

const PLANS: [BackupPlan; 3] = [
    BackupPlan {
        class: "WINDOWS_SERVER",
        name: "Server image",
        kind: "IMAGE",
        sizes: ["cloudImageV2Size", "localImageV2Size"],
    },
    BackupPlan {
        class: "LINUX_SERVER",
        name: "Server files",
        kind: "FILE_FOLDER",
        sizes: FILES,
    },
    BackupPlan {
        class: "MAC",
        name: "User files",
        kind: "FILE_FOLDER",
        sizes: FILES,
    },
];

pub(super) fn create_backups(world: &mut WorldData) {
    let devices: Vec<Record> = world.all(Collection::Devices).cloned().collect();
    for device in devices {
        let plan = PLANS
            .iter()
            .find(|it| text(&device, "nodeClass") == Some(it.class));
        let (Some(plan), Some(id)) = (plan, integer(&device, "id").map(RecordId::from)) else {
            continue;
        };
        let [cloud, local] = plan.sizes;
        let mut rng = SeededRng::new(hash(world.seed, &format!("backups of {id}")));
        let mut usage = record(json!({
            cloud: MIB * u64::from(20_000 + rng.below(200_000)),
            local: MIB * u64::from(20_000 + rng.below(200_000)),
            "revisionsCurrentSize": MIB * u64::from(20_000 + rng.below(100_000)),
            "revisionsPreviousSize": MIB * u64::from(1_000 + rng.below(20_000)),
            "revisionsDeletedSize": MIB * u64::from(rng.below(1_000)),
        }));
        add_totals(&mut usage);
        for job in jobs(&mut rng, &device, plan) {
            let member = if text(&job, "jobStatus") == Some("COMPLETED") {
                "lastSuccessfulBackupJob"
            } else {
                "lastFailedBackupJob"
            };
            usage.insert(
                member.to_owned(),
                job.get("jobEndTime").cloned().unwrap_or_default(),
            );
            // A new world has room.
            let _ = world.put(Collection::BackupJobs, job);
        }
        if let Some(device) = world.get_mut(Collection::Devices, &id) {
            device.insert("backupUsage".to_owned(), Value::Object(usage));
        }
    }
    create_checks(world);
}

/// Oldest first.
fn jobs(rng: &mut SeededRng, device: &Record, plan: &BackupPlan) -> Vec<Record> {
    let of_device = uuid(rng.next_u64());
    let mut source = uuid(rng.next_u64());
    let days = (1..=JOBS).rev();
    let jobs = days.map(|day| {
        let id = rng.uuid();
        let start = NOW_SECONDS - day * DAY + u64::from(rng.below(7_200));
        let end = start + 600 + u64::from(rng.below(3_600));
        let bytes = MIB * u64::from(100 + rng.below(4_000));
        let files = 10 + rng.below(4_000);
        let has_failed = rng.below(6) == 0;
        let status = if has_failed { "FAILED" } else { "COMPLETED" };
        let job = record(json!({
            "jobId": id,
            "sourceJobId": source,
            "jobStartTime": start,
            "jobEndTime": end,
            "jobStatus": status,
            "destination": "CLOUD",
            "planGuid": of_device,
            "planName": plan.name,
            "planType": plan.kind,
            "totalActualStorageBytes": bytes,
            "totalStoredBytes": bytes / 2,
            "filesUploaded": files,
            "organizationId": device.get("organizationId"),
            "locationId": device.get("locationId"),
            "deviceId": device.get("id"),
            "upsyncJob": {
                "startTime": start,
                "endTime": end,
                "status": status,
                "filesUploaded": files,
                "bytesUploaded": bytes / 2,
            },
        }));
        source = id;
        job
    });
    jobs.collect()
}

/// The newest job of each server's plan was checked.
fn create_checks(world: &mut WorldData) {
    let newest: Vec<Record> = world
        .all(Collection::BackupJobs)
        .filter(|it| text(it, "planType") == Some("IMAGE"))
        .filter(|it| integer(it, "jobStartTime").is_some_and(|at| at >= NOW_SECONDS - DAY))
        .cloned()
        .collect();
    for mut job in newest {
        let checked = job.get("jobId").cloned().unwrap_or_default();
        let id = uuid(hash(world.seed, &format!("check of {checked}")));
        job.insert("sourceJobId".to_owned(), checked);
        job.insert("jobId".to_owned(), id.into());
        job.insert("jobStatus".to_owned(), "COMPLETED".into());
        let _ = world.put(Collection::IntegrityCheckJobs, job);
    }
}

/// The sums of the sizes that a usage has.
pub(in crate::sandbox) fn add_totals(usage: &mut Record) {
    for (total, members) in [
        (
            "revisionsTotalSize",
            &[
                "revisionsCurrentSize",
                "revisionsPreviousSize",
                "revisionsDeletedSize",
            ][..],
        ),
        (
            "cloudTotalSize",
            &[
                "cloudFileFolderSize",
                "cloudImageSize",
                "cloudImageV2Size",
                "cloudNetworkShareSize",
            ],
        ),
        (
            "localTotalSize",
            &["localFileFolderSize", "localImageSize", "localImageV2Size"],
        ),
    ] {
        let sum: u64 = members.iter().filter_map(|it| integer(usage, it)).sum();
        usage.insert(total.to_owned(), sum.into());
    }
}
