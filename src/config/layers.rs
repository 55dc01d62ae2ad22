//! The layers of the settings, each laid over the one before it: the file, the files of callers, the environment.

use ::config::{Config, ConfigError, Map, Source, Value};

use super::settings::Settings;

/// What one file or environment variable sets.
#[derive(Debug, Clone)]
struct Layer(Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

/// Lays the layers over each other, the last on top. Tables are joined, everything else is replaced.
///
/// # Errors
/// The result is not of the shape of [`Settings`], which the reader of the layers should have noticed.
pub(super) fn join(layers: Vec<Map<String, Value>>) -> Result<Settings, ConfigError> {
    let mut builder = Config::builder();
    for layer in layers {
        builder = builder.add_source(Layer(layer));
    }
    builder.build()?.try_deserialize()
}
