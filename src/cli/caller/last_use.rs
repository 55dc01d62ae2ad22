//! When each caller last asked, as the running proxy knows it: since its start, and nothing without one.

use std::collections::HashMap;

use crate::{
    admin::status_snapshot::StatusSnapshot,
    cli::{
        admin_args::AdminArgs,
        context::Context,
        running_proxy::{RunningProxyError, find_with_status},
    },
    config::read::sources::Sources,
    files::is_same_file,
};

/// The last use of callers by name.
#[derive(Debug, Default)]
pub(super) struct LastUse {
    /// None if no proxy runs with this configuration, or it may not be asked.
    running: Option<HashMap<String, Option<String>>>,
    /// Why a proxy that runs may not be asked.
    refused: Option<String>,
}

impl LastUse {
    /// Asks the running proxy. One that runs with another file says nothing of these callers.
    pub(super) async fn ask(context: &Context, sources: &Sources) -> Self {
        let asked = find_with_status(context, &AdminArgs::default()).await;
        match asked {
            Ok((_, status)) => {
                let file = status.config.file.as_deref();
                let is_ours = file.is_some_and(|it| is_same_file(it.as_ref(), &sources.file));
                Self {
                    running: is_ours.then(|| last_used(status)),
                    refused: None,
                }
            }
            // None runs.
            Err(RunningProxyError::NotFound | RunningProxyError::Unreachable { .. }) => {
                Self::default()
            }
            Err(error) => Self {
                running: None,
                refused: Some(error.to_string()),
            },
        }
    }

    /// Why nothing is known although a proxy runs.
    pub(super) fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// In RFC 3339; none if it was not used since the start, or no proxy says so.
    pub(super) fn of(&self, caller: &str) -> Option<&str> {
        self.running.as_ref()?.get(caller)?.as_deref()
    }

    /// Whether a running proxy knows the caller.
    pub(super) fn is_known(&self, caller: &str) -> bool {
        let running = self.running.as_ref();
        running.is_some_and(|it| it.contains_key(caller))
    }
}

fn last_used(status: StatusSnapshot) -> HashMap<String, Option<String>> {
    let callers = status.callers.into_iter();
    callers.map(|it| (it.name, it.last_used)).collect()
}
