//! Whether a setting that a text names exists.

use ninjaone_proxy::config::read::json_schema::json_schema;
use serde_json::Value;

/// Whether the schema has the setting: `listen.max_body`, or `tenant.acme.user` with any name where names are free.
pub(crate) fn has_setting(path: &str) -> bool {
    let schema = json_schema();
    let mut here = vec![&schema];
    for segment in path.split('.') {
        here = here
            .iter()
            .flat_map(|it| resolved(it, &schema))
            .filter_map(|it| {
                let named = it.get("properties").and_then(|all| all.get(segment));
                named.or_else(|| it.get("additionalProperties").filter(|it| it.is_object()))
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
    ] {
        assert!(has_setting(known), "{known}");
    }
    for unknown in ["listen.body_max", "tenant.acme.person", "limit"] {
        assert!(!has_setting(unknown), "{unknown}");
    }
}
