//! The value of a declared member about which the world knows nothing: plausible, and the same for the same seed.

use serde_json::{Map, Value, json};

use crate::sandbox::{seeded_rng, world::NOW_SECONDS};

use super::Expression;

/// References that a member's name tells, each to something that is in every new world.
const REFERENCES: [(&[&str], u32); 15] = [
    (&["organizationId", "clientId"], 2),
    (&["locationId"], 3),
    (&["deviceId", "nodeId", "parentDeviceId"], 101),
    (
        &[
            "policyId",
            "rolePolicyId",
            "parentPolicyId",
            "sourcePolicyId",
        ],
        1,
    ),
    (&["accountId"], 1),
    (&["agreementId"], 1),
    (&["productId"], 1),
    (&["nodeRoleId", "nodeRoleParentId", "roleId"], 1),
    (
        &[
            "userId",
            "createdByUserId",
            "updatedByUserId",
            "createdByAppUserId",
            "updatedByAppUserId",
            "assignedAppUserId",
            "appUserContactId",
        ],
        1,
    ),
    (&["scriptId", "ticketFormId", "boardId"], 1),
    (&["statusId"], 1_000),
    (&["ticketId"], 1_001),
    (&["attributeId"], 1),
    (
        &["activityId", "lastActivityId", "lastNodeActivityId"],
        5_001,
    ),
    (&["categoryId"], 1),
];

/// The same for members that hold a UUID: of an end user.
const PERSONS: [&str; 4] = [
    "appUserContactUid",
    "assignedOwnerUid",
    "assignedUserUid",
    "requesterUid",
];

/// Of the first end user.
const PERSON_UID: &str = "36f675cc-81e7-4ef5-a8e2-5d940ed90475";

/// Ends of the names of members that hold a time, in seconds since 1970.
const TIMES: [&str; 14] = [
    "Time",
    "Date",
    "created",
    "updated",
    "On",
    "start",
    "end",
    "timestamp",
    "lastContact",
    "lastUpdate",
    "lastRun",
    "lastEvaluated",
    "At",
    "expires",
];

/// Where a missing value would be.
pub(super) struct Placeholder {
    /// Different for each object and member.
    key: u64,
    member: &'static str,
}

impl Placeholder {
    pub(super) const fn of_answer(seed: u64) -> Self {
        Self {
            key: seed,
            member: "",
        }
    }

    /// Of an object: told from others of its type by what identifies it.
    pub(super) fn of_object(
        seed: u64,
        name: &'static str,
        given: &Map<String, Value>,
        around: &Self,
    ) -> Self {
        let identity = ["id", "uid", "name", "deviceId"]
            .into_iter()
            .find_map(|member| given.get(member));
        let key = match identity {
            Some(identity) => seeded_rng::hash(seed, &format!("{name} {identity}")),
            None => seeded_rng::hash(around.key, name),
        };
        Self { key, member: "" }
    }

    pub(super) fn member(&self, name: &'static str) -> Self {
        Self {
            key: seeded_rng::hash(self.key, name),
            member: name,
        }
    }

    pub(super) fn value(&self, expression: Expression) -> Value {
        match expression {
            Expression::Integer => json!(self.reference().unwrap_or_default()),
            Expression::Number if self.is_time() => json!(NOW_SECONDS),
            Expression::Number => json!(0),
            Expression::Text | Expression::File => json!(""),
            Expression::Uuid if PERSONS.contains(&self.member) => json!(PERSON_UID),
            Expression::Uuid => json!(seeded_rng::uuid(self.key)),
            Expression::DateTime => json!("2026-11-17T14:00:00Z"),
            Expression::Boolean => json!(false),
            Expression::Object | Expression::Map(_) => json!({}),
            Expression::List(_) => json!([]),
            Expression::Any | Expression::Named(_) => Value::Null,
        }
    }

    fn reference(&self) -> Option<u32> {
        REFERENCES
            .iter()
            .find_map(|(names, id)| names.contains(&self.member).then_some(*id))
    }

    fn is_time(&self) -> bool {
        TIMES.iter().any(|end| self.member.ends_with(end))
    }
}
