//! Loads the settings from files and environment, with the origin of each.

use ::config::{Map, Value};
use toml::de::DeTable;

use crate::config::settings::Settings;

use super::{
    diagnostics::{ConfigurationError, Diagnostics, SourceLocation},
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
    /// The files and directories that could not be read, and why.
    pub(crate) unreadable: Option<ConfigurationError>,
    /// The places that are not TOML, and why: what stands there may be missing from the settings.
    pub(crate) broken: Option<ConfigurationError>,
}

/// Reads everything. What is wrong is reported as a diagnostic and left out of the settings.
#[must_use]
pub fn read(sources: &Sources) -> LoadedSettings {
    let schema = Schema::from_json_schema(&json_schema::json_schema());
    let mut diagnostics = Diagnostics::default();
    let mut provenance = ProvenanceMap::default();
    let mut files = sources::read(sources, &mut diagnostics);
    let mut layers = Vec::new();
    let mut written = Vec::new();
    let mut broken = Diagnostics::default();
    let unreadable = diagnostics.errors_so_far();
    let mut is_incomplete = unreadable.is_some();
    for (file, text) in files.iter_mut().enumerate() {
        // Only the main file, which is read first, may hold anything but callers.
        let is_caller_file = text.name != sources.file.display().to_string();
        let layer = read_layer(file, text, is_caller_file, &schema, &mut diagnostics);
        is_incomplete |= layer.is_incomplete;
        layers.push(layer.values);
        written.push(layer.provenance);
        broken.append(layer.broken);
    }
    for own in written {
        reject_duplicate_callers(&provenance, &own, &files, &mut diagnostics);
        provenance.append(own);
    }
    let variables = environment::read(
        &sources.environment,
        &schema,
        &mut provenance,
        &mut diagnostics,
    );
    layers.extend(variables);
    let settings = layers::merge(layers).unwrap_or_else(|error| {
        diagnostics.error(
            SourceLocation::Unknown,
            format!("the settings do not fit together: {error}"),
            None,
        );
        Settings::default()
    });
    if settings.caller.len() > CALLERS_MAX {
        diagnostics.error(
            SourceLocation::Unknown,
            format!("there are more than {CALLERS_MAX} callers"),
            None,
        );
    }
    let broken = broken.into_error(&files);
    let broken = (!broken.as_slice().is_empty()).then_some(broken);
    LoadedSettings {
        settings,
        provenance,
        files,
        diagnostics,
        is_incomplete,
        unreadable,
        broken,
    }
}

struct FileLayer {
    values: Map<String, Value>,
    provenance: ProvenanceMap,
    is_incomplete: bool,
    /// Its places that are not TOML.
    broken: Diagnostics,
}

fn read_layer(
    file: usize,
    text: &mut SourceFile,
    is_caller_file: bool,
    schema: &Schema,
    diagnostics: &mut Diagnostics,
) -> FileLayer {
    let content = text.content().to_owned();
    let (document, errors) = DeTable::parse_recoverable(&content);
    let mut broken_lines = Vec::new();
    let mut broken = Diagnostics::default();
    for error in &errors {
        let bytes = error.span().unwrap_or(0..0);
        broken_lines.push(text.position(bytes.start).line);
        text.redact_assignment(bytes.start);
        let message = format!("this is not TOML: {}", error.message());
        broken.error(
            SourceLocation::span(file, bytes.clone()),
            message.clone(),
            None,
        );
        diagnostics.error(SourceLocation::span(file, bytes), message, None);
    }
    let mut own_provenance = ProvenanceMap::default();
    let mut own_diagnostics = Diagnostics::default();
    let mut reader = DocumentReader {
        document: DocumentSource::File(file),
        provenance: &mut own_provenance,
        diagnostics: &mut own_diagnostics,
        redacted: Vec::new(),
    };
    let mut values = reader.table(document.get_ref(), schema, &KeyPath::root());
    for bytes in reader.redacted {
        text.redact(bytes);
    }
    // What the parser made of a broken line does not say what was meant.
    own_diagnostics.discard_lines(&broken_lines, |offset| text.position(offset).line);
    diagnostics.append(own_diagnostics);
    if is_caller_file {
        values.retain(|key, _| key == "caller");
        reject_other_sections(&own_provenance, diagnostics);
    }
    FileLayer {
        values,
        provenance: own_provenance,
        is_incomplete: !errors.is_empty(),
        broken,
    }
}

fn reject_other_sections(provenance: &ProvenanceMap, diagnostics: &mut Diagnostics) {
    for (path, origin) in provenance.iter() {
        if let [section] = path.keys()
            && section != "caller"
        {
            diagnostics.error(
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
    files: &[SourceFile],
    diagnostics: &mut Diagnostics,
) {
    for (path, origin) in new.iter() {
        let [section, name] = path.keys() else {
            continue;
        };
        if section != "caller" {
            continue;
        }
        if let Some(Provenance::File { file, key, .. }) = known.get(path) {
            let hint = files.get(*file).map(|text| {
                let line = text.position(key.start).line;
                format!("the other one is at {}:{line}", text.name)
            });
            diagnostics.error(
                SourceLocation::key(origin),
                format!("caller `{name}` is defined twice"),
                hint,
            );
        }
    }
}
