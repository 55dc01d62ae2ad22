//! Reads the settings: finds the files, parses them and the environment against the schema, records where each setting was
//! written, and collects everything that is wrong.

pub mod diagnostics;
pub(in crate::config) mod document_reader;
pub(in crate::config) mod environment;
pub mod json_schema;
pub(crate) mod key_path;
pub(in crate::config) mod layers;
pub mod load;
pub(crate) mod provenance;
pub mod schema;
pub(crate) mod source_file;
pub mod sources;
pub(in crate::config) mod suggestion;
pub(in crate::config) mod unsupported;
