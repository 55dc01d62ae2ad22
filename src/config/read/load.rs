//! Loads the settings from files and environment, with the origin of each.

use ::config::{Map, Value};
use toml::de::DeTable;

use crate::config::settings::Settings;

use super::{
    diagnostics::{At, Findings},
    document_reader::{Document, Reader},
    environment, json_schema,
    key_path::KeyPath,
    layers,
    provenance::{Origin, Origins},
    schema::Shape,
    source_file::Text,
    sources::{self, Sources},
};

/// Most callers.
pub(crate) const CALLERS_MAX: usize = 10_000;

/// The settings in force, and where each comes from.
pub struct Written {
    pub settings: Settings,
    pub(crate) origins: Origins,
    pub(crate) texts: Vec<Text>,
    pub(crate) findings: Findings,
    /// A file could not be read completely: what seems to be missing may be in it.
    pub(crate) is_broken: bool,
}

/// Reads everything. What is wrong is reported in the findings and left out of the settings.
#[must_use]
pub fn read(sources: &Sources) -> Written {
    let shape = Shape::of(&json_schema::json_schema());
    let mut findings = Findings::default();
    let mut origins = Origins::default();
    let mut texts = sources::read(sources, &mut findings);
    let mut layers = Vec::new();
    let mut written = Vec::new();
    let mut is_broken = findings.has_errors();
    for (file, text) in texts.iter_mut().enumerate() {
        // Only the main file, which is read first, may hold anything but callers.
        let is_caller_file = text.name != sources.file.display().to_string();
        let layer = read_text(file, text, is_caller_file, &shape, &mut findings);
        is_broken |= layer.is_broken;
        layers.push(layer.values);
        written.push(layer.origins);
    }
    for own in written {
        refuse_twice(&origins, &own, &texts, &mut findings);
        origins.append(own);
    }
    let variables = environment::read(&sources.environment, &shape, &mut origins, &mut findings);
    layers.extend(variables);
    let settings = layers::join(layers).unwrap_or_else(|error| {
        findings.error(
            At::Nowhere,
            format!("the settings do not fit together: {error}"),
            None,
        );
        Settings::default()
    });
    if settings.caller.len() > CALLERS_MAX {
        findings.error(
            At::Nowhere,
            format!("there are more than {CALLERS_MAX} callers"),
            None,
        );
    }
    Written {
        settings,
        origins,
        texts,
        findings,
        is_broken,
    }
}

struct Layer {
    values: Map<String, Value>,
    origins: Origins,
    is_broken: bool,
}

fn read_text(
    file: usize,
    text: &mut Text,
    is_caller_file: bool,
    shape: &Shape,
    findings: &mut Findings,
) -> Layer {
    let content = text.content().to_owned();
    let (document, errors) = DeTable::parse_recoverable(&content);
    let mut broken_lines = Vec::new();
    for error in &errors {
        let bytes = error.span().unwrap_or(0..0);
        broken_lines.push(text.position(bytes.start).line);
        text.hide_assigned(bytes.start);
        let message = format!("this is not TOML: {}", error.message());
        findings.error(At::bytes(file, bytes), message, None);
    }
    let mut own_origins = Origins::default();
    let mut own_findings = Findings::default();
    let mut reader = Reader {
        document: Document::File(file),
        origins: &mut own_origins,
        findings: &mut own_findings,
        hidden: Vec::new(),
    };
    let mut values = reader.table(document.get_ref(), shape, &KeyPath::top());
    for bytes in reader.hidden {
        text.hide(bytes);
    }
    // What the parser made of a broken line does not say what was meant.
    own_findings.drop_lines(&broken_lines, |offset| text.position(offset).line);
    findings.append(own_findings);
    if is_caller_file {
        values.retain(|key, _| key == "caller");
        refuse_other_sections(&own_origins, findings);
    }
    Layer {
        values,
        origins: own_origins,
        is_broken: !errors.is_empty(),
    }
}

fn refuse_other_sections(origins: &Origins, findings: &mut Findings) {
    for (path, origin) in origins.iter() {
        if let [section] = path.keys()
            && section != "caller"
        {
            findings.error(
                At::key(origin),
                format!("a caller file holds [caller.NAME] only, not `{section}`"),
                Some("write it into the main configuration file".into()),
            );
        }
    }
}

fn refuse_twice(known: &Origins, new: &Origins, texts: &[Text], findings: &mut Findings) {
    for (path, origin) in new.iter() {
        let [section, name] = path.keys() else {
            continue;
        };
        if section != "caller" {
            continue;
        }
        if let Some(Origin::File { file, key, .. }) = known.get(path) {
            let hint = texts.get(*file).map(|text| {
                let line = text.position(key.start).line;
                format!("the other one is at {}:{line}", text.name)
            });
            findings.error(
                At::key(origin),
                format!("caller `{name}` is defined twice"),
                hint,
            );
        }
    }
}
