//! The flags of `init`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(in crate::cli) struct InitArgs {
    /// Where the tenant is: us, us2, eu, ca, oc, fed or jp
    #[arg(long, conflicts_with = "url")]
    pub(super) region: Option<String>,
    /// Where the tenant is, if it has a host of its own: <https://acme.rmmservice.com>
    #[arg(long)]
    pub(super) url: Option<String>,
    /// The client id of an application of the platform API Services
    #[arg(long, value_name = "ID")]
    pub(super) client_id: Option<String>,
    /// A file with its client secret, readable by its owner alone; the configuration will refer to it
    #[arg(long, value_name = "FILE")]
    pub(super) client_secret_file: Option<PathBuf>,
    /// What the tenant is called here
    #[arg(long, default_value = "main")]
    pub(super) tenant: String,
    /// The client id of a Native application besides, for what NinjaOne allows to people only; makes the store's key too
    #[arg(long, value_name = "ID")]
    pub(super) user_client_id: Option<String>,
    /// Write without trying whether NinjaOne takes the credentials
    #[arg(long)]
    pub(super) untried: bool,
}
