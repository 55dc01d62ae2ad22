//! Loads the settings from files and environment, with the origin of each.

use ::config::{Map, Value};
use toml::de::DeTable;

use crate::config::settings::Settings;

use super::{
    diagnostics::{Diagnostics, SourceLocation},
    document_reader::{DocumentReader, DocumentSource},
    environment, json_schema,
    key_path::KeyPath,
    layers,
    provenance::{Provenance, ProvenanceMap},
    schema::Schema,
    source_file::SourceFile,
    sources::{self, Sources},
};

/// Most callers.
pub(crate) const CALLERS_MAX: usize = 10_000;

/// The settings in force, and where each comes from.
pub struct LoadedSettings {
    pub settings: Settings,
    pub(crate) provenance: ProvenanceMap,
    pub(crate) files: Vec<SourceFile>,
    pub(crate) diagnostics: Diagnostics,
    /// A file could not be read completely: what seems to be missing may be in it.
    pub(crate) is_incomplete: bool,
}

/// Reads everything. What is wrong is reported in the findings and left out of the settings.
#[must_use]
pub fn read(sources: &Sources) -> LoadedSettings {
    let shape = Schema::from_json_schema(&json_schema::json_schema());
    let mut findings = Diagnostics::default();
    let mut origins = ProvenanceMap::default();
    let mut texts = sources::read(sources, &mut findings);
    let mut layers = Vec::new();
    let mut written = Vec::new();
    let mut is_broken = findings.has_errors();
    for (file, text) in texts.iter_mut().enumerate() {
        // Only the main file, which is read first, may hold anything but callers.
        let is_caller_file = text.name != sources.file.display().to_string();
        let layer = read_layer(file, text, is_caller_file, &shape, &mut findings);
        is_broken |= layer.is_incomplete;
        layers.push(layer.values);
        written.push(layer.provenance);
    }
    for own in written {
        reject_duplicate_callers(&origins, &own, &texts, &mut findings);
        origins.append(own);
    }
    let variables = environment::read(&sources.environment, &shape, &mut origins, &mut findings);
    layers.extend(variables);
    let settings = layers::merge(layers).unwrap_or_else(|error| {
        findings.error(
            SourceLocation::Unknown,
            format!("the settings do not fit together: {error}"),
            None,
        );
        Settings::default()
    });
    if settings.caller.len() > CALLERS_MAX {
        findings.error(
            SourceLocation::Unknown,
            format!("there are more than {CALLERS_MAX} callers"),
            None,
        );
    }
    LoadedSettings {
        settings,
        provenance: origins,
        files: texts,
        diagnostics: findings,
        is_incomplete: is_broken,
    }
}

struct FileLayer {
    values: Map<String, Value>,
    provenance: ProvenanceMap,
    is_incomplete: bool,
}

fn read_layer(
    file: usize,
    text: &mut SourceFile,
    is_caller_file: bool,
    shape: &Schema,
    findings: &mut Diagnostics,
) -> FileLayer {
    let content = text.content().to_owned();
    let (document, errors) = DeTable::parse_recoverable(&content);
    let mut broken_lines = Vec::new();
    for error in &errors {
        let bytes = error.span().unwrap_or(0..0);
        broken_lines.push(text.position(bytes.start).line);
        text.redact_assignment(bytes.start);
        let message = format!("this is not TOML: {}", error.message());
        findings.error(SourceLocation::span(file, bytes), message, None);
    }
    let mut own_origins = ProvenanceMap::default();
    let mut own_findings = Diagnostics::default();
    let mut reader = DocumentReader {
        document: DocumentSource::File(file),
        provenance: &mut own_origins,
        diagnostics: &mut own_findings,
        redacted: Vec::new(),
    };
    let mut values = reader.table(document.get_ref(), shape, &KeyPath::root());
    for bytes in reader.redacted {
        text.redact(bytes);
    }
    // What the parser made of a broken line does not say what was meant.
    own_findings.discard_lines(&broken_lines, |offset| text.position(offset).line);
    findings.append(own_findings);
    if is_caller_file {
        values.retain(|key, _| key == "caller");
        reject_other_sections(&own_origins, findings);
    }
    FileLayer {
        values,
        provenance: own_origins,
        is_incomplete: !errors.is_empty(),
    }
}

fn reject_other_sections(origins: &ProvenanceMap, findings: &mut Diagnostics) {
    for (path, origin) in origins.iter() {
        if let [section] = path.keys()
            && section != "caller"
        {
            findings.error(
                SourceLocation::key(origin),
                format!("a caller file holds [caller.NAME] only, not `{section}`"),
                Some("write it into the main configuration file".into()),
            );
        }
    }
}

fn reject_duplicate_callers(
    known: &ProvenanceMap,
    new: &ProvenanceMap,
    texts: &[SourceFile],
    findings: &mut Diagnostics,
) {
    for (path, origin) in new.iter() {
        let [section, name] = path.keys() else {
            continue;
        };
        if section != "caller" {
            continue;
        }
        if let Some(Provenance::File { file, key, .. }) = known.get(path) {
            let hint = texts.get(*file).map(|text| {
                let line = text.position(key.start).line;
                format!("the other one is at {}:{line}", text.name)
            });
            findings.error(
                SourceLocation::key(origin),
                format!("caller `{name}` is defined twice"),
                hint,
            );
        }
    }
}
