//! `init`: asks where a tenant is and for its credentials, tries them at NinjaOne, and writes a minimal configuration.

mod answers;
mod args;
mod config_target;
mod files;
mod init_refusal;
mod next_steps;
mod place;
mod proxy_choice;
mod questioner;

use std::{
    io::{self, Write},
    path::Path,
};

use crate::config;

use self::{
    config_target::ConfigTarget,
    files::FileError,
    next_steps::NextSteps,
    questioner::{InitError, Questioner},
};

use super::{config::ConfigContext, context::Context, exit::ExitStatus, terminal::Interrupts};

pub(super) use self::args::InitArgs;

/// Exit codes: 0 written, 1 interrupted, or a file exists or cannot be written, 2 an answer is missing or wrong, 75 NinjaOne
/// cannot be reached, 78 NinjaOne, or the outgoing proxy, refuses the credentials.
///
/// # Errors
/// `out` or `err` cannot be written to.
pub(super) async fn run(
    args: &InitArgs,
    context: &Context,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let target = match ConfigTarget::find(args, context) {
        Ok(target) => target,
        Err(refused) => {
            writeln!(err, "error: {refused}")?;
            return Ok(refused.exit());
        }
    };
    let missing = answers::missing_flags(args);
    if context.no_input && !missing.is_empty() {
        let flags = missing.join(", ");
        writeln!(err, "error: with --no-input these are needed: {flags}")?;
        return Ok(ExitStatus::WrongUsage);
    }
    let mut interrupts = Interrupts::all()?;
    let mut questioner = Questioner::new(err);
    if !missing.is_empty() {
        questioner.say(&format!(
            "This asks where your NinjaOne is and for an application's credentials, tries them, and writes {}.",
            target.file.display()
        ))?;
    }
    let collected = tokio::select! {
        collected = answers::collect(args, context, &mut questioner) => collected,
        () = interrupts.recv() => Err(InitError::Interrupted),
    };
    let (answers, offered) = match collected {
        Ok(collected) => collected,
        Err(error) => return report(error, questioner),
    };
    let written = match files::write(&target, &answers) {
        Ok(written) => written,
        Err(FileError { path, error }) => {
            questioner.say(&format!("error: {}: {error}", path.display()))?;
            return Ok(ExitStatus::Failed);
        }
    };
    if let Some(problems) = problems(&target.file, context) {
        written.remove();
        questioner.say(&format!("{problems}\n\nNothing was written."))?;
        return Ok(ExitStatus::ConfigurationWrong);
    }
    let next = NextSteps {
        written: &written,
        answers: &answers,
        offered: offered.as_ref(),
        is_found: target.is_found,
    };
    // Until here the terminal shows nothing of what was pasted too much.
    drop(questioner);
    next.print(context, out, err)?;
    Ok(ExitStatus::Done)
}

fn report(error: InitError, mut questioner: Questioner<'_>) -> io::Result<ExitStatus> {
    let (text, exit) = match error {
        InitError::Io(error) => return Err(error),
        InitError::Interrupted => (
            "\nInterrupted: nothing was written.".to_owned(),
            ExitStatus::Failed,
        ),
        InitError::EndOfInput(flag) => (
            format!("error: the input ended before this was answered; it can be given with {flag}"),
            ExitStatus::WrongUsage,
        ),
        InitError::Wrong(why) => (format!("error: {why}"), ExitStatus::WrongUsage),
        InitError::Refused(refusal, true) => ("Nothing was written.".to_owned(), refusal.exit),
        InitError::Refused(refusal, false) => (
            format!("error: nothing was written: {}", refusal.text),
            refusal.exit,
        ),
    };
    questioner.say(&text)?;
    Ok(exit)
}

fn problems(
    file: &Path,
    context: &Context,
) -> Option<config::read::diagnostics::ConfigurationError> {
    let ConfigContext {
        environment,
        operations: known,
        ..
    } = context.config_context();
    let sources = config::read::sources::Sources {
        file: file.to_owned(),
        environment,
    };
    config::load(&sources, known).err()
}
