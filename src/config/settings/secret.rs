//! Where a secret is kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a secret is kept: exactly one of the four.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SecretRef {
    /// A file that only its owner may read.
    pub file: Option<String>,
    /// An environment variable.
    pub env: Option<String>,
    /// A systemd credential, Docker secret or Kubernetes secret.
    pub credential: Option<String>,
    /// A command that prints the secret.
    pub exec: Option<Vec<String>>,
}
