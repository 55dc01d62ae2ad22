//! `run`: serves callers until told to stop.

use std::{
    future::Future,
    io::{self, Write},
    sync::Arc,
};

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use crate::{
    app::{
        VERSION, control_loop, journal,
        listeners::{InheritedSockets, ListenerOpenError},
        logging,
        port_holder::PortHolder,
        program::{Program, StartError},
        refusal_remedy::RulesInForce,
        reload::Reloader,
        request_log,
        shutdown_deadline::{self, ShutdownDeadline},
        signals::Signals,
        way_out::log_ways_out,
    },
    config::{AUDIT_PATH, BindAddress, Config, LogFormat, PathOrigin, STORE_PATH},
    credentials::login::refresh_calls::RefreshCalls,
    net::server::listener::BindError,
};

use super::{context::Context, exit::ExitStatus};

/// The setting that says where the admin socket is.
const ADMIN_SOCKET: &str = "admin.socket";

/// Runs a future on its own runtime. Blocking disk or resolver calls that are still under way at its end are abandoned.
///
/// # Errors
/// The runtime cannot be started.
pub(super) fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let output = runtime.block_on(future);
    runtime.shutdown_background();
    Ok(output)
}

/// Exit codes: 0 stopped as asked, 1 could not start, 78 configuration wrong.
///
/// # Errors
/// `err` cannot be written to. Only a wrong configuration is reported there, everything else in the log.
pub(super) fn run(context: &Context, err: &mut dyn Write) -> io::Result<ExitStatus> {
    // First, because loading may take long if a secret comes from a command, and so may the start.
    let calls = RefreshCalls::default();
    let deadline =
        shutdown_deadline::start(calls.clone(), |why| ExitStatus::from(why).end_process())?;
    let (config, warnings, sources) = match context.load_with_warnings() {
        Ok(loaded) => loaded,
        Err(problems) => {
            journal::write_error(err, &problems.to_string())?;
            return Ok(ExitStatus::ConfigurationWrong);
        }
    };
    let level = match (context.quiet, context.verbose) {
        (true, _) => "warn",
        (_, true) => "debug",
        _ => &config.telemetry.log_level,
    };
    let format = if context.json {
        LogFormat::Json
    } else {
        config.telemetry.log_format
    };
    logging::start(format, level)?;
    harden();
    for warning in &warnings {
        tracing::warn!(place = warning.location(), "{}", warning.message);
    }
    let file = sources.file.display().to_string();
    let reloader = Reloader::new(sources, &config);
    let ended = block_on(serve(config, &file, reloader, &deadline, calls));
    let ended = ended.and_then(|it| it);
    if let Err(error) = &ended {
        tracing::error!("{error}");
    }
    logging::flush();
    Ok(if ended.is_ok() {
        ExitStatus::Done
    } else {
        ExitStatus::Failed
    })
}

async fn serve(
    config: Config,
    file: &str,
    reloader: Reloader,
    deadline: &ShutdownDeadline,
    calls: RefreshCalls,
) -> io::Result<()> {
    let signals = Signals::new()?;
    // Only now that this task receives signals: until then a stop ends the process at once.
    deadline.set_drain_timeout(config.listen.drain_timeout);
    let mut inherited = InheritedSockets::from_process();
    let config = Arc::new(config);
    let rules = RulesInForce::default();
    let program = Program::start(
        &config,
        request_log::observer(config.telemetry.log_requests, rules.clone()),
        &mut inherited,
        calls,
        deadline,
    );
    let program = program.map_err(|error| start_error(&error, &config))?;
    rules.set(Arc::clone(&program.status.rules));
    name_own_directories(&config);
    for (role, address) in &program.status.listeners {
        tracing::info!(role, address, "listening");
    }
    log_ways_out(&config.tenants);
    let listeners = program.status.listeners.iter();
    let listeners: Vec<_> = listeners.map(|(role, at)| format!("{role} {at}")).collect();
    let listeners = listeners.join(", ");
    tracing::info!(version = VERSION, config = file, listeners, "ready");
    say_where_no_socket_is(&config);
    drop(config);
    control_loop::run(program, Some(reloader), signals).await
}

/// What keeps it from starting; of an address that is in use also by whom, and which setting chooses another.
fn start_error(error: &StartError, config: &Config) -> io::Error {
    let StartError::Listener(ListenerOpenError::Bind(BindError::InUse { address })) = error else {
        return io::Error::other(error.to_string());
    };
    let Ok(socket) = address.parse() else {
        return io::Error::other(error.to_string());
    };
    let holder = PortHolder::find(socket);
    let holder = holder.map_or_else(|| "another program".to_owned(), |it| it.to_string());
    let is_there = |bind: &Option<BindAddress>| matches!(bind, Some(BindAddress::Address(it)) if it.to_string() == *address);
    let admin = &config.admin;
    let setting = if is_there(&admin.listen) {
        "admin.listen"
    } else if is_there(&admin.probes) {
        "admin.probes"
    } else if is_there(&admin.metrics) {
        "admin.metrics"
    } else {
        "listen.http or listen.https"
    };
    io::Error::other(format!(
        "{address} is in use by {holder}; {setting} chooses another address"
    ))
}

/// Commands reach the proxy over its admin socket. Where there is no place for one, whoever starts it has to know.
fn say_where_no_socket_is(config: &Config) {
    let is_chosen = config.effective.iter().any(|it| it.setting == ADMIN_SOCKET);
    if config.admin.socket.is_none() && !is_chosen {
        tracing::info!(
            "commands such as status and reload cannot reach this proxy without a key: there is no admin socket, because \
             $RUNTIME_DIRECTORY, store.path and $XDG_RUNTIME_DIR give no place for one; set {ADMIN_SOCKET} to a path"
        );
    }
}

/// Whoever has set no directory and cannot write the default has to know where the log and the logins are.
fn name_own_directories(config: &Config) {
    if config.audit.path_origin == PathOrigin::UserState {
        let path = config.audit.path.display();
        tracing::info!(
            "the audit log is in {path}: {}",
            config.audit.path_origin.describe(AUDIT_PATH)
        );
    }
    let store = config.store.as_ref();
    if let Some(store) = store.filter(|it| it.path_origin == PathOrigin::UserState) {
        let path = store.path.display();
        tracing::info!(
            "the store is in {path}: {}",
            store.path_origin.describe(STORE_PATH)
        );
    }
}

/// Makes the process undumpable: only root can read its memory, and there are no core dumps.
fn harden() {
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "core dumps cannot be disabled");
    }
}
