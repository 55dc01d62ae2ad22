//! Opens the browser: with an argument list, never a shell, and only with validated addresses.

use std::{
    io,
    os::unix::process::CommandExt,
    process::{Command, Stdio},
    thread,
};

use crate::{
    cli::context::Context,
    config::{Origin, value::address},
    net::url,
};

/// An address that is safe to open.
pub(super) struct BrowserUrl<'a>(&'a str);

impl<'a> BrowserUrl<'a> {
    /// Accepts `https://`, or `http://` on the loopback, without characters that a program could take for anything else.
    pub(super) fn parse(url: &'a str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"'`\\<>^{|}$;()!".contains(&byte);
        (url.bytes().all(is_plain) && origin(url).is_some()).then_some(Self(url))
    }

    /// Whether it is on this scheme, host and port.
    pub(super) fn has_origin(&self, wanted: &str) -> bool {
        let rest = self.0.strip_prefix(wanted);
        rest.is_some_and(|it| it.starts_with(['/', '?']))
    }
}

/// The scheme, host and port of a safe address.
pub(super) fn origin(url: &str) -> Option<Origin> {
    address::parse_origin(url::origin(url)?).ok()
}

/// False if there is no browser or no display.
pub(super) fn open(url: &BrowserUrl<'_>, context: &Context) -> bool {
    let Some(words) = command(url.0, context) else {
        return false;
    };
    let Some((program, arguments)) = words.split_first() else {
        return false;
    };
    start(program, arguments).is_ok()
}

fn command(url: &str, context: &Context) -> Option<Vec<String>> {
    // A list, in order of preference.
    if let Some(wanted) = context
        .env_var("BROWSER")
        .and_then(|it| it.split(':').next())
    {
        let mut words: Vec<String> = wanted.split_whitespace().map(str::to_owned).collect();
        let index = words.iter().position(|it| it.contains("%s"));
        match index.and_then(|at| words.get_mut(at)) {
            Some(word) => *word = word.replace("%s", url),
            None => words.push(url.to_owned()),
        }
        return Some(words);
    }
    if cfg!(target_os = "macos") {
        return Some(vec!["open".into(), url.into()]);
    }
    let has_screen = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| context.env_var(name).is_some());
    has_screen.then(|| vec!["xdg-open".into(), url.into()])
}

fn start(program: &str, arguments: &[String]) -> io::Result<()> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C ends the login, not the browser.
        .process_group(0)
        .spawn()?;
    // Only to reap the process.
    thread::Builder::new().spawn(move || drop(child.wait()))?;
    Ok(())
}
