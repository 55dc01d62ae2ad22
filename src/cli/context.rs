//! The context of a command: global flags, environment, and the configuration that they lead to.

use std::{
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use crate::{
    app::wiring::builtin_operations,
    config::{
        self, BindAddress, Config, admin_socket,
        read::{
            diagnostics::{ConfigurationError, Diagnostic, Warning},
            load,
            sources::{Sources, config_file_candidates, find_config_file},
        },
    },
    files::is_same_file,
    ninjaone::operation::Operation,
    typed_command,
};

use super::{config::ConfigContext, global_args::GlobalArgs};

/// Where the running proxy is, if the command line does not say.
pub(super) const ADMIN_VARIABLE: &str = "NJP_ADMIN";

/// The default address of the admin listener.
const ADMIN_DEFAULT: &str = "127.0.0.1:6466";

/// The configuration of the running proxy that the environment names.
pub(super) enum FollowedFile {
    /// It names none.
    None,
    File(PathBuf),
    /// It names one whose configuration cannot be worked on; why, without a full stop.
    Unknown(String),
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(super) struct Context {
    /// `--config`
    file: Option<PathBuf>,
    followed: FollowedFile,
    pub(super) json: bool,
    pub(super) quiet: bool,
    pub(super) verbose: bool,
    pub(super) no_input: bool,
    environment: Vec<(String, String)>,
    operations: Vec<Operation>,
}

impl Context {
    #[must_use]
    pub(super) fn new(global: &GlobalArgs) -> Self {
        let text = |it: std::ffi::OsString| it.into_string().ok();
        Self {
            file: global.config.clone(),
            followed: FollowedFile::None,
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose,
            no_input: global.no_input,
            environment: std::env::vars_os()
                .filter_map(|(name, value)| {
                    let name = text(name)?;
                    // It names a proxy even where it is no text: then none answers there.
                    let is_admin = name == ADMIN_VARIABLE;
                    let value = match value.into_string() {
                        Ok(value) => value,
                        Err(value) if is_admin => value.to_string_lossy().into_owned(),
                        Err(_) => return None,
                    };
                    Some((name, value))
                })
                .collect(),
            operations: builtin_operations(),
        }
    }

    #[must_use]
    pub(super) fn env_var(&self, name: &str) -> Option<&str> {
        let found = self.environment.iter().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|it| !it.is_empty())
    }

    /// From now on the configuration is the one of a running proxy, unless `--config` names another.
    pub(super) fn follow(&mut self, followed: FollowedFile) {
        self.followed = followed;
    }

    /// `--config`, else the running proxy's.
    fn known_file(&self) -> Option<&Path> {
        match (&self.file, &self.followed) {
            (Some(file), _) | (None, FollowedFile::File(file)) => Some(file),
            (None, FollowedFile::None | FollowedFile::Unknown(_)) => None,
        }
    }

    /// The paths where a configuration is searched, in order.
    #[must_use]
    pub(super) fn config_file_candidates(&self) -> Vec<PathBuf> {
        config_file_candidates(self.known_file(), &self.environment)
    }

    #[must_use]
    pub(super) fn config_context(&self) -> ConfigContext<'_> {
        ConfigContext {
            file: self.known_file(),
            is_file_given: self.file.is_some(),
            no_file: match (&self.file, &self.followed) {
                (None, FollowedFile::Unknown(why)) => Some(why),
                _ => None,
            },
            json: self.json,
            environment: self.environment.clone(),
            operations: &self.operations,
        }
    }

    /// Loads the configuration, with warnings and sources.
    ///
    /// # Errors
    /// All problems of the configuration.
    pub(super) fn load_with_warnings(
        &self,
    ) -> Result<(Config, Vec<Warning>, Sources), ConfigurationError> {
        let sources = self.config_context().sources()?;
        let (config, warnings) = config::load(&sources, &self.operations)?;
        Ok((config, warnings, sources))
    }

    /// Loads the configuration and writes errors and warnings to `err`; `None` if there are errors.
    ///
    /// # Errors
    /// `err` cannot be written to.
    pub(super) fn load(&self, err: &mut dyn Write) -> io::Result<Option<Config>> {
        self.report(self.load_with_warnings().map(|it| (it.0, it.1)), err)
    }

    /// As [`Context::load`], for commands that send nothing as the tenant: see [`config::inspect`].
    ///
    /// # Errors
    /// `err` cannot be written to.
    pub(super) fn inspect(&self, err: &mut dyn Write) -> io::Result<Option<Config>> {
        let sources = self.config_context().sources();
        let read = sources.and_then(|sources| config::inspect(&sources, &self.operations));
        self.report(read, err)
    }

    fn report(
        &self,
        read: Result<(Config, Vec<Warning>), ConfigurationError>,
        err: &mut dyn Write,
    ) -> io::Result<Option<Config>> {
        match read {
            Ok((config, warnings)) => {
                if !self.quiet {
                    for warning in &warnings {
                        writeln!(err, "{warning}\n")?;
                    }
                }
                Ok(Some(config))
            }
            Err(problems) => {
                writeln!(err, "{problems}")?;
                Ok(None)
            }
        }
    }

    /// Loads the configuration; `None` if it has errors, which are not reported.
    #[must_use]
    pub(super) fn load_quietly(&self) -> Option<Config> {
        let sources = self.config_context().sources().ok()?;
        config::inspect(&sources, &self.operations)
            .ok()
            .map(|(config, _)| config)
    }

    /// The admin listener of the running proxy. Works even if secrets of the configuration cannot be read.
    #[must_use]
    pub(super) fn admin_address(&self) -> Option<SocketAddr> {
        match self.admin_settings() {
            Some(admin) => address(&admin.listen),
            None => ADMIN_DEFAULT.parse().ok(),
        }
    }

    /// `--config`, where it is given.
    #[must_use]
    pub(super) fn named_config(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// From now on commands in texts name the configuration that `--config` names, as `worded`, or as it was typed; unless they
    /// find it without that.
    pub(super) fn name_config_in_texts(&self, worded: impl FnOnce(&Path) -> Option<PathBuf>) {
        let Some(file) = &self.file else { return };
        let found = find_config_file(None, &self.environment);
        if found.is_ok_and(|it| is_same_file(&it, file)) {
            return;
        }
        typed_command::set_config(&worded(file).unwrap_or_else(|| file.clone()));
    }

    /// Why the configuration does not say where the running proxy is, if that is so.
    #[must_use]
    pub(super) fn unread_configuration(&self) -> Option<ConfigurationError> {
        let candidates = self.config_file_candidates();
        match self.config_context().sources() {
            Ok(sources) => {
                let loaded = load::read(&sources);
                let unread = loaded.unreadable.or(loaded.broken)?;
                let main = sources.file.display().to_string();
                // A caller's file says nothing of it.
                let of_main = |it: &&Diagnostic| it.file == main;
                let first = unread.as_slice().iter().find(of_main)?.clone();
                Some(first.into())
            }
            Err(error) if self.file.is_some() || candidates.iter().any(|it| is_hidden(it)) => {
                Some(error)
            }
            Err(_) => None,
        }
    }

    /// Where the running proxy's admin socket may be, the most likely first. Whoever names a configuration means its proxy.
    #[must_use]
    pub(super) fn admin_sockets(&self) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        if self.file.is_none() {
            paths.extend(admin_socket::well_known_paths(|name| self.env_var(name)));
        }
        if let Ok(sources) = self.config_context().sources() {
            paths.extend(admin_socket::configured_paths(&sources));
        }
        paths
    }

    /// Whether the configuration says that the admin listener asks for no proof.
    #[must_use]
    pub(super) fn is_admin_anonymous(&self) -> bool {
        self.admin_settings().is_some_and(|it| it.anonymous)
    }

    /// The probes listener, or the admin listener where there is none.
    #[must_use]
    pub(super) fn probes_address(&self) -> Option<SocketAddr> {
        self.admin_settings()
            .and_then(|admin| address(&admin.probes))
            .or_else(|| self.admin_address())
    }

    /// `None` if there is no configuration.
    fn admin_settings(&self) -> Option<config::settings::admin::AdminSettings> {
        let sources = self.config_context().sources().ok()?;
        Some(load::read(&sources).settings.admin)
    }
}

fn address(written: &str) -> Option<SocketAddr> {
    match config::value::address::parse_bind_address(written) {
        Ok(BindAddress::Address(address)) => Some(address),
        _ => None,
    }
}

/// Whether this user may not even see if it is there.
fn is_hidden(path: &Path) -> bool {
    let seen = path.metadata();
    seen.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}
