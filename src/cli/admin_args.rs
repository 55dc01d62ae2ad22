//! The flags that say which running proxy a command asks.

use std::path::PathBuf;

/// Which running proxy a command asks.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct AdminArgs {
    /// Running proxy to ask: path of its admin socket, or URL of its admin listener
    #[arg(long, value_name = "PATH|URL")]
    pub admin: Option<String>,
    /// File with a key of [[admin.access]], for an admin listener
    #[arg(long, value_name = "FILE")]
    pub admin_key_file: Option<PathBuf>,
}
