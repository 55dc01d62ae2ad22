//! Maintenance windows of devices: they begin and end by the clock.

use serde_json::{Value, json};

use super::{Collection::Devices, Record, RecordId, WorldData};

impl WorldData {
    /// Gives a device a maintenance window instead of the one that it has. Without `end` it lasts until it is cancelled.
    pub(in crate::sandbox) fn set_maintenance(
        &mut self,
        id: &RecordId,
        start: u64,
        end: Option<u64>,
        reason: &Value,
    ) {
        let series = self.new_uid("maintenance");
        let is_later = start > self.now();
        let window = json!({
            "status": if is_later { "PENDING" } else { "IN_MAINTENANCE" },
            "start": start,
            "end": end,
            "reasonMessage": reason,
            "series": series,
        });
        if let Some(device) = self.get_mut(Devices, id) {
            device.insert("maintenance".to_owned(), window);
        }
        if is_later {
            let (id, series) = (id.clone(), series.clone());
            let begin = move |world: &mut Self| {
                if let Some(window) = world.window(&id, &series) {
                    window.insert("status".to_owned(), "IN_MAINTENANCE".into());
                }
            };
            self.at(start, Box::new(begin));
        }
        if let Some(end) = end {
            let id = id.clone();
            let finish = move |world: &mut Self| {
                if world.window(&id, &series).is_some()
                    && let Some(device) = world.get_mut(Devices, &id)
                {
                    device.remove("maintenance");
                }
            };
            self.at(end, Box::new(finish));
        }
    }

    /// The device's window, if it is still this one.
    fn window(&mut self, device: &RecordId, series: &Value) -> Option<&mut Record> {
        let window = self.get_mut(Devices, device)?.get_mut("maintenance")?;
        let window = window.as_object_mut()?;
        (window.get("series") == Some(series)).then_some(window)
    }
}
