//! `sandbox`: runs a simulated NinjaOne with the proxy in front of it, and prints commands to try.

use std::{
    io::{self, Write},
    net::SocketAddr,
    time::Duration,
};

use clap::Args;
use tokio::{sync::oneshot, time::timeout};

use crate::{
    app::{
        control_loop,
        listeners::InheritedSockets,
        logging,
        program::{Persistence, Program},
        sandbox::{self, SandboxAddresses},
        shutdown_deadline,
        signals::{SignalRequest, Signals},
    },
    config::LogFormat,
    credentials::login::refresh_calls::RefreshCalls,
    ninjaone::paths::TOKEN_LIFE_SECONDS,
    sandbox::{
        DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, ListenerSource, NATIVE_CLIENT_ID,
        SINGLE_PAGE_CLIENT_ID, Sandbox, SandboxOptions, WEB_CLIENT_ID, WEB_CLIENT_SECRET,
    },
};

use super::{exit::ExitStatus, run::block_on};

#[derive(Debug, Args)]
pub(super) struct SandboxArgs {
    /// The simulator alone, for tests of your own
    #[arg(long)]
    only_ninjaone: bool,
    /// Where to listen: the proxy, or with --only-ninjaone the simulator [default: 127.0.0.1:6465 or 127.0.0.1:6469]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Where the admin listener is
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:6466")]
    admin: SocketAddr,
    /// Where the simulator listens behind the proxy
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:6469")]
    ninjaone: SocketAddr,
    /// The same seed makes the same organizations, devices and keys
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long the simulator's access tokens live
    #[arg(long, value_name = "SECONDS", default_value_t = TOKEN_LIFE_SECONDS)]
    token_life: u32,
}

/// Longest time to wait for stdout to take the greeting.
const STDOUT_WRITE_TIMEOUT: Duration = Duration::from_secs(1);

const CALLERS_DEFAULT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 6465);

/// Exit codes: 0 stopped as asked, 1 could not start.
///
/// # Errors
/// stdout or `err` cannot be written to.
pub(super) fn run(args: &SandboxArgs, err: &mut dyn Write) -> io::Result<ExitStatus> {
    logging::start(LogFormat::Auto, "warn")?;
    let ended = if args.only_ninjaone {
        block_on(run_simulator(args))?
    } else {
        block_on(run_with_proxy(args))?
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
    std::thread::Builder::new().spawn(move || {
        let mut out = io::stdout();
        let written = out.write_all(&text).and_then(|()| out.flush());
        drop(tell.send(written));
    })?;
    match timeout(STDOUT_WRITE_TIMEOUT, told).await {
        Ok(Ok(written)) => written,
        // The thread keeps waiting by itself.
        Ok(Err(_)) | Err(_) => Ok(()),
    }
}

async fn run_simulator(args: &SandboxArgs) -> io::Result<()> {
    let mut out = Vec::new();
    let out = &mut out;
    let mut signals = Signals::new()?;
    let address = args.listen.unwrap_or(args.ninjaone);
    let ninja =
        Sandbox::start(options(address, args)).map_err(|error| bind_error(address, &error))?;
    let address = ninja.address();
    writeln!(out, "simulated NinjaOne on http://{address}\n")?;
    let apps = [
        ("API Services", DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET),
        ("Web", WEB_CLIENT_ID, WEB_CLIENT_SECRET),
        ("Native", NATIVE_CLIENT_ID, "-"),
        ("Single Page", SINGLE_PAGE_CLIENT_ID, "-"),
    ];
    writeln!(out, "  {:<14}{:<16}client secret", "platform", "client id")?;
    for (platform, id, secret) in apps {
        writeln!(out, "  {platform:<14}{id:<16}{secret}")?;
    }
    writeln!(out)?;
    writeln!(
        out,
        "curl -d grant_type=client_credentials -d client_id={DEFAULT_CLIENT_ID} -d client_secret={DEFAULT_CLIENT_SECRET} http://{address}/ws/oauth/token"
    )?;
    writeln!(
        out,
        "curl -d '{{\"client_id\":\"{NATIVE_CLIENT_ID}\"}}' http://{address}/sandbox/logins"
    )?;
    writeln!(out, "curl http://{address}/sandbox/requests")?;
    writeln!(out, "curl http://{address}/sandbox/counts")?;
    writeln!(
        out,
        "curl -d '{{\"throttle\":\"html\",\"count\":3}}' http://{address}/sandbox/faults"
    )?;
    writeln!(out, "\nCtrl-C ends it.")?;
    print_to_stdout(std::mem::take(out)).await?;
    while signals.next().await == SignalRequest::Reload {}
    Ok(())
}

async fn run_with_proxy(args: &SandboxArgs) -> io::Result<()> {
    let signals = Signals::new()?;
    let ninja = Sandbox::start(options(args.ninjaone, args))
        .map_err(|error| bind_error(args.ninjaone, &error))?;
    let addresses = SandboxAddresses {
        callers: args.listen.unwrap_or(CALLERS_DEFAULT),
        admin: args.admin,
        ninjaone: ninja.address(),
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let config = sandbox::config(addresses, args.seed, workers);
    let mut inherited = InheritedSockets::from_process();
    let store = sandbox::store(&ninja).map_err(|error| io::Error::other(error.to_string()))?;
    let calls = RefreshCalls::default();
    let deadline =
        shutdown_deadline::start(calls.clone(), |why| ExitStatus::from(why).end_process())?;
    deadline.set_drain_timeout(config.listen.drain_timeout);
    let program = Program::start(
        &config,
        &Persistence::Memory(store),
        &mut inherited,
        calls,
        deadline.drain_notice(),
    )
    .map_err(|error| io::Error::other(error.to_string()))?;
    let mut invitation = Vec::new();
    write_instructions(&program, &ninja, args.seed, &mut invitation)?;
    print_to_stdout(invitation).await?;
    let ended = control_loop::run(program, None, signals).await;
    drop(ninja);
    ended
}

/// Prints what is running, and commands that work when pasted.
fn write_instructions(
    program: &Program,
    ninja: &Sandbox,
    seed: u64,
    out: &mut dyn Write,
) -> io::Result<()> {
    let keys = sandbox::keys(seed);
    let address = |role: &str| {
        let listeners = &program.status.listeners;
        let found = listeners.iter().find(|(known, _)| *known == role);
        found.map_or("", |(_, address)| address.as_str())
    };
    let (callers, admin) = (address("callers"), address("admin"));
    writeln!(
        out,
        "ninjaone-proxy {} in front of a simulated NinjaOne\n",
        env!("CARGO_PKG_VERSION")
    )?;
    writeln!(out, "  callers   {callers}")?;
    writeln!(out, "  admin     {admin}")?;
    writeln!(out, "  NinjaOne  http://{}\n", ninja.address())?;
    for (name, key) in &keys {
        writeln!(out, "  {name:<9} {key}")?;
    }
    let key = |wanted: &str| {
        let found = keys.iter().find(|(name, _)| *name == wanted);
        found.map_or("", |(_, key)| key.as_str())
    };
    writeln!(
        out,
        "\nA read, a request that its policy refuses, a write, a script (which goes as the user who is logged in), and how\nthe proxy is:\n"
    )?;
    writeln!(
        out,
        "curl -H 'X-Api-Key: {}' {callers}/v2/organizations",
        key("reporting")
    )?;
    writeln!(
        out,
        "curl -H 'X-Api-Key: {}' -X POST {callers}/v2/devices/approval/APPROVE",
        key("reporting")
    )?;
    writeln!(
        out,
        "curl -H 'X-Api-Key: {}' -H 'NJP-Reason: practice' -H 'Content-Type: application/json' -d '{{\"mode\":\"NORMAL\"}}' {callers}/v2/device/101/reboot/NORMAL",
        key("operator")
    )?;
    writeln!(
        out,
        "curl -H 'X-Api-Key: {}' -H 'Content-Type: application/json' -d '{{\"type\":\"SCRIPT\",\"id\":1}}' -w '%{{http_code}}\\n' {callers}/v2/device/101/script/run",
        key("helpdesk")
    )?;
    writeln!(out, "curl {admin}/status")?;
    writeln!(out, "\nCtrl-C ends it.")?;
    out.flush()
}

fn bind_error(address: SocketAddr, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{address}: {error}"))
}
