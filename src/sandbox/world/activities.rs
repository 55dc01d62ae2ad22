//! What happened in the world, newest last.

use serde_json::{Value, json};

use crate::sandbox::seeded_rng;

use super::{
    Collection, Record, WorldData,
    record::{integer, record},
};

/// What is kept of the message of an activity that is too large as a whole.
const CUT_MESSAGE_CHARACTERS: usize = 1_000;

/// An activity that is being recorded.
pub(in crate::sandbox) struct NewActivity<'a> {
    /// `None`: of no device.
    pub(in crate::sandbox) device_id: Option<u64>,
    /// Of the enumeration of `activityType`.
    pub(in crate::sandbox) kind: &'a str,
    /// Of the enumeration of `statusCode`.
    pub(in crate::sandbox) status_code: &'a str,
    pub(in crate::sandbox) status: &'a str,
    pub(in crate::sandbox) subject: &'a str,
    pub(in crate::sandbox) message: &'a str,
    /// Further members, or other values.
    pub(in crate::sandbox) more: Record,
}

impl WorldData {
    /// Records an activity that happens now, and returns it.
    pub(in crate::sandbox) fn add_activity(&mut self, activity: NewActivity<'_>) -> Record {
        let mut record = record(json!({
            "activityTime": self.now(),
            "activityType": activity.kind,
            "statusCode": activity.status_code,
            "status": activity.status,
            "subject": activity.subject,
            "message": activity.message,
            "type": in_words(activity.kind),
        }));
        if let Some(id) = activity.device_id {
            record.insert("deviceId".to_owned(), id.into());
        }
        record.extend(activity.more);
        let whole = self.create(Collection::Activities, record.clone());
        whole.unwrap_or_else(|_| {
            // Nothing happens unrecorded, however much a client had to say of it.
            record.remove("data");
            let message: String = activity
                .message
                .chars()
                .take(CUT_MESSAGE_CHARACTERS)
                .collect();
            record.insert("message".to_owned(), message.into());
            self.create(Collection::Activities, record)
                .unwrap_or_default()
        })
    }

    /// A uid that no other series of activities has.
    pub(in crate::sandbox) fn new_uid(&self, of: &str) -> Value {
        let last = self.all(Collection::Activities).next_back();
        let last = last.and_then(|it| integer(it, "id"));
        let key = format!("{of} {} {last:?}", self.now());
        seeded_rng::uuid(seeded_rng::hash(self.seed, &key)).into()
    }
}

/// `PATCH_MANAGEMENT` is "Patch management".
pub(in crate::sandbox) fn in_words(code: &str) -> String {
    let words = code.to_lowercase().replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
