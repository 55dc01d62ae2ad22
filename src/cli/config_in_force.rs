//! `config show` of what the running proxy has in force.

use std::io::{self, Write};

use crate::config::effective_settings::{self, EffectiveSetting};

use super::{
    config::{ConfigArgs, ConfigCommand, ConfigShowArgs, print_settings},
    context::Context,
    exit::ExitStatus,
    running_proxy::{RunningProxy, RunningProxyError},
};

/// `config show` of what the running proxy has in force; `None` if the files are to be shown.
///
/// # Errors
/// `out` or `err` cannot be written.
pub(super) async fn show(
    args: &ConfigArgs,
    context: &Context,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Option<ExitStatus>> {
    let ConfigCommand::Show(args) = &args.command else {
        return Ok(None);
    };
    match in_force(args, context).await {
        Ok(None) => Ok(None),
        Ok(Some((settings, at))) => {
            if !context.quiet {
                writeln!(err, "In force in the proxy at {at}:")?;
            }
            print_settings(&settings, context.json, out).map(Some)
        }
        Err(error) => {
            writeln!(err, "error: {error}")?;
            Ok(Some(ExitStatus::Failed))
        }
    }
}

/// What the running proxy has in force, and where it was asked; `None` where none runs or the files are asked for. A proxy that
/// runs with another configuration than the one that is named is not meant.
async fn in_force(
    args: &ConfigShowArgs,
    context: &Context,
) -> Result<Option<(Vec<EffectiveSetting>, String)>, RunningProxyError> {
    let is_named = args.admin.admin.is_some();
    if args.offline || (context.named_config().is_some() && !is_named) {
        return Ok(None);
    }
    let asked = match RunningProxy::find(context, &args.admin) {
        Ok(proxy) => proxy.get("/config").await.map(|body| (proxy, body)),
        Err(error) => Err(error),
    };
    let (proxy, body) = match asked {
        Ok(asked) => asked,
        Err(error) if is_named => return Err(error),
        Err(_) => return Ok(None),
    };
    let shown = serde_json::from_slice(&body).ok();
    let settings = shown.and_then(effective_settings::from_json);
    let settings = settings.ok_or_else(|| RunningProxyError::NotUnderstood(proxy.describe()))?;
    Ok(Some((settings, proxy.describe())))
}
