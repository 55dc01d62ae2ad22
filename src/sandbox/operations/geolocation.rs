//! Where mobile devices were. What the answer looks like is not published: its members are invented.

use serde_json::json;

use crate::sandbox::{
    answer::{Answer, Answered, Report, bad_request, no_such},
    call::ApiCall,
    seeded_rng::hash,
    world::{Collection, WorldData, integer, text},
};

use super::row_filter::time;

const MOBILE: [&str; 4] = ["ANDROID", "APPLE_IOS", "APPLE_IPADOS", "MANAGED_DEVICE"];

/// The longest time that can be asked about.
const WINDOW_SECONDS: u64 = 7 * 86_400;

/// Time between two places.
const STEP_SECONDS: u64 = 1_800;

const PAGE_ROWS: std::ops::RangeInclusive<u64> = 10..=500;

/// A place in the sea that has no owner.
const LATITUDE: f64 = 0.5;

const LONGITUDE: f64 = -0.5;

/// Steps of a ten-thousandth of a degree around it.
const SPREAD: u64 = 400;

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    (&*call.operation.id == "getDeviceGeolocationHistory").then(|| history(call, world))
}

/// Newest first.
fn history(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let device = call.record_of(0, world, Collection::Devices)?;
    if !text(device, "nodeClass").is_some_and(|it| MOBILE.contains(&it)) {
        return Err(no_such(Collection::Devices));
    }
    let before = time(call, "before")?.unwrap_or_else(|| world.now());
    let after = time(call, "after")?.unwrap_or_else(|| before.saturating_sub(WINDOW_SECONDS));
    if after > before || before - after > WINDOW_SECONDS {
        return Err(bad_request("The time window cannot exceed 7 days"));
    }
    let size = call.request.query.number("pageSize");
    if call.query("pageSize").is_some() && !size.is_some_and(|it| PAGE_ROWS.contains(&it)) {
        return Err(bad_request("pageSize is from 10 to 500"));
    }
    // No place is known before the device was enrolled, or after now.
    let first = after
        .max(integer(device, "created").unwrap_or_default())
        .div_ceil(STEP_SECONDS);
    let last = before.min(world.now()) / STEP_SECONDS;
    let key = format!(
        "places of {}",
        device.get("id").cloned().unwrap_or_default()
    );
    let seed = hash(call.seed, &key);
    Ok(Answer::Report(Report {
        total: usize::try_from((last + 1).saturating_sub(first)).unwrap_or_default(),
        row: Box::new(move |index| {
            let step = last - index as u64;
            let off = |what: &str| {
                f64::from(
                    u32::try_from(hash(seed, &format!("{what} {step}")) % SPREAD)
                        .unwrap_or_default(),
                ) / 10_000.0
            };
            json!({
                "timestamp": step * STEP_SECONDS,
                "latitude": LATITUDE + off("north"),
                "longitude": LONGITUDE + off("east"),
                "accuracy": 5 + hash(seed, &step.to_string()) % 60,
            })
        }),
    }))
}
