//! `doctor` in the running proxy: with its secrets, its store and its way to NinjaOne, which the user of the command may not have.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::{
    admin::inquiries::{DoctorPlace, DoctorQuestion, DoctorSource},
    app::status_collector::StatusCollector,
    config::Config,
};

use super::{
    Examination,
    check::{CheckName, DoctorCheck},
    configured, find_tenant,
    machine::FoundProxy,
};

/// Makes the checks on a thread of their own: none of them may hold up the admin listeners.
pub(crate) fn source(status: &Arc<StatusCollector>) -> DoctorSource {
    let status = Arc::clone(status);
    Box::new(move |question, place| {
        let status = Arc::clone(&status);
        Box::pin(async move {
            let examining = spawn_blocking(move || examine(&status, question, place));
            let examined = examining.await;
            examined.unwrap_or_else(|_| Err("the checks came to no end".to_owned()))
        })
    })
}

/// `doctor/1` with `source`, `text` and `exit`. The place is kept until the last check has ended.
fn examine(
    status: &StatusCollector,
    question: DoctorQuestion,
    place: DoctorPlace,
) -> Result<Value, String> {
    let config = status.settings.load_full();
    find_tenant(&config, question.tenant.as_deref())?;
    let examination = Examination {
        configuration: in_force(status, &config),
        found: FoundProxy::Own(Box::new(status.snapshot())),
        config,
        tenant: question.tenant,
        offline: question.offline,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("a runtime cannot be started: {error}"))?;
    let report = runtime.block_on(examination.run());
    // A disk that hangs does not keep the answer.
    runtime.shutdown_background();
    drop(place);
    let mut document = report.document();
    if let Some(members) = document.as_object_mut() {
        members.insert("source".to_owned(), json!("proxy"));
        members.insert("text".to_owned(), json!(report.text(question.brief)));
        let exit = report.verdict().exit_code();
        members.insert("exit".to_owned(), json!(exit));
    }
    Ok(document)
}

/// What is to say of the configuration in force.
fn in_force(status: &StatusCollector, config: &Config) -> DoctorCheck {
    let name = CheckName::Configuration;
    let state = status.config.load();
    let generation = status.rules.load().generation;
    let seen = format!("{} (generation {generation} in force)", configured(config));
    if let Some(error) = &state.last_error {
        return DoctorCheck::warning(
            name,
            format!("{seen}; the files have changed since and cannot be loaded: {error}"),
            "See every error: ninjaone-proxy config check",
        );
    }
    if !state.pending_restart.is_empty() {
        return DoctorCheck::warning(
            name,
            format!(
                "{seen}; changed, and waiting for a restart: {}",
                state.pending_restart.join(", ")
            ),
            "Restart the proxy for the change to take effect.",
        );
    }
    DoctorCheck::ok(name, seen)
}
