//! The configuration of the proxy that `$NJP_ADMIN` names: commands that work on files take that one, and no other that
//! happens to be found.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

use crate::admin::accounts;

use super::{
    admin_args::AdminArgs,
    context::{Context, FollowedFile},
    path_trust,
    running_proxy::{RunningProxy, RunningProxyError, find_with_status},
};

/// Leads `context` there, unless `--config` names a configuration.
///
/// # Errors
/// The proxy that is named does not answer.
pub(super) async fn follow_named_proxy(context: &mut Context) -> Result<(), RunningProxyError> {
    let args = AdminArgs::default();
    if context.named_config().is_some() || !RunningProxy::is_named(context, &args) {
        return Ok(());
    }
    let (proxy, running) = find_with_status(context, &args).await?;
    let at = proxy.describe();
    let followed = match running.config.file {
        // Whoever listens on a port, here or elsewhere, does not say which of our files is changed.
        _ if !proxy.has_socket() => FollowedFile::Unknown(format!(
            "$NJP_ADMIN is an address, so the files of the proxy at {at} are not known here"
        )),
        None => FollowedFile::Unknown(format!("the proxy at {at} has no configuration file")),
        Some(file) => file_of(Path::new(&file), &at),
    };
    context.follow(followed);
    Ok(())
}

/// The file that a proxy names. A proxy of somebody else may name a file of theirs, whose secrets are commands.
fn file_of(file: &Path, at: &str) -> FollowedFile {
    let named = file.display();
    let (real, owner) = match fs::canonicalize(file).and_then(|it| Ok((fs::metadata(&it)?, it))) {
        Ok((found, real)) => (real, accounts::user_name(found.uid())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return FollowedFile::Unknown(format!(
                "{named}, which the proxy at {at} runs with, is not on this file system; is it in a container?"
            ));
        }
        Err(error) => {
            return FollowedFile::Unknown(format!(
                "{named}, which the proxy at {at} runs with, cannot be read by you: {error}"
            ));
        }
    };
    if path_trust::is_ours(&real) {
        return FollowedFile::File(file.to_owned());
    }
    FollowedFile::Unknown(format!(
        "{named}, which the proxy at {at} runs with, belongs to {owner} or can be replaced by others than root and you"
    ))
}
