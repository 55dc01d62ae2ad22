//! NinjaOne's device filter, the query parameter `df`: `org = 2 AND class in (WINDOWS_SERVER, MAC) AND offline`.
//!
//! Without a condition for `status` it chooses approved devices only. Values of enumerations are written exactly as they are.

use std::ops::Range;

use super::{
    filter_terms::{FilterError, FilterOperator, FilterTerm, parse_terms},
    schema::{ApiDescription, Type},
    time_text::parse_time,
    world::{Collection, Record, RecordId, WorldData, integer, text},
};

/// Fields that hold a number, and the member of a device.
const NUMBERS: [(&str, &str); 6] = [
    ("org", "organizationId"),
    ("organization", "organizationId"),
    ("loc", "locationId"),
    ("location", "locationId"),
    ("role", "nodeRoleId"),
    ("id", "id"),
];

/// Fields that hold a value of an enumeration: the member of a device, and the enumeration.
const NAMES: [(&str, &str, &str); 2] = [
    ("class", "nodeClass", "CreateNodeRoleRequest.nodeClass"),
    ("status", "approvalStatus", "Device.approvalStatus"),
];

/// Which devices a request is about.
pub(super) struct DeviceFilter(Vec<DeviceCondition>);

enum DeviceCondition {
    Offline(bool),
    Number {
        member: &'static str,
        values: Vec<u64>,
        is_in: bool,
    },
    Name {
        member: &'static str,
        values: Vec<String>,
        is_in: bool,
    },
    Created {
        operator: FilterOperator,
        time: Range<u64>,
    },
    Group(u64),
}

impl DeviceFilter {
    /// # Errors
    /// The text is no filter, or has a field or value that there is not.
    pub(super) fn parse(text: &str) -> Result<Self, FilterError> {
        let terms = parse_terms(text)?;
        let mut conditions = terms.iter().map(condition).collect::<Result<Vec<_>, _>>()?;
        if terms.iter().all(|it| it.field != "status") {
            conditions.push(DeviceCondition::Name {
                member: "approvalStatus",
                values: vec!["APPROVED".to_owned()],
                is_in: true,
            });
        }
        Ok(Self(conditions))
    }

    /// Whether it chooses this device. The world knows who is in a group.
    pub(super) fn matches(&self, world: &WorldData, device: &Record) -> bool {
        self.0.iter().all(|it| it.holds(world, device))
    }
}

impl DeviceCondition {
    fn holds(&self, world: &WorldData, device: &Record) -> bool {
        match self {
            Self::Offline(offline) => {
                device.get("offline").and_then(serde_json::Value::as_bool) == Some(*offline)
            }
            Self::Number {
                member,
                values,
                is_in,
            } => {
                let value = integer(device, member);
                value.is_some_and(|it| values.contains(&it)) == *is_in
            }
            Self::Name {
                member,
                values,
                is_in,
            } => {
                let value = text(device, member);
                value.is_some_and(|it| values.iter().any(|known| known == it)) == *is_in
            }
            Self::Created { operator, time } => {
                created(device).is_some_and(|at| is_at(at, *operator, time))
            }
            Self::Group(id) => world
                .get(Collection::Groups, &RecordId::from(*id))
                .and_then(Self::parse_group)
                .is_some_and(|filter| filter.matches(world, device)),
        }
    }

    /// A group is a saved search. No group of the world names another.
    fn parse_group(group: &Record) -> Option<DeviceFilter> {
        DeviceFilter::parse(text(group, "deviceFilter")?).ok()
    }
}

fn condition(term: &FilterTerm) -> Result<DeviceCondition, FilterError> {
    let field = &*term.field;
    let is_in = match term.operator {
        FilterOperator::In => Some(true),
        FilterOperator::NotIn => Some(false),
        _ => None,
    };
    if let (Some((_, member)), Some(is_in)) = (NUMBERS.iter().find(|it| it.0 == field), is_in) {
        let values = term
            .values
            .iter()
            .map(|it| number(it))
            .collect::<Result<_, _>>()?;
        return Ok(DeviceCondition::Number {
            member,
            values,
            is_in,
        });
    }
    if let (Some((_, member, enumeration)), Some(is_in)) =
        (NAMES.iter().find(|it| it.0 == field), is_in)
    {
        let values = term
            .values
            .iter()
            .map(|it| known_name(enumeration, it))
            .collect::<Result<_, _>>()?;
        return Ok(DeviceCondition::Name {
            member,
            values,
            is_in,
        });
    }
    match (field, term.operator, &*term.values) {
        ("online", FilterOperator::Bare, []) => Ok(DeviceCondition::Offline(false)),
        ("offline", FilterOperator::Bare, []) => Ok(DeviceCondition::Offline(true)),
        ("group", FilterOperator::Of | FilterOperator::In, [id]) => {
            number(id).map(DeviceCondition::Group)
        }
        ("created", operator, [time]) if operator != FilterOperator::Of => parse_time(time)
            .map(|time| DeviceCondition::Created { operator, time })
            .ok_or_else(|| FilterError(format!("'{time}' is no date"))),
        _ => Err(FilterError(format!(
            "there is no such condition for '{field}'"
        ))),
    }
}

fn number(text: &str) -> Result<u64, FilterError> {
    text.parse()
        .map_err(|_| FilterError(format!("'{text}' is no number")))
}

fn known_name(enumeration: &str, name: &str) -> Result<String, FilterError> {
    match ApiDescription::get().named(enumeration) {
        Some(Type::Enumeration(values)) if values.contains(&name) => Ok(name.to_owned()),
        _ => Err(FilterError(format!("'{name}' is none of its values"))),
    }
}

fn created(device: &Record) -> Option<u64> {
    let created = device.get("created")?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time after 1970, in whole seconds"
    )]
    let whole = created.as_f64().map(|it| it as u64);
    created.as_u64().or(whole)
}

/// Whether a time is before, after or within another, which may be a whole day.
pub(super) fn is_at(at: u64, operator: FilterOperator, time: &Range<u64>) -> bool {
    match operator {
        FilterOperator::Before => at < time.start,
        FilterOperator::After => at > time.start,
        FilterOperator::NotIn => !time.contains(&at),
        _ => time.contains(&at),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::collections::BTreeSet;

    use super::{super::world::World, *};

    fn chosen(filter: &str) -> Vec<u64> {
        let world = World::new(1);
        let world = world.data();
        let filter = DeviceFilter::parse(filter).unwrap();
        let devices = world.all(Collection::Devices);
        devices
            .filter(|it| filter.matches(&world, it))
            .filter_map(|it| integer(it, "id"))
            .collect()
    }

    #[test]
    fn a_filter_chooses_what_it_says() {
        let all = chosen("");
        let but = |out: &[u64]| -> Vec<u64> {
            all.iter().copied().filter(|it| !out.contains(it)).collect()
        };
        let servers = vec![101, 112, 120];
        for (filter, wanted) in [
            ("org = 23", (120..=125).collect()),
            ("organization=23", (120..=125).collect()),
            ("org in (17, 23)", (112..=125).collect()),
            ("org != 2", (112..=125).collect()),
            ("org neq 2 AND org <> 17", (120..=125).collect()),
            ("org nin (2, 17)", (120..=125).collect()),
            ("org !in (2)", (112..=125).collect()),
            ("org = 999", vec![]),
            ("loc = 18", (112..=119).collect()),
            ("location = 18 and role = 2", vec![112]),
            ("id in (101,103)", vec![101, 103]),
            ("id eq 101", vec![101]),
            ("class = WINDOWS_SERVER", servers.clone()),
            ("class in (WINDOWS_SERVER, MAC_SERVER)", servers.clone()),
            ("class in (WINDOWS_SERVER) && org = 2", vec![101]),
            ("class != WINDOWS_SERVER", but(&servers)),
            ("CLASS = WINDOWS_SERVER AND ORG = 2", vec![101]),
            ("status = APPROVED", all.clone()),
            ("created after 2000-01-01", all.clone()),
            ("created > 20000101", all.clone()),
            ("created before 2000-01-01T00:00:00.000Z", vec![]),
            ("created = 2000-01-01", vec![]),
            ("group 1", servers),
            ("group 999", vec![]),
        ] {
            assert_eq!(chosen(filter), wanted, "{filter}");
        }
        let both: BTreeSet<u64> = chosen("online")
            .into_iter()
            .chain(chosen("offline"))
            .collect();
        assert_eq!(both.into_iter().collect::<Vec<_>>(), all);
        assert!(chosen("online AND offline").is_empty());
    }

    #[test]
    fn only_approved_devices_are_chosen_unless_a_status_is_named() {
        let world = World::new(1);
        let mut world = world.data();
        if let Some(device) = world.get_mut(Collection::Devices, &RecordId::from(101)) {
            device.insert("approvalStatus".to_owned(), "PENDING".into());
        }
        let device = world
            .get(Collection::Devices, &RecordId::from(101))
            .unwrap();
        for (filter, is_chosen) in [
            ("", false),
            ("id = 101", false),
            ("id = 101 AND status = PENDING", true),
            ("status in (PENDING, APPROVED)", true),
            ("status != APPROVED", true),
        ] {
            let filter_of = DeviceFilter::parse(filter).unwrap();
            assert_eq!(filter_of.matches(&world, device), is_chosen, "{filter}");
        }
    }

    #[test]
    fn what_there_is_not_is_refused() {
        for filter in [
            "org = two",
            "org = -1",
            "org > 2",
            "org",
            "org 2",
            "class = SERVER",
            "class = windows_server",
            "status = ONLINE",
            "online = true",
            "online 1",
            "name = SRV",
            "search = SRV",
            "created = yesterday",
            "created",
            "created 2019-07-04",
            "group in (1, 2)",
            "group = one",
            "org = 2 OR org = 3",
        ] {
            assert!(DeviceFilter::parse(filter).is_err(), "{filter}");
        }
    }
}
