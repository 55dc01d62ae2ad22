//! Checks the listeners of `run` by opening each as it would, unless one's own proxy holds it.

use std::{collections::BTreeSet, net::SocketAddr, path::Path};

use crate::{
    app::{
        listeners::{self, ListenerOpenError},
        port_holder::PortHolder,
    },
    config::{BindAddress, Config, UnixListenerConfig},
    net::server::listener::{BindError, Listener},
};

use super::{
    check::{CheckName, DoctorCheck},
    machine::FoundProxy,
    probe_file::ProbeFile,
};

/// Checks that each address and socket can be listened on, or is used by one's own proxy. Runs within the runtime.
pub(super) fn ports(config: &Config, found: &FoundProxy) -> DoctorCheck {
    let running = found.own();
    let held: Vec<&str> = running.map_or_else(Vec::new, |it| {
        let listeners = it.listeners.iter();
        listeners.map(|it| bare_address(&it.address)).collect()
    });
    let mut trial = ListenerTrial::default();
    let is_free = |it: &SocketAddr| !held.contains(&it.to_string().as_str());
    for bind in binds(config) {
        match bind {
            BindAddress::Address(address) if is_free(address) => {
                trial.note(Listener::tcp(*address).map_err(Into::into));
            }
            BindAddress::Address(_) => {}
            // A running proxy has it: otherwise it had not started.
            BindAddress::Inherited(_) if running.is_some() => {}
            BindAddress::Inherited(name) => trial.inherited.push(format!("fd:{name}")),
        }
    }
    let implied = [config.listen.http_ipv6, config.admin.listen_ipv6];
    for address in implied.into_iter().flatten().filter(is_free) {
        match listeners::open_ipv6_listener(Some(address)) {
            // There is no IPv6 here, which is no fault.
            Ok(None) => {}
            opened => trial.note(opened),
        }
    }
    let sockets = config.listen.unix.iter();
    for socket in sockets.filter(|it| !held.contains(&it.path.display().to_string().as_str())) {
        trial.note(try_socket(socket));
    }
    let is_closed = matches!(found, FoundProxy::Closed { .. });
    trial.check(!held.is_empty(), is_closed)
}

/// The addresses that the configuration names, or has by default.
fn binds(config: &Config) -> impl Iterator<Item = &BindAddress> {
    let (listen, admin) = (&config.listen, &config.admin);
    let callers = listen.http.iter();
    let callers = callers.chain(listen.https.iter().map(|it| &it.bind));
    let operators = [&admin.listen, &admin.probes, &admin.metrics];
    callers.chain(operators.into_iter().flatten())
}

/// What was seen of the listeners that nobody was known to hold.
#[derive(Default)]
struct ListenerTrial {
    free: usize,
    refused: Vec<ListenerOpenError>,
    /// Sockets that only the service manager can pass, such as `fd:http`.
    inherited: Vec<String>,
}

impl ListenerTrial {
    fn note<T>(&mut self, opened: Result<T, ListenerOpenError>) {
        match opened {
            Ok(_) => self.free += 1,
            Err(error) => self.refused.push(error),
        }
    }

    /// `is_another_held`: the running proxy has told that it holds some. `is_closed`: one runs that does not tell.
    fn check(self, is_another_held: bool, is_closed: bool) -> DoctorCheck {
        let name = CheckName::Ports;
        let Self {
            free,
            refused,
            inherited,
        } = self;
        if !refused.is_empty() {
            let holders: Vec<Option<PortHolder>> = refused.iter().map(holder).collect();
            let is_ours = |it: &Option<PortHolder>| it.as_ref().is_some_and(PortHolder::is_ours);
            if is_closed && holders.iter().all(is_ours) {
                let held: BTreeSet<_> = holders.iter().flatten().map(ToString::to_string).collect();
                let held: Vec<String> = held.into_iter().collect();
                return DoctorCheck::ok(name, format!("held by {}", held.join(", ")));
            }
            let seen = refused.iter().zip(&holders);
            let seen = seen.map(|(error, holder)| match holder {
                Some(holder) => format!("{error}: {holder}"),
                None => error.to_string(),
            });
            let seen: Vec<String> = seen.collect();
            return DoctorCheck::failed(name, seen.join("; "), remedy(&refused));
        }
        if !inherited.is_empty() {
            let inherited = inherited.join(", ");
            return DoctorCheck::skipped(
                name,
                format!(
                    "{free} free; {inherited}: only the service manager can pass it, so that is seen when it starts the proxy"
                ),
            );
        }
        match (is_another_held, free) {
            (true, 0) => DoctorCheck::ok(name, "held by the running proxy"),
            (true, free) => DoctorCheck::ok(
                name,
                format!("{free} free, the others held by the running proxy"),
            ),
            (false, free) => DoctorCheck::ok(name, format!("{free} free")),
        }
    }
}

/// Who listens there, as far as this user may know it.
fn holder(error: &ListenerOpenError) -> Option<PortHolder> {
    let ListenerOpenError::Bind(BindError::InUse { address }) = error else {
        return None;
    };
    PortHolder::find(address.parse().ok()?)
}

fn remedy(refused: &[ListenerOpenError]) -> String {
    let is_taken =
        |it: &ListenerOpenError| matches!(it, ListenerOpenError::Bind(BindError::InUse { .. }));
    let mut steps = Vec::new();
    if refused.iter().any(is_taken) {
        steps
            .push("See who listens there (`ss -lntxp`), or choose others in [listen] and [admin].");
    }
    if !refused.iter().all(is_taken) {
        steps.push("Correct it or choose another in [listen] and [admin], and run this as the user who runs the proxy: `run` does not start without it.");
    }
    steps.join(" ")
}

/// `127.0.0.1:6465` of `http://127.0.0.1:6465`, the path of `unix:/run/api.sock`.
fn bare_address(address: &str) -> &str {
    let schemes = ["http://", "https://", "unix:"];
    let bare = schemes.iter().find_map(|it| address.strip_prefix(it));
    bare.unwrap_or(address)
}

/// Makes the socket and removes it again. One that nobody listens on stays: a file beside it tells whether a start could
/// replace it.
fn try_socket(socket: &UnixListenerConfig) -> Result<(), ListenerOpenError> {
    let UnixListenerConfig { path, group, .. } = socket;
    if !Listener::would_replace(path)? {
        return listeners::open_unix_listener(socket).map(drop);
    }
    let failed = |error| BindError::Failed {
        address: path.display().to_string(),
        error,
    };
    let directory = path.parent().unwrap_or(Path::new("."));
    let probe = ProbeFile::write(directory).map_err(failed)?;
    match group {
        Some(group) => listeners::set_group(path, probe.path(), group),
        None => Ok(()),
    }
}
