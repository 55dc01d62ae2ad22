//! The command line: one file per command. Results go to stdout, diagnostics to stderr.

pub mod admin_args;
mod ask;
pub mod audit;
pub mod caller;
pub mod config;
mod config_in_force;
mod context;
mod doctor;
mod drain;
pub mod exit;
mod exit_guide;
pub mod explain;
mod global_args;
pub mod healthcheck;
mod help;
mod init;
mod login;
mod logout;
mod meta;
pub mod ops;
mod reload;
mod run;
pub mod running_proxy;
mod sandbox;
mod shell_word;
mod signal;
pub mod status;
mod terminal;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::ninjaone::catalogue::Catalogue;

use self::{context::Context, exit::ExitStatus, global_args::GlobalArgs};

/// Authenticating reverse proxy and token broker in front of the NinjaOne API
#[derive(Debug, Parser)]
#[command(
    name = "ninjaone-proxy",
    version,
    max_term_width = 100,
    disable_help_subcommand = true
)]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve callers, in front of NinjaOne
    Run,
    /// Try it without an account: a simulated NinjaOne with the proxy in front of it
    Sandbox(sandbox::SandboxArgs),
    /// Ask the running proxy whether it is alive; for containers
    Healthcheck(healthcheck::HealthcheckArgs),
    /// Make the running proxy reload its configuration
    Reload(reload::ReloadArgs),
    /// Make the running proxy finish what it serves and stop
    Drain(drain::DrainArgs),
    /// Write a first configuration
    Init(init::InitArgs),
    /// Log a user in, in a browser; the proxy keeps the login alive
    Login(login::LoginArgs),
    /// Revoke the login at NinjaOne and delete it here
    Logout(logout::LogoutArgs),
    /// Add, list, rotate and revoke callers
    Caller(caller::CallerArgs),
    /// Show the state of the running proxy
    Status(status::StatusArgs),
    /// Look for everything that may keep the proxy from working, and say what to do about it
    Doctor(doctor::DoctorArgs),
    /// Say why a request would be allowed or refused, and what would allow it
    Explain(explain::ExplainArgs),
    /// Look into the catalogue of NinjaOne operations
    #[command(subcommand)]
    Ops(OpsCommand),
    /// Check and show the configuration
    Config(config::ConfigArgs),
    /// Look into the audit log
    Audit(audit::AuditArgs),
    /// Print completions for a shell
    Completions(meta::CompletionsArgs),
    /// Print the manual page
    Man,
    /// Print the version
    Version,
    /// Explain a command, a problem code or an exit code
    Help(help::HelpArgs),
}

impl Command {
    /// Whether it works on the files of a proxy, which may be those of the proxy that the environment names. Those that ask
    /// the proxy itself find it by themselves.
    const fn reads_configuration(&self) -> bool {
        match self {
            Self::Login(_)
            | Self::Logout(_)
            | Self::Caller(_)
            | Self::Doctor(_)
            | Self::Explain(_)
            | Self::Ops(_)
            | Self::Config(_)
            | Self::Audit(_) => true,
            Self::Run
            | Self::Sandbox(_)
            | Self::Healthcheck(_)
            | Self::Reload(_)
            | Self::Drain(_)
            | Self::Init(_)
            | Self::Status(_)
            | Self::Help(_)
            | Self::Completions(_)
            | Self::Man
            | Self::Version => false,
        }
    }
}

#[derive(Debug, Subcommand)]
enum OpsCommand {
    /// List operations
    List(ops::OpsListArgs),
    /// Show all that is known of one operation
    Show(ops::OpsShowArgs),
}

/// Parses the arguments and runs the command.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // Not locked: a command may run for months, and other threads write to both.
    let result = dispatch(cli, &mut io::stdout(), &mut io::stderr());
    match result {
        Ok(code) => ExitCode::from(code),
        // The reader of our output has closed it.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(ExitStatus::Done),
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::from(ExitStatus::Failed)
        }
    }
}

fn dispatch(cli: Cli, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<ExitStatus> {
    let Cli { global, command } = cli;
    let mut context = Context::new(&global);
    if command.reads_configuration()
        && let Err(error) = run::block_on(running_proxy::follow_named_proxy(&mut context))?
    {
        writeln!(err, "error: $NJP_ADMIN: {error}")?;
        writeln!(
            err,
            "hint: unset NJP_ADMIN, or name a configuration with --config"
        )?;
        return Ok(ExitStatus::Failed);
    }
    match command {
        Command::Run => run::run(&context, err),
        Command::Sandbox(args) => sandbox::run(&args, &global, err),
        Command::Healthcheck(args) => {
            let address = context.probes_address();
            run::block_on(args.run(address, global.verbose, err))?
        }
        Command::Reload(args) => run::block_on(reload::reload(&args, &context, out, err))?,
        Command::Drain(args) => run::block_on(drain::drain(&args, &context, out, err))?,
        Command::Init(args) => run::block_on(init::run(&args, &context, out, err))?,
        Command::Login(args) => run::block_on(login::run(&args, &context, out, err))?,
        Command::Logout(args) => run::block_on(logout::run(&args, &context, out, err))?,
        Command::Caller(args) if args.command.only_looks() => {
            run::block_on(caller::look(&args.command, &context, out, err))?
        }
        Command::Caller(args) => {
            let code = caller::run(&args, &context.config_context(), out, err)?;
            if code == ExitStatus::Done && args.command.changes_files() {
                run::block_on(reload::apply_change(&context, err))??;
            }
            Ok(code)
        }
        Command::Status(args) => run::block_on(args.run(&context, out, err))?,
        Command::Doctor(args) => run::block_on(args.run(&context, out, err))?,
        Command::Explain(args) => run::block_on(args.run_command(&context, out, err))?,
        Command::Ops(command) => ops_command(command, &context, out, err),
        Command::Config(args) => {
            match run::block_on(config_in_force::show(&args, &context, out, err))?? {
                Some(shown) => Ok(shown),
                None => config::run(&args, &context.config_context(), out, err),
            }
        }
        Command::Audit(args) => {
            let audit::AuditCommand::Verify(verify) = &args.command;
            run::block_on(verify.run_command(&context, out, err))?
        }
        Command::Completions(args) => meta::completions(&args, out),
        Command::Man => meta::manual(out),
        Command::Version => meta::version(global.json, out),
        Command::Help(args) => help::run(&args, global.json, out, err),
    }
}

fn ops_command(
    command: OpsCommand,
    context: &Context,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    // Without a valid configuration the built-in operations are shown.
    let added = context
        .load_quietly()
        .map_or_else(Vec::new, |it| it.operations);
    let catalogue = Catalogue::with_added(added).unwrap_or_else(|_| Catalogue::builtin());
    match command {
        OpsCommand::List(mut args) => {
            args.json = context.json;
            ops::list(&catalogue, &args, out, err)
        }
        OpsCommand::Show(mut args) => {
            args.json = context.json;
            ops::show(&catalogue, &args, out, err)
        }
    }
}
