//! The files in `callers.d`, one per caller: created and changed by `caller add`, `rotate` and `revoke`.
//!
//! Only digests of keys are stored. A change replaces the file atomically, and is undone if it breaks the configuration.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};
use zeroize::Zeroizing;

use crate::{
    clock::Timestamp, files, names::CallerName, ninjaone::operation::Operation, random,
    secret::Secret,
};

use super::{
    caller_file_error::CallerFileError,
    effective_settings,
    read::{
        diagnostics::{ConfigurationError, Diagnostic},
        key_path::KeyPath,
        load::{self, LoadedSettings},
        provenance::Provenance,
        sources::Sources,
        suggestion::closest_match,
    },
    value::{expiry, key_digest},
};

const SECONDS_CHARACTERS: usize = "2026-11-17T14:02:11".len();

/// Random bytes in a key.
const KEY_RANDOM_BYTES: usize = 32;

/// A caller to create.
#[derive(Debug, Clone)]
pub struct NewCaller {
    pub name: CallerName,
    pub allow: Vec<String>,
    pub deny: Vec<String>,
    pub policy: Vec<String>,
    /// In the form that `expiry::parse` accepts.
    pub expires: Option<String>,
    pub tenants: Vec<String>,
}

/// The result of a change.
pub struct CallerFileChange {
    pub file: PathBuf,
    /// The new key. It is stored nowhere.
    pub key: Option<Secret<String>>,
    /// Errors that were there before. The change is made, but the configuration cannot be loaded until they are fixed.
    pub remaining_errors: Option<ConfigurationError>,
    /// It was so already.
    pub is_unchanged: bool,
}

/// Creates a caller in its own file, with a new key.
///
/// # Errors
/// The caller exists already, the file cannot be written, or the configuration would be invalid.
pub fn add(
    sources: &Sources,
    known: &[Operation],
    new: &NewCaller,
) -> Result<CallerFileChange, CallerFileError> {
    let loaded = load::read(sources);
    let path = KeyPath::from_keys(&["caller", new.name.as_str()]);
    if let Some(origin) = loaded.provenance.get(&path) {
        return Err(CallerFileError::AlreadyExists {
            name: new.name.clone(),
            location: effective_settings::provenance_text(origin, &loaded.files),
        });
    }
    if let Some(unreadable) = loaded.unreadable {
        return Err(CallerFileError::Unreadable(unreadable));
    }
    let key = new_key(new.name.as_str())?;
    let content = content(new, &key_digest::sha256(key.expose()));
    let directory = sources.callers_directory();
    let name = format!("{}.toml", new.name);
    let file = directory.join(&name);
    let before = errors(sources, known);
    let name = name.as_ref();
    let made_in = files::create_atomically(&sources.file, &directory, name, content.as_bytes())
        .map_err(|source| CallerFileError::Io {
            path: file.clone(),
            source,
        })?;
    let remaining = validate_change(sources, known, &before).inspect_err(|_| {
        // It did not exist before.
        let _ = files::remove_durably(&made_in, name);
    })?;
    Ok(CallerFileChange {
        file,
        key: Some(key),
        remaining_errors: remaining,
        is_unchanged: false,
    })
}

/// Adds a key to a caller; with `now` it replaces the others at once.
///
/// # Errors
/// The caller does not exist, is defined elsewhere or has expired, or the file cannot be written.
pub fn rotate(
    sources: &Sources,
    known: &[Operation],
    name: &str,
    now: bool,
) -> Result<CallerFileChange, CallerFileError> {
    let file = file_of(sources, name)?;
    if let Some(expires) = expired_since(sources, name) {
        return Err(CallerFileError::Expired {
            name: name.to_owned(),
            expires,
        });
    }
    let key = new_key(name)?;
    let digest = format!(
        "\"{}\"",
        key_digest::to_text(&key_digest::sha256(key.expose()))
    );
    let remaining = edit(sources, known, &file, name, |content, value| {
        let keys = value.get_ref().as_array();
        let newest = keys.and_then(|keys| keys.iter().last());
        Ok(match (now, keys, newest) {
            (false, Some(_), Some(newest)) => {
                insert(content, newest.span().end, &format!(", {digest}"))
            }
            (false, None, _) => {
                let old = content.get(value.span()).unwrap_or_default();
                splice(content, value.span(), &format!("[{old}, {digest}]"))
            }
            _ => splice(content, value.span(), &digest),
        })
    })?;
    Ok(CallerFileChange {
        file,
        key: Some(key),
        remaining_errors: remaining,
        is_unchanged: false,
    })
}

/// Removes one key of a caller: the one whose digest begins with `prefix`.
///
/// # Errors
/// The prefix fits no key or several, the key is the only one, or no file defines the caller.
pub fn revoke_key(
    sources: &Sources,
    known: &[Operation],
    name: &str,
    prefix: &str,
) -> Result<CallerFileChange, CallerFileError> {
    let file = file_of(sources, name)?;
    let remaining = edit(sources, known, &file, name, |content, value| {
        let Some(list) = value.get_ref().as_array() else {
            return match value.get_ref().as_str() {
                Some(only) if has_digest_prefix(only, prefix) => {
                    Err(CallerFileError::LastKey(name.to_owned()))
                }
                _ => Err(CallerFileError::UnknownKey(name.to_owned())),
            };
        };
        let all: Vec<_> = list.iter().collect();
        let is_meant = |it: &&Spanned<DeValue<'_>>| {
            it.get_ref()
                .as_str()
                .is_some_and(|text| has_digest_prefix(text, prefix))
        };
        let mut meant = all.iter().enumerate().filter(|(_, it)| is_meant(it));
        let (index, element) = meant
            .next()
            .ok_or_else(|| CallerFileError::UnknownKey(name.to_owned()))?;
        if meant.next().is_some() {
            return Err(CallerFileError::AmbiguousKeyPrefix);
        }
        let before = index.checked_sub(1).and_then(|index| all.get(index));
        let bytes = match (all.get(index + 1), before) {
            (Some(next), _) => element.span().start..next.span().start,
            (None, Some(before)) => before.span().end..element.span().end,
            (None, None) => return Err(CallerFileError::LastKey(name.to_owned())),
        };
        Ok(splice(content, bytes, ""))
    })?;
    Ok(CallerFileChange {
        file,
        key: None,
        remaining_errors: remaining,
        is_unchanged: false,
    })
}

/// Removes a caller and its file.
///
/// # Errors
/// The caller does not exist, shares its file with others, or is defined in the main file; the error names the location.
pub fn revoke(
    sources: &Sources,
    known: &[Operation],
    name: &str,
) -> Result<CallerFileChange, CallerFileError> {
    let file = own_file_of(sources, name)?;
    let storage = |source| CallerFileError::Io {
        path: file.clone(),
        source,
    };
    // Nobody can put another directory in its place from here on: root would remove a file of the same name there.
    let (directory, file_name) = files::open_parent_directory(&file).map_err(storage)?;
    files::remove_durably(&directory, file_name).map_err(storage)?;
    Ok(CallerFileChange {
        file,
        key: None,
        // A revocation is never undone.
        remaining_errors: super::inspect(sources, known).err(),
        is_unchanged: false,
    })
}

/// What `expires` of the caller says, if that has passed.
fn expired_since(sources: &Sources, name: &str) -> Option<String> {
    let loaded = load::read(sources);
    let expires = loaded.settings.caller.get(name)?.expires.clone()?;
    let at = expiry::parse(&expires).ok()?;
    (at <= Timestamp::now()).then_some(expires)
}

/// The file that defines this caller.
pub(super) fn file_of(sources: &Sources, name: &str) -> Result<PathBuf, CallerFileError> {
    find_file(sources, name, |_, _, _| true)
}

/// The file in `callers.d` that defines this caller and no other.
fn own_file_of(sources: &Sources, name: &str) -> Result<PathBuf, CallerFileError> {
    find_file(sources, name, |loaded, path, file| {
        path != sources.file && is_only_caller_in_file(loaded, file)
    })
}

fn find_file(
    sources: &Sources,
    name: &str,
    is_suitable: impl FnOnce(&LoadedSettings, &Path, usize) -> bool,
) -> Result<PathBuf, CallerFileError> {
    let loaded = load::read(sources);
    let path = KeyPath::from_keys(&["caller", name]);
    let Some(origin) = loaded.provenance.get(&path) else {
        return Err(unknown_caller(&loaded, name));
    };
    let found = if let Provenance::File { file, .. } = origin {
        let text = loaded.files.get(*file);
        let is_here = |it: &&Diagnostic| text.is_some_and(|text| it.file == text.name);
        let mut broken = loaded.broken.iter().flat_map(ConfigurationError::as_slice);
        if let Some(first) = broken.find(is_here) {
            return Err(CallerFileError::NotToml {
                name: name.to_owned(),
                is_there: true,
                error: first.clone().into(),
            });
        }
        let path = text.map(|it| PathBuf::from(&it.name));
        path.filter(|path| is_suitable(&loaded, path, *file))
    } else {
        None
    };
    found.ok_or_else(|| CallerFileError::DefinedElsewhere {
        name: name.to_owned(),
        location: effective_settings::provenance_text(origin, &loaded.files),
    })
}

/// That there is no such caller, and which one may have been meant; where a file cannot be read, it may be in that.
pub(crate) fn unknown_caller(loaded: &LoadedSettings, name: &str) -> CallerFileError {
    if let Some(unreadable) = &loaded.unreadable {
        return CallerFileError::Unreadable(unreadable.clone());
    }
    if let Some(broken) = &loaded.broken {
        return CallerFileError::NotToml {
            name: name.to_owned(),
            is_there: false,
            error: broken.clone(),
        };
    }
    let names = loaded.settings.caller.keys().map(String::as_str);
    let meant = closest_match(name, names).map(str::to_owned);
    CallerFileError::UnknownCaller(name.to_owned(), meant)
}

fn is_only_caller_in_file(loaded: &LoadedSettings, wanted: usize) -> bool {
    let callers = loaded.provenance.iter().filter(|(path, origin)| {
        let is_here = matches!(origin, Provenance::File { file, .. } if *file == wanted);
        is_here && path.keys().len() == 2
    });
    callers.count() == 1
}

type Edit<'e> = dyn FnOnce(&str, &Spanned<DeValue<'_>>) -> Result<String, CallerFileError> + 'e;

/// Changes the value of the caller's `key` in its file and nothing else.
fn edit<'e>(
    sources: &Sources,
    known: &[Operation],
    file: &Path,
    name: &str,
    change: impl FnOnce(&str, &Spanned<DeValue<'_>>) -> Result<String, CallerFileError> + 'e,
) -> Result<Option<ConfigurationError>, CallerFileError> {
    let change: Box<Edit<'e>> = Box::new(change);
    rewrite(sources, known, file, |old| {
        let unreadable = || CallerFileError::NotReadable(file.to_owned());
        let document = DeTable::parse(old).map_err(|_| unreadable())?;
        let value = key_value(document.get_ref(), name).ok_or_else(unreadable)?;
        change(old, value)
    })
}

/// Replaces a file by what `change` makes of it. It is put back if the configuration would be wrong.
pub(super) fn rewrite(
    sources: &Sources,
    known: &[Operation],
    file: &Path,
    change: impl FnOnce(&str) -> Result<String, CallerFileError>,
) -> Result<Option<ConfigurationError>, CallerFileError> {
    let storage = |source| CallerFileError::Io {
        path: file.to_owned(),
        source,
    };
    let old = fs::read_to_string(file).map_err(storage)?;
    let new = change(&old)?;
    let before = errors(sources, known);
    files::replace_atomically(file, new.as_bytes()).map_err(storage)?;
    validate_change(sources, known, &before).inspect_err(|_| {
        // If this fails too, the error that is reported says what is wrong with the file.
        let _ = files::replace_atomically(file, old.as_bytes());
    })
}

fn key_value<'v, 't>(document: &'v DeTable<'t>, name: &str) -> Option<&'v Spanned<DeValue<'t>>> {
    let callers = document.get("caller")?.get_ref().as_table()?;
    let caller = callers.get(name)?.get_ref().as_table()?;
    caller.get("key")
}

fn errors(sources: &Sources, known: &[Operation]) -> Vec<Diagnostic> {
    match super::inspect(sources, known) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.as_slice().to_vec(),
    }
}

/// Loads the configuration after a change. Errors that were there `before` do not count against it.
fn validate_change(
    sources: &Sources,
    known: &[Operation],
    before: &[Diagnostic],
) -> Result<Option<ConfigurationError>, CallerFileError> {
    let Err(problems) = super::inspect(sources, known) else {
        return Ok(None);
    };
    let is_old = |new: &Diagnostic| {
        before
            .iter()
            .any(|old| old.message == new.message && old.file == new.file)
    };
    if problems
        .as_slice()
        .iter()
        .all(|it| is_old(it) || !it.is_error())
    {
        Ok(Some(problems))
    } else {
        // What was only doubtful before has nothing to do with it.
        Err(CallerFileError::InvalidConfiguration(
            problems.errors_only(),
        ))
    }
}

/// A new key: `njp_<caller>_<43 characters>`, 256 random bits in a form that secret scanners recognise.
fn new_key(name: &str) -> Result<Secret<String>, CallerFileError> {
    let mut bytes = Zeroizing::new([0; KEY_RANDOM_BYTES]);
    random::fill(bytes.as_mut_slice()).ok_or(CallerFileError::NoRandomness)?;
    let digits = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()));
    Ok(Secret::new(format!("njp_{name}_{}", digits.as_str())))
}

fn has_digest_prefix(digest: &str, prefix: &str) -> bool {
    let plain = |text: &str| {
        text.trim_start_matches("sha256:")
            .trim_end_matches('…')
            .to_ascii_lowercase()
    };
    !plain(prefix).is_empty() && plain(digest).starts_with(&plain(prefix))
}

fn insert(content: &str, at: usize, text: &str) -> String {
    splice(content, at..at, text)
}

fn splice(content: &str, bytes: std::ops::Range<usize>, text: &str) -> String {
    let before = content.get(..bytes.start).unwrap_or_default();
    let after = content.get(bytes.end..).unwrap_or_default();
    format!("{before}{text}{after}")
}

fn content(new: &NewCaller, digest: &[u8; 32]) -> String {
    let mut lines = vec![
        format!("[caller.{}]", quoted(new.name.as_str())),
        format!("key = {}", quoted(&key_digest::to_text(digest))),
    ];
    if let Some(expires) = &new.expires {
        lines.push(format!("expires = {}", quoted(expires)));
    }
    let lists = [
        ("policy", &new.policy),
        ("allow", &new.allow),
        ("deny", &new.deny),
        ("tenants", &new.tenants),
    ];
    for (key, texts) in lists {
        if !texts.is_empty() {
            let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
            lines.push(format!("{key} = [{}]", texts.join(", ")));
        }
    }
    // To the second, as people read it.
    let now = Timestamp::now().to_string();
    let now = now.get(..SECONDS_CHARACTERS).unwrap_or_default();
    lines.push(format!("created = {now}Z"));
    lines.join("\n") + "\n"
}

/// A new key, and the section that lets it in. Writes nothing.
///
/// # Errors
/// The system has no random bytes.
pub fn key_and_section(new: &NewCaller) -> Result<(Secret<String>, String), CallerFileError> {
    let key = new_key(new.name.as_str())?;
    let section = content(new, &key_digest::sha256(key.expose()));
    Ok((key, section))
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => {
                // Writing into a String does not fail.
                let _ = write!(quoted, "\\u{:04X}", u32::from(letter));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}
