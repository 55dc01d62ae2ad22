//! The flags of `init`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(in crate::cli) struct InitArgs {
    /// Region of the tenant: us, us2, eu, ca, oc, fed or jp
    #[arg(long, conflicts_with = "url")]
    pub(super) region: Option<String>,
    // Not a doc comment: a URL needs angle brackets there, and clap would print them.
    #[arg(
        long,
        help = "URL of the tenant, if it has a host of its own, such as https://acme.rmmservice.com"
    )]
    pub(super) url: Option<String>,
    /// Client ID of an application of the platform API Services
    #[arg(long, value_name = "ID")]
    pub(super) client_id: Option<String>,
    /// File with its client secret, readable only by its owner; the configuration will refer to it
    #[arg(long, value_name = "FILE")]
    pub(super) client_secret_file: Option<PathBuf>,
    /// Name of the tenant in this configuration
    #[arg(long, default_value = "main")]
    pub(super) tenant: String,
    /// Client ID of a Native application too, for what NinjaOne allows only to users; also makes the store's key
    #[arg(long, value_name = "ID")]
    pub(super) user_client_id: Option<String>,
    /// Write without trying the credentials at NinjaOne
    #[arg(long)]
    pub(super) untried: bool,
}
