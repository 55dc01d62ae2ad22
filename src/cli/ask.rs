//! Commands that ask the running proxy first, and go by the files where none is to be asked.

use std::{
    io::{self, Write},
    path::Path,
    time::Duration,
};

use http::StatusCode;
use serde_json::Value;

use crate::{
    admin::{plain_text::escape_control_in_lines, status_snapshot::StatusSnapshot},
    files::is_same_file,
};

use super::{
    admin_args::AdminArgs,
    context::Context,
    exit::ExitStatus,
    running_proxy::{RunningProxy, RunningProxyError},
};

const FORBIDDEN: u16 = StatusCode::FORBIDDEN.as_u16();

/// Who answers a command.
pub(super) enum Answerer {
    Proxy(Box<AskedProxy>),
    /// The files. A proxy may run that this user may not ask: then this says so.
    Files(Option<RunningProxyError>),
}

/// The running proxy that a command means.
pub(super) struct AskedProxy {
    proxy: RunningProxy,
    pub(super) status: StatusSnapshot,
    /// Whether the user has said which proxy is meant.
    is_named: bool,
}

/// Why a question has no answer. The texts are for the operator.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error(transparent)]
    Proxy(#[from] RunningProxyError),
    /// The proxy's own words.
    #[error("the proxy at {at} says: {text}")]
    Told {
        at: String,
        status: StatusCode,
        text: String,
    },
}

impl AskError {
    /// Whether the same question may be answered in a while: the proxy is busy or stops, or it took too long.
    pub(super) const fn exit(&self) -> ExitStatus {
        let status = match self {
            Self::Told { status, .. } | Self::Proxy(RunningProxyError::Refused { status, .. }) => {
                *status
            }
            Self::Proxy(_) => return ExitStatus::Failed,
        };
        match status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                ExitStatus::TryAgainLater
            }
            _ => ExitStatus::Failed,
        }
    }

    /// Says why there is no answer.
    ///
    /// # Errors
    /// `err` cannot be written to.
    pub(super) fn report(&self, err: &mut dyn Write) -> io::Result<ExitStatus> {
        match self {
            Self::Proxy(error) => error.report(err)?,
            Self::Told { .. } => writeln!(err, "error: {self}")?,
        }
        Ok(self.exit())
    }
}

/// The proxy that is named, else the one that is found. Whoever names a configuration means the proxy that runs with it.
///
/// # Errors
/// The proxy that is named cannot be asked.
pub(super) async fn find_answerer(
    context: &Context,
    args: &AdminArgs,
    by_files: bool,
) -> Result<Answerer, RunningProxyError> {
    if by_files {
        return Ok(Answerer::Files(None));
    }
    let is_named = RunningProxy::is_named(context, args);
    let asked = match RunningProxy::find(context, args) {
        Ok(proxy) => proxy.status().await.map(|status| (proxy, status)),
        Err(error) => Err(error),
    };
    match asked {
        Ok((proxy, status)) if args.admin.is_some() || is_meant(context, &status) => {
            Ok(Answerer::Proxy(Box::new(AskedProxy {
                proxy,
                status,
                is_named,
            })))
        }
        Err(error) if is_named => Err(error),
        Err(error) if says_who_may_ask(&error) => Ok(Answerer::Files(Some(error))),
        Ok(_) | Err(_) => Ok(Answerer::Files(None)),
    }
}

/// Whether there is a proxy, and this user may not ask it.
const fn says_who_may_ask(error: &RunningProxyError) -> bool {
    match error {
        RunningProxyError::Forbidden { .. } | RunningProxyError::ForeignOwner { .. } => true,
        RunningProxyError::Refused { status, .. } => status.as_u16() == FORBIDDEN,
        _ => false,
    }
}

fn is_meant(context: &Context, running: &StatusSnapshot) -> bool {
    match (context.named_config(), &running.config.file) {
        (Some(wanted), Some(file)) => is_same_file(wanted, Path::new(file)),
        _ => true,
    }
}

impl AskedProxy {
    /// Where it is asked, for messages.
    pub(super) fn describe(&self) -> String {
        self.proxy.describe()
    }

    /// Whether it is on this machine, so that its files may be here.
    pub(super) const fn is_on_this_machine(&self) -> bool {
        self.proxy.has_socket()
    }

    /// Where its audit log is on this machine; none where it is elsewhere, or in memory.
    pub(super) fn audit_directory(&self) -> Option<&Path> {
        let file = Path::new(&self.status.audit.path);
        let is_here = self.is_on_this_machine() && file.is_absolute();
        file.parent().filter(|_| is_here)
    }

    /// # Errors
    /// There is no answer, or the proxy says why it has none.
    pub(super) async fn ask(
        &self,
        path: &str,
        question: &Value,
        time_limit: Duration,
    ) -> Result<Value, AskError> {
        let posted = self.proxy.post_for_status(path, question, time_limit);
        let (status, body) = posted.await?;
        let answer: Value = serde_json::from_slice(&body)
            .map_err(|_| RunningProxyError::NotUnderstood(self.describe()))?;
        if answer["schema"] == "error/1" {
            return Err(AskError::Told {
                at: self.describe(),
                status,
                text: escape_control_in_lines(answer["error"].as_str().unwrap_or_default()),
            });
        }
        Ok(answer)
    }

    /// Whether the user has said that this one is meant.
    pub(super) const fn is_named(&self) -> bool {
        self.is_named
    }

    /// The proxy itself, to ask it more.
    pub(super) fn into_proxy(self) -> RunningProxy {
        self.proxy
    }

    /// Whether the files are to answer instead: nobody has named this proxy, and it does not take the question.
    pub(super) fn leaves_it_to_files(&self, error: &AskError) -> bool {
        !self.is_named && matches!(error, AskError::Proxy(_))
    }

    /// Whether an answer is that this user may not ask, of a proxy that nobody has named.
    pub(super) fn may_not_be_asked(&self, answer: &Value) -> bool {
        !self.is_named && answer["error"] == "not-permitted"
    }

    /// Says that the files answer, where that is a surprise.
    ///
    /// # Errors
    /// `err` cannot be written to.
    pub(super) fn note_files(&self, error: &AskError, err: &mut dyn Write) -> io::Result<()> {
        let needs_proof = matches!(
            error,
            AskError::Proxy(RunningProxyError::Refused {
                status: StatusCode::UNAUTHORIZED,
                ..
            })
        );
        if needs_proof && !self.is_on_this_machine() {
            return Ok(());
        }
        writeln!(err, "note: {error}; the files answer instead")
    }
}

/// Takes what is for the command alone out of an answer: its text, fit for a terminal whoever wrote it, and its exit code.
pub(super) fn take_text_and_exit(answer: &mut Value) -> (Option<String>, Option<u64>) {
    let Some(members) = answer.as_object_mut() else {
        return (None, None);
    };
    let text = members.shift_remove("text");
    let exit = members.shift_remove("exit");
    let text = text.and_then(|it| it.as_str().map(escape_control_in_lines));
    (text, exit.and_then(|it| it.as_u64()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_text_of_whoever_answers_does_not_control_the_terminal() {
        let mut answer = json!({ "text": "one\u{1b}[2J\ntwo\n", "exit": 0 });
        let (text, exit) = take_text_and_exit(&mut answer);
        assert_eq!(text.unwrap(), "one\u{fffd}[2J\ntwo\n");
        assert_eq!(exit, Some(0));
    }

    #[test]
    fn only_what_may_pass_is_to_be_tried_again() {
        let told = |status| AskError::Told {
            at: String::new(),
            status,
            text: String::new(),
        };
        for (status, code) in [(503, 75), (504, 75), (400, 1), (404, 1), (409, 1)] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(u8::from(told(status).exit()), code, "{status}");
        }
    }
}
