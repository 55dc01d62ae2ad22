//! The built-in catalogue against what NinjaOne describes.

use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use ninjaone_proxy::{
    net::Method,
    ninjaone::{
        catalogue::Catalogue,
        operation::{Payload, RequiredIdentity, RiskClass},
    },
};
use serde_json::Value;

const DIGEST: &str = include_str!("../../vectors/openapi-digest.tsv");

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
