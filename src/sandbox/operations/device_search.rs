//! The search for devices by what they are called.

use serde_json::{Value, json};

use crate::sandbox::{
    answer::{Answer, Answered},
    call::ApiCall,
    device_filter::DeviceFilter,
    world::{Collection, Record, WorldData},
};

use super::devices::shown;

/// What is searched. The first one that matches is shown.
const ATTRIBUTES: [&str; 9] = [
    "systemName",
    "displayName",
    "dnsName",
    "netbiosName",
    "lastLoggedInUser",
    "ipAddresses",
    "publicIP",
    "macAddresses",
    "serialNumber",
];

/// The score of a value that is the text, begins with it, or contains it. Invented: only the member is known.
const SCORES: [u32; 3] = [100, 75, 50];

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    (&*call.operation.id == "search").then(|| Ok(search(call, world)))
}

/// Approved devices, best match first; none without a text.
fn search(call: &ApiCall<'_>, world: &WorldData) -> Answer {
    let query = call.query("q").unwrap_or_default();
    let wanted = query.to_lowercase();
    let approved = DeviceFilter::parse("").ok();
    let mut matches: Vec<DeviceMatch<'_>> = world
        .all(Collection::Devices)
        .filter(|it| {
            !wanted.is_empty() && approved.as_ref().is_some_and(|all| all.matches(world, it))
        })
        .filter_map(|it| best_match(it, &wanted))
        .collect();
    matches.sort_by_key(|it| std::cmp::Reverse(it.score));
    let limit = call.request.query.number("limit");
    let limit = limit
        .and_then(|it| usize::try_from(it).ok())
        .unwrap_or(usize::MAX);
    let devices: Vec<Value> = matches
        .iter()
        .take(limit)
        .map(|it| it.shown(world))
        .collect();
    Answer::Value(json!({"query": query, "devices": devices}))
}

struct DeviceMatch<'w> {
    device: &'w Record,
    score: u32,
    attribute: &'static str,
    value: &'w str,
}

impl DeviceMatch<'_> {
    fn shown(&self, world: &WorldData) -> Value {
        let mut device = shown(world, self.device);
        if let Value::Object(members) = &mut device {
            members.insert("score".to_owned(), self.score.into());
            members.insert("matchAttr".to_owned(), self.attribute.into());
            members.insert("matchAttrValue".to_owned(), self.value.into());
        }
        device
    }
}

fn best_match<'w>(device: &'w Record, wanted: &str) -> Option<DeviceMatch<'w>> {
    let matches = ATTRIBUTES.iter().flat_map(|attribute| {
        values(device, attribute).into_iter().filter_map(|value| {
            let score = score(value, wanted)?;
            Some(DeviceMatch {
                device,
                score,
                attribute,
                value,
            })
        })
    });
    // The first of the best.
    matches.reduce(|best, next| if next.score > best.score { next } else { best })
}

fn values<'w>(device: &'w Record, attribute: &str) -> Vec<&'w str> {
    match device
        .get(attribute)
        .or_else(|| device.get("system")?.get(attribute))
    {
        Some(Value::String(value)) => vec![value],
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn score(value: &str, wanted: &str) -> Option<u32> {
    let value = value.to_lowercase();
    let [exact, beginning, within] = SCORES;
    if value == wanted {
        Some(exact)
    } else if value.starts_with(wanted) {
        Some(beginning)
    } else {
        value.contains(wanted).then_some(within)
    }
}
