//! The programs on a device: so many that no world keeps them. They are made when they are asked for.

use serde_json::{Value, json};

use crate::sandbox::{
    seeded_rng::{hash, mix, uuid},
    time_text::date_time,
};

use super::{Record, clock::NOW_SECONDS, device_parts::list, integer, text};

const DAY: u64 = 86_400;

/// Programs were installed within so many days.
const DAYS: u64 = 700;

/// What a device's programs depend on.
pub(in crate::sandbox) struct Programs {
    pub(in crate::sandbox) device: u64,
    seed: u64,
    is_windows: bool,
}

impl Programs {
    /// Of a device with an agent; others show none.
    pub(in crate::sandbox) fn of(device: &Record, seed: u64) -> Option<Self> {
        if text(device, "deviceType") != Some("AgentDevice") {
            return None;
        }
        let device_id = integer(device, "id")?;
        Some(Self {
            device: device_id,
            seed: hash(seed, &format!("programs of {device_id}")),
            is_windows: text(device, "nodeClass").is_some_and(|it| it.starts_with("WINDOWS")),
        })
    }

    /// As many on each device.
    pub(in crate::sandbox) fn count() -> usize {
        list("/programs").len() * list("/components").len()
    }

    /// In seconds since 1970.
    pub(in crate::sandbox) fn installed_at(&self, index: usize) -> u64 {
        NOW_SECONDS - DAY * (self.number(index) % DAYS)
    }

    pub(in crate::sandbox) fn get(&self, index: usize) -> Value {
        let (programs, components) = (list("/programs"), list("/components"));
        let part = |list: &'static [Value], index: usize| list.get(index).unwrap_or(&Value::Null);
        let program = part(
            programs,
            index.checked_rem(programs.len()).unwrap_or_default(),
        );
        let component = part(
            components,
            index.checked_div(programs.len()).unwrap_or_default(),
        );
        let named = |value: &'static Value| value.as_str().unwrap_or_default();
        let base = named(&program[0]);
        let name = format!("{base} {}", named(component));
        let number = self.number(index);
        let location = if self.is_windows {
            format!("C:\\Program Files\\{base}")
        } else {
            format!("/opt/{}", base.to_lowercase().replace(' ', "-"))
        };
        json!({
            "name": name.trim_end(),
            "publisher": &program[1],
            "version": format!("{}.{}.{}", 1 + number % 20, number / 32 % 10, number / 512 % 100),
            "installDate": date_time(self.installed_at(index)),
            "location": location,
            "size": 1_000_000 + number % 400_000_000,
            "productCode": format!("{{{}}}", uuid(hash(0, &name)).to_uppercase()),
            "isSystemComponent": named(component).starts_with("Helper"),
        })
    }

    const fn number(&self, index: usize) -> u64 {
        mix(self.seed ^ mix(index as u64))
    }
}
