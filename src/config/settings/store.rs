//! The settings of the store.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::caller::OneOrMany;

/// What outlives the process, encrypted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// The directory; `$STATE_DIRECTORY` or "/var/lib/ninjaone-proxy" if not set. An ordinary user on a terminal who cannot
    /// write there gets "store" in their own state directory.
    pub path: Option<String>,
    /// Where the key is kept that the store is encrypted with. Of several, the first seals and the others only open.
    #[schemars(extend("x-secret" = "seal"))]
    pub seal: Option<OneOrMany<SealRef>>,
}

/// Where a key of 32 bytes (raw, in hex or in base64) or a passphrase is kept: exactly one of the five.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SealRef {
    /// A file that only its owner may read.
    pub file: Option<String>,
    /// An environment variable.
    pub env: Option<String>,
    /// A systemd credential, Docker secret or Kubernetes secret.
    pub credential: Option<String>,
    /// A command that prints the key.
    pub exec: Option<Vec<String>>,
    /// A file that only its owner may read, with a passphrase of at least 12 characters.
    pub passphrase_file: Option<String>,
}
