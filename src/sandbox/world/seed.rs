//! The records that are the same in every world: `seed/*.json`, each an object of lists by the name of a collection.

use serde_json::{Map, Value};

use super::{Collection, WorldData, record::record};

const FILES: [&str; 11] = [
    include_str!("seed/organizations.json"),
    include_str!("seed/groups.json"),
    include_str!("seed/people.json"),
    include_str!("seed/ticketing.json"),
    include_str!("seed/automation.json"),
    include_str!("seed/custom_fields.json"),
    include_str!("seed/backups.json"),
    include_str!("seed/documentation.json"),
    include_str!("seed/knowledge_base.json"),
    include_str!("seed/assets.json"),
    include_str!("seed/billing.json"),
];

pub(super) fn fill(world: &mut WorldData) {
    for file in FILES {
        let lists: Map<String, Value> = serde_json::from_str(file).unwrap_or_default();
        for (name, records) in lists {
            let (Some(of), Value::Array(records)) = (Collection::named(&name), records) else {
                continue;
            };
            for it in records {
                // A new world has room for its own records.
                let _ = world.put(of, record(it));
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_understood_to_its_last_record() {
        let mut world = WorldData::empty(1);
        fill(&mut world);
        for file in FILES {
            let lists: Map<String, Value> = serde_json::from_str(file).unwrap();
            for (name, records) in lists {
                let of =
                    Collection::named(&name).unwrap_or_else(|| panic!("{name} is no collection"));
                let records = records.as_array().unwrap();
                assert!(
                    records.len() <= world.count(of),
                    "{name}: an id is missing or given twice"
                );
            }
        }
    }
}
