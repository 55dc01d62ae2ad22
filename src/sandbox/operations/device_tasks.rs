//! Work on a device that takes a while: a job for as long as it runs, and a series of activities.

use serde_json::{Value, json};

use crate::sandbox::{
    call::ApiCall,
    response::SandboxResponse,
    world::{Collection, NewActivity, Record, RecordId, WorldData, in_words, record, text},
};

use super::activities::acting_user;

/// Something that a device does.
pub(super) struct DeviceTask {
    pub(super) device: u64,
    /// Of the enumeration of `activityType` and `jobType`.
    pub(super) kind: &'static str,
    /// Status codes of the activities that are recorded at once.
    pub(super) begun: &'static [&'static str],
    /// Status code of the activity that is recorded at the end.
    pub(super) ended: &'static str,
    pub(super) name: String,
    /// The uid of what is run; the series' own uid if there is none.
    pub(super) source: Option<Value>,
    pub(super) seconds: u64,
}

/// What a task does when it ends, and what it then has to say.
pub(super) type TaskEnding = Box<dyn FnOnce(&mut WorldData) -> String + Send>;

impl DeviceTask {
    /// Begins now, and ends after its time.
    ///
    /// # Errors
    /// 413: what is run has a name that is too long to keep.
    pub(super) fn begin(
        self,
        call: &ApiCall<'_>,
        world: &mut WorldData,
        ending: TaskEnding,
    ) -> Result<(), SandboxResponse> {
        let uid = world.new_uid("job");
        let (now, user) = (world.now(), acting_user(call));
        let source = self.source.clone().unwrap_or_else(|| uid.clone());
        let common = record(json!({
            "seriesUid": uid,
            "sourceConfigUid": source,
            "sourceName": self.name,
            "userId": user,
        }));
        for code in self.begun {
            self.record(world, code, "", common.clone());
        }
        world.put(
            Collection::Jobs,
            record(json!({
                "uid": uid,
                "deviceId": self.device,
                "message": format!("{} is running", self.name),
                "subject": self.name,
                "createTime": now,
                "updateTime": now,
                "sourceType": "SCHEDULED_TASK",
                "sourceConfigUid": source,
                "sourceName": self.name,
                "userId": user,
                "jobStatus": "STARTED",
                "jobResult": "UNCOMPLETED",
                "jobType": self.kind,
            })),
        )?;
        let end = now + self.seconds;
        world.at(
            end,
            Box::new(move |world| {
                let job = text(&common, "seriesUid").unwrap_or_default();
                world.remove(Collection::Jobs, &RecordId::from(job));
                let said = ending(world);
                self.record(world, self.ended, &said, common);
            }),
        );
        Ok(())
    }

    fn record(&self, world: &mut WorldData, code: &str, said: &str, mut more: Record) {
        let status = in_words(code);
        let mut message = format!("{}: {}.", self.name, status.to_lowercase());
        if !said.is_empty() {
            message = format!("{message} Output: {said}");
        }
        let is_last = code == self.ended;
        let result = if is_last { "SUCCESS" } else { "UNCOMPLETED" };
        more.insert("activityResult".to_owned(), result.into());
        more.insert(
            "data".to_owned(),
            json!({"message": {
                "code": code.to_lowercase(),
                "params": {"name": self.name, "output": said},
            }}),
        );
        world.add_activity(NewActivity {
            device_id: Some(self.device),
            kind: self.kind,
            status_code: code,
            status: &status,
            subject: &self.name,
            message: &message,
            more,
        });
    }
}
