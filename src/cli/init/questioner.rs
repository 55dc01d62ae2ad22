//! Asks on the terminal, or reads answers from a pipe, until one can be used.

use std::io::{self, Write};

use crate::{
    cli::terminal::{Echo, TerminalSession, TypedLine, read_piped_line},
    secret::Secret,
};

use super::init_refusal::InitRefusal;

const LINE_BYTES_MAX: usize = 4096;
/// So that an endless input ends: `yes | ninjaone-proxy init`.
const WRONG_ANSWERS_MAX: usize = 10;

/// Why there are no answers.
pub(super) enum InitError {
    Io(io::Error),
    Interrupted,
    /// The flag that would have been the answer.
    EndOfInput(&'static str),
    /// A flag, or one answer after the other.
    Wrong(String),
    /// NinjaOne or the way there refused, and nobody can be asked. Whether it was said already.
    Refused(InitRefusal, bool),
}

impl From<io::Error> for InitError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What is asked.
pub(super) struct Question<'a> {
    pub(super) text: &'a str,
    pub(super) echo: Echo,
    /// The flag that answers it as well.
    pub(super) flag: &'static str,
}

/// From the first question on the terminal shows nothing by itself, until this is dropped.
pub(super) struct Questioner<'a> {
    terminal: Option<TerminalSession>,
    has_begun: bool,
    err: &'a mut dyn Write,
}

impl<'a> Questioner<'a> {
    pub(super) fn new(err: &'a mut dyn Write) -> Self {
        Self {
            terminal: None,
            has_begun: false,
            err,
        }
    }

    pub(super) fn say(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.err, "{text}")
    }

    /// Asks until `parse` takes the answer, and says what is wrong with those that it does not take.
    ///
    /// # Errors
    /// The input ends, cannot be read, or brings one wrong answer after the other.
    pub(super) async fn ask<T>(
        &mut self,
        question: &Question<'_>,
        parse: impl Fn(&Secret<String>) -> Result<T, String>,
    ) -> Result<T, InitError> {
        for _ in 0..WRONG_ANSWERS_MAX {
            let read = match self.line(question).await {
                Ok(Some(answer)) => parse(&answer),
                Ok(None) => return Err(InitError::EndOfInput(question.flag)),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    Err(format!("That cannot be an answer: {error}."))
                }
                Err(error) => return Err(error.into()),
            };
            match read {
                Ok(answer) => return Ok(answer),
                Err(why) => self.say(&why)?,
            }
        }
        Err(InitError::Wrong(format!(
            "none of {WRONG_ANSWERS_MAX} answers could be used; give {}",
            question.flag
        )))
    }

    async fn line(&mut self, question: &Question<'_>) -> io::Result<Option<Secret<String>>> {
        if !self.has_begun {
            self.terminal = TerminalSession::begin()?;
            self.has_begun = true;
        }
        if let Some(terminal) = &self.terminal {
            terminal.discard_typed();
        }
        write!(self.err, "\n{}\n> ", question.text)?;
        self.err.flush()?;
        let Some(terminal) = &mut self.terminal else {
            let line = read_piped_line(LINE_BYTES_MAX).await;
            writeln!(self.err)?;
            return line;
        };
        let line = terminal
            .read_line(question.echo, LINE_BYTES_MAX, self.err)
            .await?;
        let Some(TypedLine {
            text,
            is_first_of_several,
        }) = line
        else {
            return Ok(None);
        };
        if is_first_of_several {
            writeln!(
                self.err,
                "(Several lines were pasted. Only the first was taken; the others were discarded.)"
            )?;
        }
        Ok(Some(text))
    }
}
