//! Scheduled tasks, notification channels, and software that can be patched.

use crate::sandbox::{
    answer::Answered,
    call::ApiCall,
    world::{Collection, WorldData},
};

use super::records;

use Collection::{NotificationChannels, ScheduledTasks, SoftwareProducts};

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getScheduledTasks" => records::list(call, world, ScheduledTasks),
        "getNotificationChannels" => records::list(call, world, NotificationChannels),
        "getEnabledNotificationChannels" => {
            records::list_if(call, world, NotificationChannels, |it| {
                it.get("enabled") == Some(&true.into())
            })
        }
        "getSoftwareProducts" => records::list(call, world, SoftwareProducts),
        _ => return None,
    })
}
