//! Whether a setting that a text names exists.

use ninjaone_proxy::{config::read::json_schema::json_schema, limits::LimitKind};
use serde_json::Value;

/// Whether the schema has the setting: `listen.max_body`, or `tenant.acme.user` with any name where names are free. `*` is any
/// name.
pub(super) fn has_setting(path: &str) -> bool {
    let schema = json_schema();
    let mut here = vec![&schema];
    for segment in path.split('.') {
        here = here
            .iter()
            .flat_map(|it| resolved(it, &schema))
            .flat_map(|it| {
                let free = it.get("additionalProperties").filter(|it| it.is_object());
                let named = it.get("properties").and_then(Value::as_object);
                let named = named.into_iter().flatten();
                let named = named.filter(|(name, _)| segment == "*" || *name == segment);
                named.map(|(_, it)| it).chain(free).collect::<Vec<_>>()
            })
            .collect();
    }
    !here.is_empty()
}

/// The schema itself, what it refers to, and its alternatives.
fn resolved<'schema>(at: &'schema Value, root: &'schema Value) -> Vec<&'schema Value> {
    let target = at.get("$ref").and_then(Value::as_str);
    let target = target.and_then(|it| root.pointer(it.trim_start_matches('#')));
    let alternatives = ["anyOf", "oneOf", "allOf"];
    let alternatives = alternatives
        .iter()
        .filter_map(|it| at.get(it).and_then(Value::as_array));
    let mut all: Vec<_> = target
        .into_iter()
        .chain(alternatives.flatten())
        .flat_map(|it| resolved(it, root))
        .collect();
    all.push(at);
    all
}

#[test]
fn settings_are_found_behind_references_and_free_names_and_others_are_not() {
    for known in [
        "listen.max_body",
        "tenant.acme.user",
        "caller.reports.limit.rate",
        "tenant.*.*",
    ] {
        assert!(has_setting(known), "{known}");
    }
    for unknown in ["listen.body_max", "tenant.acme.person", "limit"] {
        assert!(!has_setting(unknown), "{unknown}");
    }
}

#[test]
fn each_kind_of_limit_has_a_word_and_a_setting_that_exists_or_is_ninjaones() {
    for kind in LimitKind::ALL {
        assert_eq!(LimitKind::from_word(kind.as_str()), Some(kind));
        match kind.setting() {
            Some(setting) => assert!(has_setting(setting), "{setting}"),
            None => assert_eq!(kind, LimitKind::TenantPaused),
        }
    }
    assert_eq!(LimitKind::from_word("caller"), None);
}
