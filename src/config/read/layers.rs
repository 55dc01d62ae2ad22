//! Merges the layers of the settings: the main file, the files of callers, the environment. Later ones win.

use ::config::{Config, ConfigError, Map, Source, Value};

use crate::config::settings::Settings;

/// The settings of one file or environment variable.
#[derive(Debug, Clone)]
struct LayerSource(Map<String, Value>);

impl Source for LayerSource {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

/// Merges the layers; later ones win. Tables are merged, everything else is replaced.
///
/// # Errors
/// The result does not fit [`Settings`], which the reader of the layers should have reported.
pub(in crate::config) fn merge(layers: Vec<Map<String, Value>>) -> Result<Settings, ConfigError> {
    let mut builder = Config::builder();
    for layer in layers {
        builder = builder.add_source(LayerSource(layer));
    }
    builder.build()?.try_deserialize()
}
