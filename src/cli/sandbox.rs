//! `sandbox`: runs a simulated NinjaOne with the proxy in front of it, prints commands to try, and shows each request live.

mod greeting;
mod live_lines;
mod simulator_greeting;

use std::{
    convert::Infallible,
    fmt::Display,
    future::pending,
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::Args;
use tokio::{sync::oneshot, time::timeout};

use crate::{
    app::{
        control_loop,
        listeners::{InheritedSockets, ListenerOpenError},
        logging,
        port_holder::PortHolder,
        program::{Program, StartError},
        sandbox::{
            self, SandboxAddresses, SandboxFiles, SandboxKeys,
            directory::{self, SandboxDirectory},
        },
        shutdown_deadline::{self, ShutdownDeadline},
        signals::{SignalRequest, Signals},
    },
    config::LogFormat,
    credentials::login::refresh_calls::RefreshCalls,
    net::server::listener::BindError,
    ninjaone::paths::TOKEN_LIFE_SECONDS,
    sandbox::{ListenerSource, Sandbox, SandboxCertificate, SandboxOptions},
};

use super::{exit::ExitStatus, global_args::GlobalArgs, run::block_on};

use greeting::{Greeting, Shell};
use live_lines::{LineFormat, LiveLines, unlocked_stdout};
use simulator_greeting::SimulatorGreeting;

#[derive(Debug, Args)]
pub(super) struct SandboxArgs {
    /// Run the simulator alone, for tests of your own
    #[arg(long)]
    only_ninjaone: bool,
    /// Where callers connect or, with --only-ninjaone, where the simulator listens [default: 127.0.0.1:6465 or 127.0.0.1:6469]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Address of the admin listener
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:6466")]
    admin: SocketAddr,
    /// Address of the simulator behind the proxy
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:6469")]
    ninjaone: SocketAddr,
    /// Seed: the same one makes the same organizations, devices and keys
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Lifetime of the simulator's access tokens
    #[arg(long, value_name = "SECONDS", default_value_t = TOKEN_LIFE_SECONDS)]
    token_life: u32,
    /// Let the simulator speak HTTPS, with a certificate that it makes
    #[arg(long, requires = "only_ninjaone")]
    tls: bool,
    /// Let other machines reach the callers' port: --listen takes any address, and the keys are fresh
    #[arg(long, conflicts_with = "only_ninjaone")]
    expose: bool,
    /// Shell that the printed commands are for [default: the one that started the sandbox]
    #[arg(long, value_enum, hide_default_value = true, default_value_t = Shell::of_parent())]
    shell: Shell,
}

impl SandboxArgs {
    fn callers(&self) -> SocketAddr {
        self.listen.unwrap_or(CALLERS_DEFAULT)
    }

    /// Each address, with its flag.
    fn addresses(&self) -> Vec<(&'static str, SocketAddr)> {
        if self.only_ninjaone {
            return vec![("--listen", self.listen.unwrap_or(self.ninjaone))];
        }
        vec![
            ("--listen", self.callers()),
            ("--admin", self.admin),
            ("--ninjaone", self.ninjaone),
        ]
    }

    /// Why an address may not be listened on: everybody knows the keys, and the simulator and the admin port ask for none.
    fn refused_address(&self) -> Option<String> {
        let others = |(flag, address): &(&str, SocketAddr)| {
            let is_open = self.expose && *flag == "--listen";
            !address.ip().to_canonical().is_loopback() && !is_open
        };
        if let Some(why) = self.shared_address() {
            return Some(why);
        }
        let (flag, address) = self.addresses().into_iter().find(others)?;
        Some(if self.only_ninjaone {
            format!(
                "{flag} {address}: the simulator's credentials are public, so it listens on loopback alone, such as 127.0.0.1:6469"
            )
        } else if flag == "--listen" {
            format!(
                "{flag} {address}: the sandbox's keys are public, so it listens on loopback alone; --expose makes new keys and opens this port to other machines"
            )
        } else {
            format!(
                "{flag} {address}: this port asks for no key, so it listens on loopback alone; --expose opens the callers' port only"
            )
        })
    }

    /// Why two of them cannot be listened on.
    fn shared_address(&self) -> Option<String> {
        let addresses = self.addresses();
        let mut rest = addresses.as_slice();
        while let [(flag, address), others @ ..] = rest {
            let same = others
                .iter()
                .find(|it| it.1 == *address && address.port() != 0);
            if let Some((other, _)) = same {
                return Some(format!(
                    "{flag} and {other} are the same address, {address}"
                ));
            }
            rest = others;
        }
        None
    }

    /// Who has the address that is in use, and how to choose another.
    fn taken_address(&self, taken: &str) -> String {
        let named = self
            .addresses()
            .into_iter()
            .find(|it| it.1.to_string() == taken);
        let Some((flag, address)) = named else {
            return format!("{taken} is in use by another program");
        };
        let holder = PortHolder::find(address);
        let holder = holder.map_or_else(|| "another program".to_owned(), |it| it.to_string());
        let other = SocketAddr::new(address.ip(), 0);
        format!(
            "{address} is in use by {holder}; {flag} chooses another address: {flag} {other} takes any free port"
        )
    }
}

/// Longest time to wait for stdout to take the greeting.
const STDOUT_WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// Of `--tls`.
const CERTIFICATE_FILE: &str = "ninjaone.pem";

const PROGRAM_NAME: &str = "ninjaone-proxy";

const CALLERS_DEFAULT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 6465);

/// Exit codes: 0 stopped as asked, 1 could not start, 2 an address that only --expose opens.
///
/// # Errors
/// stdout or `err` cannot be written to.
pub(super) fn run(
    args: &SandboxArgs,
    global: &GlobalArgs,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    if let Some(why) = args.refused_address() {
        writeln!(err, "error: {why}")?;
        return Ok(ExitStatus::WrongUsage);
    }
    logging::start(LogFormat::Auto, "warn")?;
    let ended = if args.only_ninjaone {
        block_on(run_simulator(args, LineFormat::of(global)))?
    } else {
        block_on(run_with_proxy(args, LineFormat::of(global)))?
    };
    logging::flush();
    match ended {
        Ok(()) => Ok(ExitStatus::Done),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(error),
        Err(error) => {
            writeln!(err, "error: {error}")?;
            Ok(ExitStatus::Failed)
        }
    }
}

fn options(address: SocketAddr, args: &SandboxArgs) -> SandboxOptions {
    SandboxOptions {
        listener: ListenerSource::Address(address),
        seed: args.seed,
        token_life: Duration::from_secs(args.token_life.into()),
        ..SandboxOptions::default()
    }
}

/// Writes to stdout on its own thread: a pipe that nobody reads must not block the sandbox.
///
/// # Errors
/// The error that stdout gives within [`STDOUT_WRITE_TIMEOUT`].
async fn print_to_stdout(text: Vec<u8>) -> io::Result<()> {
    let (tell, told) = oneshot::channel();
    let mut out = unlocked_stdout()?;
    std::thread::Builder::new().spawn(move || {
        let written = out.write_all(&text).and_then(|()| out.flush());
        drop(tell.send(written));
    })?;
    match timeout(STDOUT_WRITE_TIMEOUT, told).await {
        Ok(Ok(written)) => written,
        // The thread keeps waiting by itself.
        Ok(Err(_)) | Err(_) => Ok(()),
    }
}

async fn run_simulator(args: &SandboxArgs, format: LineFormat) -> io::Result<()> {
    let mut signals = Signals::new()?;
    let address = args.listen.unwrap_or(args.ninjaone);
    let certificate = args.tls.then(SimulatorCertificate::make).transpose()?;
    let options = SandboxOptions {
        tls: certificate
            .as_ref()
            .map(|it| Arc::clone(&it.certificate.server)),
        ..options(address, args)
    };
    let ninja = Sandbox::start(options).map_err(|error| bind_error(args, address, &error))?;
    let greeting = SimulatorGreeting {
        address: ninja.address(),
        certificate: certificate.as_ref().map(|it| it.path.as_path()),
    };
    let text = match format {
        LineFormat::Json => greeting.json(),
        LineFormat::Text { .. } => greeting.text(),
    };
    print_to_stdout(text.into_bytes()).await?;
    while signals.next().await == SignalRequest::Reload {}
    Ok(())
}

/// The certificate of `--tls`, in a file for its clients. The file goes with the simulator.
struct SimulatorCertificate {
    certificate: SandboxCertificate,
    path: PathBuf,
    _directory: SandboxDirectory,
}

impl SimulatorCertificate {
    fn make() -> io::Result<Self> {
        let certificate = SandboxCertificate::make()?;
        let directory = SandboxDirectory::make()?;
        Ok(Self {
            path: directory.write(CERTIFICATE_FILE, certificate.pem.as_bytes())?,
            certificate,
            _directory: directory,
        })
    }
}

async fn run_with_proxy(args: &SandboxArgs, format: LineFormat) -> io::Result<()> {
    let signals = Signals::new()?;
    let ninja = Sandbox::start(options(args.ninjaone, args))
        .map_err(|error| bind_error(args, args.ninjaone, &error))?;
    let addresses = SandboxAddresses {
        callers: args.callers(),
        admin: args.admin,
        ninjaone: ninja.address(),
    };
    let keys = if args.expose {
        let keys = SandboxKeys::random();
        keys.ok_or_else(|| io::Error::other("the system has no random bytes for keys"))?
    } else {
        SandboxKeys::from_seed(args.seed)
    };
    let directory = SandboxDirectory::make()?;
    let calls = RefreshCalls::default();
    let deadline = start_deadline(&directory, &calls)?;
    let files = SandboxFiles::write(directory, addresses, &keys)?;
    let config = Arc::new(files.load().map_err(other)?);
    sandbox::log_in(&config, &ninja).map_err(other)?;
    deadline.set_drain_timeout(config.listen.drain_timeout);
    let (lines, window) = LiveLines::new(format);
    let mut inherited = InheritedSockets::from_process();
    let observer = Some(lines.observer());
    let program = Program::start(&config, observer, &mut inherited, calls, &deadline)
        .map_err(|error| start_error(args, &error))?;
    lines.explain_by(Arc::clone(&program.status.rules));
    let text = greeting(&program, &files, &ninja, &keys, args).print(format, args.shell);
    print_to_stdout(text.into_bytes()).await?;
    // Only now: what happened meanwhile comes after the greeting.
    window.start()?;
    let connections = Arc::clone(&program.status.connections);
    let stop_notice = say_what_a_stop_waits_for(
        Signals::new()?,
        &lines,
        config.listen.drain_timeout,
        move || connections.open_count(),
    );
    let reloader = files.reloader(&config);
    let ended = tokio::select! {
        ended = control_loop::run(program, Some(reloader), signals) => ended,
        never = stop_notice => match never {},
    };
    drop(ninja);
    drop(files);
    lines.finish();
    ended
}

/// A sandbox that is ended by force leaves nothing behind either.
fn start_deadline(
    directory: &SandboxDirectory,
    calls: &RefreshCalls,
) -> io::Result<ShutdownDeadline> {
    let path = directory.path().to_owned();
    shutdown_deadline::start(calls.clone(), move |why| {
        directory::remove(&path);
        ExitStatus::from(why).end_process()
    })
}

fn other(error: impl Display) -> io::Error {
    io::Error::other(error.to_string())
}

async fn say_what_a_stop_waits_for(
    mut signals: Signals,
    lines: &LiveLines,
    drain_timeout: Duration,
    open: impl Fn() -> usize,
) -> Infallible {
    while signals.next().await == SignalRequest::Reload {}
    let (open, longest) = (open(), drain_timeout.as_secs());
    if open > 0 {
        lines.say(format!(
            "Waiting up to {longest} s for what is under way ({open} connections open); Ctrl-C again stops at once."
        ));
    }
    pending().await
}

fn greeting<'g>(
    program: &'g Program,
    files: &SandboxFiles,
    ninja: &Sandbox,
    keys: &'g SandboxKeys,
    args: &SandboxArgs,
) -> Greeting<'g> {
    let address = |role: &str| {
        let listeners = &program.status.listeners;
        let found = listeners.iter().find(|(known, _)| *known == role);
        found.map_or("", |(_, address)| address.as_str())
    };
    Greeting {
        callers: sandbox::reachable(address("callers")),
        admin: address("admin"),
        admin_socket: files.admin_socket(),
        program_directory: missing_from_path(),
        ninjaone: ninja.address(),
        keys,
        is_exposed: args.expose,
    }
}

/// Our program's directory, unless the shell finds this very program by its name.
fn missing_from_path() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?.canonicalize().ok()?;
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .map(|it| it.join(PROGRAM_NAME))
        .find(|it| it.is_file())
        .and_then(|it| it.canonicalize().ok());
    if found.as_deref() == Some(&own) {
        return None;
    }
    own.parent().map(Path::to_owned)
}

fn start_error(args: &SandboxArgs, error: &StartError) -> io::Error {
    io::Error::other(match error {
        StartError::Listener(ListenerOpenError::Bind(BindError::InUse { address })) => {
            args.taken_address(address)
        }
        other => other.to_string(),
    })
}

fn bind_error(args: &SandboxArgs, address: SocketAddr, error: &io::Error) -> io::Error {
    let text = if error.kind() == io::ErrorKind::AddrInUse {
        args.taken_address(&address.to_string())
    } else {
        format!("{address}: {error}")
    };
    io::Error::new(error.kind(), text)
}
