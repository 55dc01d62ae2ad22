//! The files of one slot: how they are read together, and the order in which they are written.
//!
//! Invariant, also after a crash at any point: the high-water mark exists before the login does, and is never newer.

use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::hex;

use super::{
    Found,
    directory::Directory,
    error::StoreError,
    record::{Record, Seen, TEXT_BYTES_MAX},
    seal::{self, Inside, Opened, Unopened},
    seal_key::SealKeys,
    stored_login::{Kept, Slot},
};

pub(super) struct Names {
    pub(super) login: String,
    last: String,
    seen: String,
    pub(super) lock: String,
    /// One name is enough because there is one writer at a time, and at most one file can be left behind.
    pub(super) draft: String,
}

impl Names {
    pub(super) fn of(slot: &Slot) -> Self {
        Self {
            login: format!("{slot}.login"),
            last: format!("{slot}.last"),
            seen: format!("{slot}.seen"),
            lock: format!("{slot}.lock"),
            draft: format!("{slot}.draft"),
        }
    }
}

/// The content of a slot's files.
pub(super) struct State {
    pub(super) seen: Option<Seen>,
    pub(super) login: Option<Login>,
}

pub(super) struct Login {
    pub(super) record: Record,
    /// Why the backup was read instead of the login's own file.
    pub(super) damage: Option<StoreError>,
}

impl State {
    pub(super) fn newest(&self) -> u64 {
        let seen = self.seen.map_or(0, |it| it.revision);
        let login = self.login.as_ref().map_or(0, |it| it.record.revision);
        seen.max(login)
    }

    pub(super) fn found(self) -> Option<Found> {
        self.login.map(|login| Found {
            kept: login.record.kept,
            damage: login.damage,
        })
    }
}

/// The files of one slot.
pub(super) struct Files {
    pub(super) directory: Directory,
    pub(super) names: Names,
    pub(super) slot: Slot,
    pub(super) seals: SealKeys,
}

impl Files {
    pub(super) fn look(&self) -> Result<State, StoreError> {
        // Reads the mark first, then the login. A writer replaces them the other way round, so a reader without the lock
        // never meets a login that is older than the mark.
        let Some(seen) = self.seen()? else {
            return match (
                self.record(&self.names.login)?,
                self.directory.read(&self.names.last)?,
            ) {
                (None, None) => Ok(State {
                    seen: None,
                    login: None,
                }),
                _ => Err(StoreError::SeenMissing(self.path(&self.names.seen))),
            };
        };
        let login = self.login(seen)?;
        Ok(State {
            seen: Some(seen),
            login,
        })
    }

    fn login(&self, seen: Seen) -> Result<Option<Login>, StoreError> {
        let path = self.path(&self.names.login);
        let damage = match self.record(&self.names.login) {
            Ok(Some(record)) if is_newest(record.revision, seen) => {
                return Ok(Some(Login {
                    record,
                    damage: None,
                }));
            }
            // After a logout, a login that was left behind or restored is ignored.
            Ok(_) if !seen.kept => return Ok(None),
            Ok(Some(record)) => {
                return Err(StoreError::RolledBack {
                    path,
                    found: record.revision,
                    seen: seen.revision,
                });
            }
            Ok(None) => StoreError::Missing(path),
            Err(error) if error.is_damage() => error,
            Err(error) => return Err(error),
        };
        match self.record(&self.names.last) {
            Ok(Some(record)) if is_newest(record.revision, seen) => {
                let damage = Some(damage);
                Ok(Some(Login { record, damage }))
            }
            _ => Err(damage),
        }
    }

    /// Writes a login. It is durable once its own file is in place; backup and high-water mark follow.
    pub(super) fn put(&self, kept: &Kept, newest: u64, has_seen: bool) -> Result<(), StoreError> {
        let revision = newest.saturating_add(1);
        let text = Record::text_of(revision, kept);
        let sealed = self.sealed(&self.names.login, Inside::Login, text)?;
        if !has_seen {
            let seen = Seen {
                revision: newest,
                generation: 0,
                kept: false,
            };
            self.put_seen(seen)?;
        }
        self.replace(&self.names.login, &sealed)?;
        self.directory.sync()?;
        self.replace(&self.names.last, &sealed)?;
        self.put_seen(Seen {
            revision,
            generation: kept.generation,
            kept: true,
        })
    }

    pub(super) fn put_seen(&self, seen: Seen) -> Result<(), StoreError> {
        let sealed = self.sealed(&self.names.seen, Inside::Seen, seen.to_text())?;
        self.replace(&self.names.seen, &sealed)?;
        self.directory.sync()
    }

    /// Erases the login. Records the logout in the high-water mark first, so that a crash midway does not look like a lost
    /// login.
    pub(super) fn forget(&self) -> Result<(), StoreError> {
        let Names {
            login,
            last,
            seen,
            draft,
            ..
        } = &self.names;
        let [login_is, last_is, seen_is] = [login, last, seen].map(|it| self.directory.has(it));
        if !(login_is? || last_is? || seen_is?) {
            return Ok(());
        }
        self.put_seen(Seen {
            revision: self.newest_readable(),
            generation: 0,
            kept: false,
        })?;
        let removed = [last, login].map(|name| self.directory.wipe(name, draft));
        self.directory.sync()?;
        removed.into_iter().collect()
    }

    /// The highest revision in any file that can still be opened.
    pub(super) fn newest_readable(&self) -> u64 {
        let records = [&self.names.login, &self.names.last].map(|name| self.record(name));
        let records = records
            .into_iter()
            .filter_map(|it| Some(it.ok()??.revision));
        let seen = self.seen().ok().flatten().map(|it| it.revision);
        records.chain(seen).max().unwrap_or(0)
    }

    pub(super) fn all_by_first_key(&self) -> bool {
        let Names {
            login, last, seen, ..
        } = &self.names;
        let files = [
            (login, Inside::Login),
            (last, Inside::Login),
            (seen, Inside::Seen),
        ];
        files
            .into_iter()
            .all(|(name, inside)| match self.open(name, inside) {
                Ok(Some(opened)) => opened.by_first_key,
                Ok(None) => true,
                Err(_) => false,
            })
    }

    pub(super) fn seen(&self) -> Result<Option<Seen>, StoreError> {
        self.parsed(&self.names.seen, Inside::Seen, Seen::from_text)
    }

    fn record(&self, name: &str) -> Result<Option<Record>, StoreError> {
        self.parsed(name, Inside::Login, Record::from_text)
    }

    fn parsed<T>(
        &self,
        name: &str,
        inside: Inside,
        parse: fn(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        let Some(opened) = self.open(name, inside)? else {
            return Ok(None);
        };
        // It is authentic, so a newer version of this program wrote it.
        let unknown = || self.unopened(name, Unopened::NewerFormat(seal::FORMAT));
        parse(&opened.text).map(Some).ok_or_else(unknown)
    }

    fn open(&self, name: &str, inside: Inside) -> Result<Option<Opened>, StoreError> {
        let Some(sealed) = self.directory.read(name)? else {
            return Ok(None);
        };
        let opened = seal::open(&self.seals, &self.slot, inside, &sealed);
        opened.map(Some).map_err(|why| self.unopened(name, why))
    }

    fn unopened(&self, name: &str, why: Unopened) -> StoreError {
        let path = self.path(name);
        match why {
            Unopened::Tampered => StoreError::Tampered(path),
            Unopened::NewerFormat(version) => StoreError::NewerFormat { path, version },
            Unopened::PassphraseWrong => StoreError::PassphraseWrong(path),
            Unopened::WrongKey(id) => StoreError::WrongKey {
                path,
                key_id: hex::encode(&id),
            },
        }
    }

    fn sealed(
        &self,
        name: &str,
        inside: Inside,
        text: Option<Zeroizing<Vec<u8>>>,
    ) -> Result<Vec<u8>, StoreError> {
        let text = text.ok_or_else(|| StoreError::TooLong {
            path: self.path(name),
            longest: TEXT_BYTES_MAX,
        })?;
        seal::seal(&self.seals, &self.slot, inside, text)
            .ok_or_else(|| StoreError::CannotSeal(self.path(name)))
    }

    fn replace(&self, name: &str, sealed: &[u8]) -> Result<(), StoreError> {
        self.directory.replace(name, &self.names.draft, sealed)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path_of(name)
    }
}

/// Whether a login is as new as the high-water mark. After a logout it must be newer.
fn is_newest(revision: u64, seen: Seen) -> bool {
    if seen.kept {
        revision >= seen.revision
    } else {
        revision > seen.revision
    }
}
