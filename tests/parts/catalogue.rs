//! The built-in catalogue against what NinjaOne describes, and how requests are matched to it.

use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use ninjaone_proxy::{
    net::Method,
    ninjaone::{
        catalogue::{Catalogue, CatalogueError},
        operation::{
            Operation, ParameterKind, Payload, RequiredIdentity, RiskClass, Scope, TemplateError,
            parse_template,
        },
    },
};
use proptest::prelude::*;
use serde_json::Value;

const DIGEST: &str = include_str!("../vectors/openapi-digest.tsv");

/// What the API description says of an operation.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Described {
    method: String,
    path: String,
    id: Option<String>,
    tags: Vec<String>,
    /// `id:int,uid:text`
    parameters: String,
    scopes: Vec<String>,
}

fn described_by_digest() -> BTreeSet<Described> {
    let list = |cell: &str| match cell {
        "-" => Vec::new(),
        _ => cell.split(',').map(str::to_owned).collect(),
    };
    DIGEST
        .lines()
        .skip(1)
        .map(|row| {
            let cells: Vec<&str> = row.split('\t').collect();
            let [method, path, id, tags, parameters, scopes] = cells[..] else {
                panic!("six cells in {row:?}")
            };
            Described {
                method: method.to_owned(),
                path: path.to_owned(),
                id: (id != "-").then(|| id.to_owned()),
                tags: list(tags),
                parameters: parameters.to_owned(),
                scopes: list(scopes),
            }
        })
        .collect()
}

fn described_by_openapi(text: &str) -> BTreeSet<Described> {
    let document: Value = serde_json::from_str(text).unwrap();
    let mut all = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            all.insert(Described {
                method: method.to_uppercase(),
                path: path.clone(),
                id: operation["operationId"].as_str().map(str::to_owned),
                tags: strings(&operation["tags"]),
                parameters: kinds(&document, path, operation),
                scopes: scopes(operation),
            });
        }
    }
    all
}

fn strings(value: &Value) -> Vec<String> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items
        .iter()
        .map(|item| item.as_str().unwrap().to_owned())
        .collect()
}

fn scopes(operation: &Value) -> Vec<String> {
    let requirements = operation["security"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let sorted: BTreeSet<String> = requirements
        .iter()
        .flat_map(|requirement| requirement.as_object().unwrap().values())
        .flat_map(strings)
        .collect();
    sorted.into_iter().collect()
}

fn kinds(document: &Value, path: &str, operation: &Value) -> String {
    let described = operation["parameters"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let mut text = String::new();
    for name in path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
    {
        let parameter = described
            .iter()
            .find(|parameter| parameter["in"] == "path" && parameter["name"] == name)
            .unwrap();
        let schema = match parameter["schema"]["$ref"].as_str() {
            Some(reference) => document.pointer(&reference[1..]).unwrap(),
            None => &parameter["schema"],
        };
        let kind = if schema["type"] == "integer" {
            "int"
        } else {
            "text"
        };
        let comma = if text.is_empty() { "" } else { "," };
        write!(text, "{comma}{name}:{kind}").unwrap();
    }
    if text.is_empty() {
        "-".to_owned()
    } else {
        text
    }
}

fn holds(catalogue: &Catalogue, described: &BTreeSet<Described>) {
    assert_eq!(described.len(), 315);
    assert_eq!(catalogue.all().len(), 315);
    for expected in described {
        let method = Method::parse(&expected.method).unwrap();
        let operation = catalogue
            .by_path(method, &expected.path)
            .unwrap_or_else(|| panic!("no {} {}", expected.method, expected.path));
        let mut parameters: Vec<String> = Vec::new();
        for parameter in &operation.parameters {
            parameters.push(format!("{}:{}", parameter.name, parameter.kind.as_str()));
        }
        let parameters = if parameters.is_empty() {
            "-".to_owned()
        } else {
            parameters.join(",")
        };
        assert_eq!(&*operation.template, expected.path);
        assert_eq!(parameters, expected.parameters);
        assert!(expected.tags.iter().any(|tag| **tag == *operation.tag));
        match &expected.id {
            Some(id) => assert_eq!(*operation.id, **id),
            None => assert!(operation.notes.contains("id-unofficial")),
        }
        match &expected.scopes[..] {
            [] => assert_eq!(&*operation.scope_basis, "inferred"),
            [scope] => {
                assert_eq!(&*operation.scope_basis, "spec");
                assert_eq!(operation.scope.as_str(), scope);
            }
            more => panic!("{} names scopes {more:?}", operation.id),
        }
    }
}

#[test]
fn the_catalogue_has_exactly_the_operations_of_the_digest() {
    holds(&Catalogue::builtin(), &described_by_digest());
}

#[test]
fn the_digest_and_the_catalogue_agree_with_the_api_description_where_it_lies_beside() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/ninjaone/openapi-15.1.json");
    let Ok(text) = std::fs::read_to_string(file) else {
        return;
    };
    let described = described_by_openapi(&text);
    assert_eq!(described, described_by_digest());
    holds(&Catalogue::builtin(), &described);
}

#[test]
fn every_operation_stands_at_the_place_that_its_index_says_and_is_found_by_its_id() {
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
        "1/",
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
fn a_path_that_is_nearly_one_is_unknown() {
    let catalogue = Catalogue::builtin();
    for path in [
        "",
        "/",
        "/v2",
        "/v2/",
        "v2/devices",
        "/v2/devices/",
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
fn an_added_operation_gets_the_next_place_and_is_found() {
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
fn a_slip_of_the_finger_is_answered_with_the_id_that_was_meant() {
    let catalogue = Catalogue::builtin();
    assert_eq!(catalogue.suggest("getDevcies"), Some("getDevices"));
    assert_eq!(
        catalogue.suggest("RUNSCRIPTONDEVICE"),
        Some("runScriptOnDevice")
    );
    assert_eq!(catalogue.suggest("zzzzqqqq"), None);
}

#[test]
fn the_operations_that_matter_most_are_classed_as_they_should_be() {
    let catalogue = Catalogue::builtin();
    let run = catalogue.by_id("runScriptOnDevice").unwrap();
    assert_eq!(
        (run.class, run.required_identity),
        (RiskClass::Dangerous, RequiredIdentity::User)
    );
    let upload = catalogue.by_id("uploadTempAttachments").unwrap();
    assert_eq!(upload.payload, Payload::Upload);
    let of_class = |class| {
        catalogue
            .all()
            .iter()
            .filter(|it| it.class == class)
            .count()
    };
    assert_eq!(RiskClass::ALL.map(of_class), [146, 7, 126, 36]);
    assert_eq!(
        catalogue
            .all()
            .iter()
            .filter(|it| it.secrets_parameter.is_some())
            .count(),
        4
    );
}

#[test]
fn a_query_asks_for_secrets_unless_it_plainly_does_not() {
    let catalogue = Catalogue::builtin();
    let report = catalogue.by_id("getCustomFieldsReport").unwrap();
    for asking in [
        "showSecureValues=true",
        "showSecureValues",
        "showSecureValues=",
        "showSecureValues=False",
        "SHOWSECUREVALUES=false",
        "a=b&showsecurevalues=true",
        "showSecureValues=false&showSecureValues=true",
        "showSecureValues=false;showSecureValues=true",
        "a=1;showSecureValues=false",
        "show%53ecureValues=true",
        "%73howSecureValues=true",
        "show%2553ecureValues=true",
        "show%252553ecureValues=true",
        "show%25252553ecureValues=true",
        "a=1%26showSecureValues=true",
        "a=1%2526showSecureValues=true",
        "+showSecureValues=true",
        "showSecureValues%3Dtrue",
        "showSecureValues[]=true",
        "showSecureValues=false%26showSecureValues%3Dtrue",
        "show%C5%BFecureValues=true",
        "show%c1%b3ecureValues=true",
    ] {
        assert!(report.requests_secrets(Some(asking)), "{asking}");
    }
    for plain in [
        "",
        "df=org%20%3D%202&pageSize=100",
        "df=name+eq+100%25",
        "showSecureValues=false",
        "pageSize=5&showSecureValues=false&showSecureValues=false",
        "df=caf%C3%A9",
    ] {
        assert!(!report.requests_secrets(Some(plain)), "{plain}");
    }
    assert!(!report.requests_secrets(None));
}

#[test]
fn an_operation_without_the_switch_never_asks_for_secrets() {
    let catalogue = Catalogue::builtin();
    let devices = catalogue.by_id("getDevices").unwrap();
    assert!(!devices.requests_secrets(Some("showSecureValues=true")));
}

/// Each character of `text` as it is or percent-encoded, as `how` says, and that `rounds` times over.
fn disguised(text: &str, how: &[bool], rounds: usize) -> String {
    let mut text = text.to_owned();
    for _ in 0..rounds {
        let mut next = String::new();
        for (index, byte) in text.bytes().enumerate() {
            if byte == b'%' || how[index % how.len()] {
                write!(next, "%{byte:02x}").unwrap();
            } else {
                next.push(char::from(byte));
            }
        }
        text = next;
    }
    text
}

proptest! {
    #[test]
    fn no_encoding_hides_the_question_for_secrets(
        how in proptest::collection::vec(any::<bool>(), 1..20),
        rounds in 0_usize..6,
        before in "[a-z0-9=&;%+.]{0,12}",
        after in "[a-z0-9=&;%+.]{0,12}",
    ) {
        let catalogue = Catalogue::builtin();
        let report = catalogue.by_id("getCustomFieldsReport").unwrap();
        let asked = disguised("showSecureValues=true", &how, rounds);
        let query = format!("{before}&{asked}&{after}");
        prop_assert!(report.requests_secrets(Some(&query)), "{query}");
    }

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
