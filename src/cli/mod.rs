//! The command line: one file per command. Results go to stdout, diagnostics to stderr.

pub mod admin_args;
mod ask;
pub mod audit;
pub mod caller;
mod columns;
mod command_help;
mod completion;
pub mod config;
mod config_in_force;
mod context;
mod doctor;
mod drain;
pub mod exit;
mod exit_guide;
pub mod explain;
mod followed_proxy;
mod global_args;
pub mod healthcheck;
mod help;
mod init;
mod login;
mod logout;
mod manual;
mod meta;
pub mod ops;
mod path_trust;
mod reload;
mod result_output;
mod run;
pub mod running_proxy;
mod sandbox;
mod signal;
pub mod status;
mod talk;
mod terminal;

use std::{
    io::{self, Write},
    path,
    process::ExitCode,
};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind};

use crate::{app::logging, clock::Moment, ninjaone::catalogue::Catalogue};

use self::{
    context::Context,
    exit::ExitStatus,
    global_args::{GlobalArgs, OutputFlags, has_colors_on_stderr},
    result_output::ResultOutput,
    talk::{Talk, TalkFormat, single_error},
};

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
    /// Serve callers until told to stop
    Run,
    /// Try the proxy without an account, in front of a simulated NinjaOne
    Sandbox(sandbox::SandboxArgs),
    /// Check whether the running proxy is alive, for containers
    Healthcheck(healthcheck::HealthcheckArgs),
    /// Make the running proxy reload its configuration
    Reload(reload::ReloadArgs),
    /// Make the running proxy finish its requests and stop
    Drain(drain::DrainArgs),
    /// Write a first configuration
    Init(init::InitArgs),
    /// Log a user in with a browser; the proxy keeps the login alive
    Login(login::LoginArgs),
    /// Revoke the login at NinjaOne and delete it here
    Logout(logout::LogoutArgs),
    /// Add, list, change, rotate and revoke callers
    Caller(caller::CallerArgs),
    /// Show the state of the running proxy
    Status(status::StatusArgs),
    /// Check everything that may keep the proxy from working, and say how to fix it
    Doctor(doctor::DoctorArgs),
    /// Explain why a request is allowed or refused, and what would allow it
    Explain(explain::ExplainArgs),
    /// Browse the catalogue of NinjaOne operations
    #[command(subcommand)]
    Ops(OpsCommand),
    /// Check and show the configuration
    Config(config::ConfigArgs),
    /// Verify the audit log
    Audit(audit::AuditArgs),
    /// Print completions for a shell, which also know callers and tenants
    Completions(completion::CompletionsArgs),
    /// Print the manual page of a command, or write all pages
    Man(manual::ManArgs),
    /// Print the version
    Version,
    /// Explain a command, a problem code or an exit code
    Help(help::HelpArgs),
}

impl Command {
    /// Whether it may work on the files of the proxy that the environment names: those that only ask a proxy find it by
    /// themselves, and `--admin` names another.
    fn follows_environment(&self) -> bool {
        let admin = match self {
            Self::Login(args) => &args.admin,
            Self::Logout(args) => &args.admin,
            Self::Doctor(args) => &args.admin,
            Self::Explain(args) => &args.admin,
            Self::Audit(args) => args.command.admin(),
            Self::Caller(_) | Self::Ops(_) | Self::Config(_) => return true,
            Self::Run
            | Self::Sandbox(_)
            | Self::Healthcheck(_)
            | Self::Reload(_)
            | Self::Drain(_)
            | Self::Init(_)
            | Self::Status(_)
            | Self::Help(_)
            | Self::Completions(_)
            | Self::Man(_)
            | Self::Version => return false,
        };
        admin.admin.is_none()
    }
}

#[derive(Debug, Subcommand)]
enum OpsCommand {
    /// List operations
    List(ops::OpsListArgs),
    /// Show everything that is known about an operation
    Show(ops::OpsShowArgs),
}

/// Parses the arguments and runs the command.
#[must_use]
pub fn main() -> ExitCode {
    if completion::answer() {
        return ExitCode::from(ExitStatus::Done);
    }
    let flags = OutputFlags::of_arguments(std::env::args_os().skip(1));
    flags.color.apply();
    let parsed = command()
        .try_get_matches()
        .and_then(|it| Cli::from_arg_matches(&it));
    match parsed {
        Ok(cli) => ExitCode::from(run_command(cli)),
        Err(error) => ExitCode::from(report_usage(&error, flags.json)),
    }
}

/// All commands, with the examples and exit codes of their help.
fn command() -> clap::Command {
    command_help::add_to(Cli::command())
}

fn run_command(cli: Cli) -> ExitStatus {
    let began = Moment::now();
    let format = if cli.global.json {
        TalkFormat::Json
    } else {
        TalkFormat::Text {
            colors: has_colors_on_stderr(),
        }
    };
    // Those that serve have a log of their own.
    let is_server = matches!(cli.command, Command::Run | Command::Sandbox(_));
    if cli.global.verbose && !is_server {
        logging::start_for_command(cli.global.json);
    }
    let mut out = ResultOutput::new();
    let mut err = Talk::new(io::stderr(), format, cli.global.quiet);
    let result = dispatch(cli, &mut out, &mut err).and_then(|exit| match out.flush() {
        // The reader of our output has closed it; what came of the command stays as it is.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(exit),
        flushed => flushed.map(|()| exit),
    });
    let exit = match result {
        Ok(exit) => exit,
        // It has closed it before the end: what comes of the command is not known, and nobody waits for it.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitStatus::Failed,
        Err(error) => {
            let _ = writeln!(err, "error: {error}");
            ExitStatus::Failed
        }
    };
    // Where stderr cannot be written to, there is nobody to tell.
    let _ = err.finish(exit, out.is_used());
    let took_ms = running_proxy::elapsed_ms(began);
    tracing::debug!(exit = u8::from(exit), took_ms, "done");
    exit
}

/// What clap says: help and versions as they are, errors also as an object.
fn report_usage(error: &clap::Error, as_json: bool) -> ExitStatus {
    let is_asked = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if as_json && !is_asked {
        let text = error.render().to_string();
        let mut lines = text.lines();
        let message: Vec<&str> = lines.by_ref().take_while(|it| !it.is_empty()).collect();
        let message = message.join("\n");
        let message = message
            .strip_prefix("error: ")
            .unwrap_or(&message)
            .to_owned();
        let tips = lines.filter_map(|it| it.trim_start().strip_prefix("tip: "));
        let hints = tips.map(str::to_owned).collect();
        let object = single_error(ExitStatus::WrongUsage, message, hints);
        // Where stderr cannot be written to, there is nobody to tell.
        let _ = writeln!(io::stderr(), "{object}");
    } else {
        let _ = error.print();
    }
    if is_asked {
        ExitStatus::Done
    } else {
        ExitStatus::WrongUsage
    }
}

fn dispatch(cli: Cli, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<ExitStatus> {
    let Cli { global, command } = cli;
    let mut context = Context::new(&global);
    match command {
        // Its commands are led by NJP_ADMIN.
        Command::Sandbox(_) => {}
        // What it says is read for months, from wherever.
        Command::Run => context.name_config_in_texts(|it| path::absolute(it).ok()),
        _ => context.name_config_in_texts(|_| None),
    }
    if command.follows_environment()
        && let Err(error) = run::block_on(followed_proxy::follow_named_proxy(&mut context))?
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
            run::block_on(args.run(address, global.verbose, global.json, out, err))?
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
        Command::Completions(args) => completion::print(&args, context.json, out),
        Command::Man(args) => manual::run(&args, self::command(), context.json, out, err),
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
