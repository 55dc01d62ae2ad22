//! How a request finds its operation, and which operations may be added.

use ninjaone_proxy::{
    net::Method,
    ninjaone::{
        catalogue::{Catalogue, CatalogueError},
        operation::{Operation, ParameterKind, RiskClass, Scope, TemplateError, parse_template},
    },
};
use proptest::prelude::*;

#[test]
fn every_operation_stands_where_its_index_says_and_is_found_by_its_id() {
    let catalogue = Catalogue::builtin();
    for (index, operation) in catalogue.all().iter().enumerate() {
        assert_eq!(operation.index, index);
        assert_eq!(catalogue.by_id(&operation.id).unwrap().index, index);
    }
}

#[test]
fn every_template_finds_its_own_operation() {
    let catalogue = Catalogue::builtin();
    for operation in catalogue.all() {
        let mut path = operation.template.to_string();
        for parameter in &operation.parameters {
            let value = match parameter.kind {
                ParameterKind::Integer => "7",
                ParameterKind::Text => "x7",
            };
            path = path.replace(&format!("{{{}}}", parameter.name), value);
        }
        let (found, parameters) = catalogue.find(operation.method, &path).unwrap();
        assert_eq!(found.id, operation.id, "{path}");
        assert_eq!(parameters.values().len(), operation.parameters.len());
    }
}

#[test]
fn parameters_come_in_the_order_of_the_template_and_by_name() {
    let catalogue = Catalogue::builtin();
    let (operation, parameters) = catalogue
        .find(
            Method::Get,
            "/v2/organization/2/location/5/installer/LINUX_DEB",
        )
        .unwrap();
    assert_eq!(&*operation.id, "getInstallerForLocation");
    let values: Vec<&str> = parameters.values().iter().map(|value| &**value).collect();
    assert_eq!(values, ["2", "5", "LINUX_DEB"]);
    assert_eq!(parameters.value(operation, "location_id"), Some("5"));
    assert_eq!(parameters.value(operation, "nothing"), None);
}

#[test]
fn a_literal_segment_wins_over_a_parameter() {
    let catalogue = Catalogue::builtin();
    let id = |path: &str| {
        catalogue
            .find(Method::Get, path)
            .map(|(it, _)| it.id.clone())
    };
    assert_eq!(
        id("/v2/organization/documents").as_deref(),
        Some("getClientDocumentsWithAttributeValues")
    );
    assert_eq!(id("/v2/organization/7").as_deref(), Some("getOrganization"));
    assert_eq!(id("/v2/devices/search").as_deref(), Some("search"));
}

#[test]
fn head_goes_where_get_goes() {
    let catalogue = Catalogue::builtin();
    let (found, _) = catalogue.find(Method::Head, "/v2/devices").unwrap();
    assert_eq!(&*found.id, "getDevices");
    assert!(
        catalogue
            .find(Method::Head, "/v2/device/1/script/run")
            .is_none()
    );
    assert_eq!(
        &*catalogue.by_path(Method::Head, "/v2/devices").unwrap().id,
        "getDevices"
    );
}

#[test]
fn an_integer_has_one_spelling_and_every_other_is_unknown() {
    let catalogue = Catalogue::builtin();
    let known = |value: &str| {
        catalogue
            .find(Method::Get, &format!("/v2/device/{value}"))
            .is_some()
    };
    for value in ["0", "1", "123", "-1", "9223372036854775807"] {
        assert!(known(value), "{value}");
    }
    for value in [
        "",
        "01",
        "00",
        "-0",
        "-01",
        "+1",
        " 1",
        "1 ",
        "1.0",
        "1e3",
        "0x1",
        "one",
        "-",
        "--1",
        "١",
        "1;x=2",
        "9223372036854775808",
        "{id}",
        "1%31",
    ] {
        assert!(!known(value), "{value:?}");
    }
}

#[test]
fn an_empty_text_parameter_is_unknown() {
    let catalogue = Catalogue::builtin();
    assert!(catalogue.find(Method::Delete, "/v2/alert/").is_none());
    assert!(catalogue.find(Method::Post, "/v2/alert//reset").is_none());
    assert!(catalogue.find(Method::Delete, "/v2/alert/a-b").is_some());
}

#[test]
fn one_slash_at_the_end_changes_nothing() {
    let catalogue = Catalogue::builtin();
    for operation in catalogue.all() {
        let path = operation.template.replace(['{', '}'], "");
        let plain = catalogue.find(operation.method, &path).map(|it| it.0.index);
        let with_slash = catalogue.find(operation.method, &format!("{path}/"));
        assert_eq!(with_slash.map(|it| it.0.index), plain, "{path}");
    }
    let (found, parameters) = catalogue.find(Method::Get, "/v2/device/1/").unwrap();
    assert_eq!(parameters.value(found, "id"), Some("1"));
}

#[test]
fn a_path_that_is_nearly_one_is_unknown() {
    let catalogue = Catalogue::builtin();
    for path in [
        "",
        "/",
        "/v2",
        "/v2/",
        "v2/devices",
        "/v2/devices//",
        "//v2/devices",
        "/v2//devices",
        "/V2/devices",
        "/v2/Devices",
        "/api/v2/devices",
        "/v2/devices/../device/1",
    ] {
        assert!(catalogue.find(Method::Get, path).is_none(), "{path:?}");
    }
}

fn added(method: Method, template: &str, id: &str) -> Operation {
    Operation::custom(method, template, id, RiskClass::Read, Scope::Monitoring).unwrap()
}

#[test]
fn an_added_operation_gets_the_next_index_and_is_found() {
    let catalogue = Catalogue::with_added(vec![
        added(Method::Get, "/v2/some/new/{thing}", "getSomeNewThing"),
        added(Method::Put, "/v2/some/new/{thing}", "putSomeNewThing"),
    ])
    .unwrap();
    let (found, parameters) = catalogue.find(Method::Get, "/v2/some/new/01").unwrap();
    assert_eq!((&*found.id, found.index), ("getSomeNewThing", 315));
    assert_eq!(&*parameters.values()[0], "01");
    assert_eq!(catalogue.by_id("putSomeNewThing").unwrap().index, 316);
}

#[test]
fn an_added_operation_may_not_take_an_id_or_a_path_that_is_taken() {
    let clash = |operation| Catalogue::with_added(vec![operation]).err().unwrap();
    assert!(matches!(
        clash(added(Method::Get, "/v2/new", "getDevices")),
        CatalogueError::DuplicateId { .. }
    ));
    let same_path = clash(added(Method::Get, "/v2/device/{number}", "getDeviceAgain"));
    assert!(
        matches!(same_path, CatalogueError::DuplicatePath { with, .. } if *with == *"getDevice")
    );
    assert!(matches!(
        clash(added(Method::Head, "/v2/new", "headNew")),
        CatalogueError::HeadMethod { .. }
    ));
}

#[test]
fn a_template_has_plain_segments_and_whole_parameters_only() {
    let names = |template: &str| {
        parse_template(template).map(|found| {
            found
                .iter()
                .map(|parameter| parameter.name.to_string())
                .collect::<Vec<_>>()
        })
    };
    assert_eq!(
        names("/v2/a/{b}/c/{scan-group-id}").unwrap(),
        ["b", "scan-group-id"]
    );
    assert_eq!(names("/v3/a"), Err(TemplateError::OutsideApi));
    assert_eq!(names("/v2/"), Err(TemplateError::EmptySegment));
    assert_eq!(names("/v2/a/"), Err(TemplateError::EmptySegment));
    assert_eq!(names("/v2/a//b"), Err(TemplateError::EmptySegment));
    assert_eq!(names("/v2/{a}/{a}"), Err(TemplateError::DuplicateParameter));
    for wrong in [
        "/v2/{}",
        "/v2/x{a}",
        "/v2/{*a}",
        "/v2/..",
        "/v2/a%2fb",
        "/v2/a?b",
        "/v2/{a",
    ] {
        assert_eq!(names(wrong), Err(TemplateError::InvalidSegment), "{wrong}");
    }
}

#[test]
fn a_typo_is_answered_with_the_id_that_was_meant() {
    let catalogue = Catalogue::builtin();
    assert_eq!(catalogue.suggest("getDevcies"), Some("getDevices"));
    assert_eq!(
        catalogue.suggest("RUNSCRIPTONDEVICE"),
        Some("runScriptOnDevice")
    );
    assert_eq!(catalogue.suggest("zzzzqqqq"), None);
}

proptest! {
    #[test]
    fn what_is_found_is_written_in_one_way(path in "/v2/(device|organization|group)/[0-9+%. -]{1,4}(/devices|/disks)?") {
        let catalogue = Catalogue::builtin();
        if let Some((operation, parameters)) = catalogue.find(Method::Get, &path) {
            let number: i64 = parameters.values()[0].parse().unwrap();
            let again = operation.template.replace("{id}", &number.to_string());
            prop_assert_eq!(again, path);
        }
    }
}
