//! The simulated world: the customers of a fictitious service provider, what they have, and how writes change it.

use std::sync::MutexGuard;

use serde::Serialize;
use serde_json::{Value, json};

use crate::{lock::Lock, sandbox::creation};

/// The sandbox's fixed time, in seconds since 1970: always 2026-11-17T14:00:00Z, so that a seed gives the same bytes on
/// any day.
pub(super) const NOW: f64 = 1_794_924_000.0;

/// Most activities; a new one evicts the oldest.
const ACTIVITIES_MAX: usize = 10_000;

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Organization {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) node_approval_mode: &'static str,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrganizationLocation {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) address: String,
    pub(super) description: String,
    #[serde(skip_serializing)]
    pub(super) organization_id: u32,
}

/// What `/v2/devices` shows of a device.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Device {
    pub(super) id: u32,
    pub(super) uid: String,
    pub(super) organization_id: u32,
    pub(super) location_id: u32,
    pub(super) node_class: &'static str,
    pub(super) node_role_id: u32,
    pub(super) role_policy_id: u32,
    pub(super) approval_status: &'static str,
    pub(super) offline: bool,
    pub(super) display_name: String,
    pub(super) system_name: String,
    pub(super) dns_name: String,
    pub(super) created: f64,
    pub(super) last_contact: f64,
    pub(super) last_update: f64,
    #[serde(skip_serializing)]
    pub(super) details: DeviceDetails,
}

/// What `/v2/devices-detailed` and `/v2/device/{id}` show in addition.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeviceDetails {
    pub(super) ip_addresses: [String; 1],
    pub(super) mac_addresses: [String; 1],
    #[serde(rename = "publicIP")]
    pub(super) public_ip: String,
    pub(super) os: OperatingSystem,
    pub(super) system: Hardware,
    pub(super) last_logged_in_user: String,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OperatingSystem {
    pub(super) manufacturer: &'static str,
    pub(super) name: &'static str,
    pub(super) architecture: &'static str,
    pub(super) needs_reboot: bool,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Hardware {
    pub(super) manufacturer: &'static str,
    pub(super) model: &'static str,
    pub(super) serial_number: String,
}

#[derive(Serialize)]
struct DetailedDevice<'a> {
    #[serde(flatten)]
    device: &'a Device,
    #[serde(flatten)]
    details: &'a DeviceDetails,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DevicePolicy {
    pub(super) id: u32,
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) node_class: &'static str,
    pub(super) updated: f64,
    pub(super) node_class_default: bool,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserAccount {
    pub(super) id: u32,
    pub(super) uid: String,
    pub(super) first_name: &'static str,
    pub(super) last_name: &'static str,
    pub(super) email: String,
    pub(super) enabled: bool,
    pub(super) administrator: bool,
    #[serde(rename = "userType")]
    pub(super) kind: &'static str,
    pub(super) invitation_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) organization_id: Option<u32>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Alert {
    pub(super) uid: String,
    pub(super) device_id: u32,
    pub(super) message: String,
    pub(super) create_time: f64,
    pub(super) update_time: f64,
    pub(super) source_type: &'static str,
    pub(super) source_name: &'static str,
    pub(super) severity: &'static str,
    pub(super) priority: &'static str,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Activity {
    pub(super) id: u64,
    #[serde(rename = "activityTime")]
    pub(super) time: f64,
    pub(super) device_id: u32,
    #[serde(rename = "activityType")]
    pub(super) kind: &'static str,
    pub(super) status_code: &'static str,
    pub(super) status: &'static str,
    pub(super) subject: String,
    pub(super) message: String,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SupportTicket {
    pub(super) id: u64,
    pub(super) summary: String,
    pub(super) client_id: u32,
    pub(super) status: &'static str,
    pub(super) create_time: f64,
}

/// Everything there is.
pub(super) struct WorldData {
    /// By id, ascending; so are locations and devices.
    pub(super) organizations: Vec<Organization>,
    pub(super) locations: Vec<OrganizationLocation>,
    pub(super) devices: Vec<Device>,
    pub(super) policies: Vec<DevicePolicy>,
    pub(super) users: Vec<UserAccount>,
    pub(super) alerts: Vec<Alert>,
    /// By id, ascending.
    pub(super) activities: Vec<Activity>,
    pub(super) tickets: Vec<SupportTicket>,
}

pub(super) struct World(Lock<WorldData>);

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self(Lock::new(creation::create(seed)))
    }

    /// Held for as long as it takes to read or change something; never across an await.
    pub(super) fn data(&self) -> MutexGuard<'_, WorldData> {
        self.0.lock()
    }
}

impl WorldData {
    pub(super) fn organization(&self, id: u32) -> Option<&Organization> {
        self.organizations.iter().find(|it| it.id == id)
    }

    pub(super) fn locations_of(
        &self,
        organization: u32,
    ) -> impl Iterator<Item = &OrganizationLocation> {
        self.locations
            .iter()
            .filter(move |it| it.organization_id == organization)
    }

    pub(super) fn device(&self, id: u32) -> Option<&Device> {
        self.devices.iter().find(|it| it.id == id)
    }

    /// Records an activity of a device.
    pub(super) fn add_activity(
        &mut self,
        device_id: u32,
        kind: &'static str,
        subject: &str,
        message: &str,
    ) {
        let id = self.activities.last().map_or(1, |last| last.id + 1);
        if self.activities.len() == ACTIVITIES_MAX {
            self.activities.remove(0);
        }
        self.activities.push(Activity {
            id,
            time: NOW,
            device_id,
            kind,
            status_code: "STARTED",
            status: "Started",
            subject: subject.to_owned(),
            message: message.to_owned(),
        });
    }
}

impl Organization {
    pub(super) fn detailed(&self, things: &WorldData) -> Value {
        let locations: Vec<&OrganizationLocation> = things.locations_of(self.id).collect();
        let policies: Vec<Value> = things
            .policies
            .iter()
            .map(|policy| json!({"nodeRoleId": policy.id, "policyId": policy.id}))
            .collect();
        json!({
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "nodeApprovalMode": self.node_approval_mode,
            "locations": locations,
            "policies": policies,
            "settings": {},
        })
    }
}

impl OrganizationLocation {
    pub(super) fn with_organization(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "address": self.address,
            "description": self.description,
            "organizationId": self.organization_id,
        })
    }
}

impl Device {
    pub(super) fn detailed(&self) -> impl Serialize + '_ {
        DetailedDevice {
            device: self,
            details: &self.details,
        }
    }
}
