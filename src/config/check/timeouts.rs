//! Checks `[timeouts]`.

use crate::config::{
    TimeoutConfig, read::key_path::KeyPath, settings::timeouts::TimeoutSettings, value::byte_rate,
};

use super::Checker;

impl Checker<'_> {
    pub(super) fn timeouts(&mut self, settings: &TimeoutSettings) -> TimeoutConfig {
        let TimeoutSettings {
            resolve,
            connect,
            first_byte,
            idle,
            body_rate,
            body_total,
        } = settings;
        let top = KeyPath::from_keys(&["timeouts"]);
        TimeoutConfig {
            resolve: self.duration(&top.child("resolve"), resolve),
            connect: self.duration(&top.child("connect"), connect),
            first_byte: self.duration(&top.child("first_byte"), first_byte),
            idle: self.duration(&top.child("idle"), idle),
            body_rate_min: self.byte_rate(&top.child("body_rate"), body_rate),
            body_total: self.duration(&top.child("body_total"), body_total),
        }
    }

    fn byte_rate(&mut self, path: &KeyPath, text: &str) -> u64 {
        match byte_rate::parse(text) {
            Ok(bytes) => return bytes,
            Err(error) => self.error(path, error),
        }
        1
    }
}
