//! The listeners of those who operate the proxy: what each serves, and the thread that serves them.

use std::{io, sync::Arc};

use crate::{
    admin::{
        AdminService, ConfigSource, control::Control, explain::endpoint::ExplainEndpoint,
        inquiries::Inquiries, login_endpoint::LoginEndpoint,
    },
    config::{Config, effective_settings},
    net::server::listener::Listener,
    tasks::Tasks,
};

use super::{
    admin_access_control::AdminAccessControl,
    audit_status::audit_status,
    doctor,
    status_collector::StatusCollector,
    supervisor::{self, AdminListener},
};

/// Those that the supervisor serves.
pub(super) struct OperatorListeners {
    pub(super) socket: Option<Listener>,
    pub(super) admin: Vec<Listener>,
    pub(super) probes: Option<Listener>,
    pub(super) metrics: Option<Listener>,
}

/// What the admin listeners are made of.
pub(super) struct AdminParts<'a> {
    config: &'a Config,
    status: &'a Arc<StatusCollector>,
    logins: &'a Arc<LoginEndpoint>,
    access_control: &'a AdminAccessControl,
    control: Control,
}

impl<'a> AdminParts<'a> {
    pub(super) const fn new(
        config: &'a Config,
        status: &'a Arc<StatusCollector>,
        logins: &'a Arc<LoginEndpoint>,
        access_control: &'a AdminAccessControl,
        control: Control,
    ) -> Self {
        Self {
            config,
            status,
            logins,
            access_control,
            control,
        }
    }

    /// Starts the thread that serves the listeners.
    ///
    /// # Errors
    /// The thread cannot be started, or a listener cannot be handed to it.
    pub(super) fn serve(&self, listeners: OperatorListeners, tasks: &Tasks) -> io::Result<()> {
        let served = admin_listeners(self, listeners)?;
        let (watchdog, troubles) = (self.status.watchdog.clone(), self.status.trouble_source());
        supervisor::start(watchdog, troubles, served, tasks.clone())
    }
}

fn admin_listeners(
    parts: &AdminParts<'_>,
    listeners: OperatorListeners,
) -> io::Result<Vec<AdminListener>> {
    let OperatorListeners {
        socket,
        admin,
        probes,
        metrics,
    } = listeners;
    let (config, status) = (parts.config, parts.status);
    let inquiries = inquiries(config, status);
    let admin = admin
        .into_iter()
        .chain(socket)
        .map(|it| admin_listener(parts, &inquiries, it));
    let probes = probes.map(|it| probes_listener(config, status, it));
    let metrics = metrics.map(|it| metrics_listener(status, it));
    admin.chain(probes).chain(metrics).collect()
}

/// What those who may look can ask; all listeners share the bounds on it.
fn inquiries(config: &Config, status: &Arc<StatusCollector>) -> Arc<Inquiries> {
    let of_audit = Arc::clone(status);
    let explain = ExplainEndpoint::new(
        Arc::clone(&status.rules),
        config.audit.path.clone(),
        Box::new(move || audit_status(of_audit.ledger.snapshot(), &of_audit.watchdog.parts())),
    );
    Arc::new(Inquiries::new(explain, doctor::endpoint::source(status)))
}

fn admin_listener(
    parts: &AdminParts<'_>,
    inquiries: &Arc<Inquiries>,
    listener: Listener,
) -> io::Result<AdminListener> {
    let (config, status) = (parts.config, parts.status);
    let metrics = config.telemetry.metrics.then(|| status.metrics_source());
    let hosts = config.admin.hosts.clone();
    let admin = AdminService::new(
        status.snapshot_source(),
        metrics,
        config.admin.readiness,
        hosts,
    )
    .with_watchdog(status.watchdog.clone())
    .with_logins(Arc::clone(parts.logins))
    .with_inquiries(Arc::clone(inquiries))
    .with_access(Arc::clone(&parts.access_control.access))
    .with_control(parts.control.clone(), config_source(status));
    Ok((listener.into_std()?, Arc::new(admin)))
}

/// The settings in force, as `config show --json` prints those of the files.
fn config_source(status: &Arc<StatusCollector>) -> ConfigSource {
    let status = Arc::clone(status);
    Box::new(move || effective_settings::to_json(&status.config.load().effective))
}

fn metrics_listener(
    status: &Arc<StatusCollector>,
    listener: Listener,
) -> io::Result<AdminListener> {
    let admin = AdminService::metrics_only(status.snapshot_source(), status.metrics_source());
    Ok((listener.into_std()?, Arc::new(admin)))
}

fn probes_listener(
    config: &Config,
    status: &Arc<StatusCollector>,
    listener: Listener,
) -> io::Result<AdminListener> {
    let admin = AdminService::probes_only(status.snapshot_source(), config.admin.readiness)
        .with_watchdog(status.watchdog.clone());
    Ok((listener.into_std()?, Arc::new(admin)))
}
