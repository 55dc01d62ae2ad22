//! Settings from the environment.

use std::{net::SocketAddr, time::Duration};

use ninjaone_proxy::config::{BindAddress, read::diagnostics::Diagnostic};

use super::{House, digest};

#[test]
fn a_variable_overrides_the_file() {
    let house = House::with_tenant("[listen]\ndrain = \"7s\"\n").set("NJP__LISTEN__DRAIN", "5s");
    assert_eq!(
        house.accepted().listen.drain_timeout,
        Duration::from_secs(5)
    );
}

#[test]
fn lists_are_separated_by_commas_or_are_toml() {
    for text in [
        "127.0.0.1:1234, 127.0.0.1:1235",
        "[\"127.0.0.1:1234\", \"127.0.0.1:1235\"]",
    ] {
        let house = House::with_tenant("").set("NJP__LISTEN__HTTP", text);
        let wanted: Vec<BindAddress> = ["127.0.0.1:1234", "127.0.0.1:1235"]
            .map(|it| BindAddress::Address(it.parse::<SocketAddr>().unwrap()))
            .into();
        assert_eq!(house.accepted().listen.http, wanted);
    }
}

#[test]
fn texts_that_look_like_numbers_stay_as_they_are() {
    let house = House::with_tenant("").set("NJP__TENANT__ACME__SERVICE__CLIENT_ID", "000123");
    let tenant = &house.accepted().tenants[0];
    assert_eq!(tenant.service.as_ref().unwrap().client_id, "000123");
}

#[test]
fn numbers_and_truths_are_read_as_such() {
    let house = House::with_tenant("")
        .set("NJP__LISTEN__WORKERS", "3")
        .set("NJP__TELEMETRY__METRICS", "false");
    let config = house.accepted();
    assert_eq!(
        (config.listen.workers, config.telemetry.metrics),
        (3, false)
    );
}

#[test]
fn a_tenant_can_come_from_the_environment_alone() {
    let house = House::new("")
        .set("NJP__TENANT__GLOBEX__REGION", "us")
        .set("NJP__TENANT__GLOBEX__SERVICE__CLIENT_ID", "9sPq")
        .set(
            "NJP__TENANT__GLOBEX__SERVICE__CLIENT_SECRET__ENV",
            "GLOBEX_SECRET",
        )
        .set("GLOBEX_SECRET", "quite secret");
    let config = house.accepted();
    assert_eq!(config.tenants[0].name.as_str(), "globex");
    assert_eq!(config.tenants[0].origin.host, "app.ninjarmm.com");
}

#[test]
fn a_caller_of_the_file_is_found_whatever_the_case_of_its_name() {
    let caller = format!(
        "[caller.RMM-Sync]\nkey = \"{}\"\nallow = [\"read\"]\n",
        digest('a')
    );
    let house = House::with_tenant(&caller).set("NJP__CALLER__RMM_SYNC__REQUIRE_REASON", "true");
    let config = house.accepted();
    assert_eq!(config.callers.len(), 1);
    assert!(config.callers[0].reason_required);
}

#[test]
fn a_list_from_the_environment_replaces_that_of_the_file_as_a_whole() {
    let caller = format!(
        "[caller.x]\nkey = \"{}\"\nallow = [\"read\", \"write\"]\n",
        digest('a')
    );
    let house = House::with_tenant(&caller).set("NJP__CALLER__X__ALLOW", "secrets");
    let config = house.accepted();
    let rules: Vec<String> = config.callers[0]
        .rules
        .iter()
        .map(|it| format!("{} {}", it.selector, it.location))
        .collect();
    assert_eq!(rules, ["secrets NJP__CALLER__X__ALLOW"]);
}

#[test]
fn what_is_wrong_in_a_variable_is_reported_under_its_name() {
    let house = House::with_tenant("")
        .set("NJP__LISTEN__DRAIN", "soon")
        .set("NJP__LISTEN__DRIAN", "5s")
        .set("NJP__LISTEN__WORKERS", "many")
        .set("NJP__LISTEN__DRAIN__LONG", "5s")
        .set("NJP__CACHE__ENABLED", "true")
        .set(
            "NJP__TENANT__ACME__SERVICE__CLIENT_SECRET",
            "the secret itself",
        );
    let problems = house.refused();
    let places: Vec<String> = problems
        .as_slice()
        .iter()
        .map(Diagnostic::location)
        .collect();
    assert_eq!(places.len(), 6, "{problems}");
    assert!(
        places.iter().all(|place| place.starts_with("NJP__")),
        "{places:?}"
    );
    let text = problems.to_string();
    assert!(text.contains(" --> NJP__LISTEN__DRIAN\n"), "{text}");
    assert!(text.contains("did you mean `listen.drain`?"), "{text}");
    assert!(
        text.contains("`cache` is not supported by this version"),
        "{text}"
    );
    assert!(!text.contains("the secret itself"), "{text}");
}

#[test]
fn variables_of_others_are_none_of_our_business() {
    let house = House::with_tenant("")
        .set("NJP_LISTEN", "x")
        .set("PATH", "/bin");
    house.accepted();
}
