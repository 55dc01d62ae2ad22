//! The files of one slot: how they are read together, and the order in which they are written.
//!
//! Invariant, also after a crash at any point: the high-water mark exists before the login does, and is never newer.

use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::hex;

use super::{
    directory::StoreDirectory,
    error::StoreError,
    found_login::FoundLogin,
    record::{HighWaterMark, PLAINTEXT_BYTES_MAX, StoreRecord},
    seal::{self, SealedContent, UnsealError, Unsealed},
    seal_key::SealKeys,
    stored_login::{Slot, StoredLogin},
};

pub(super) struct SlotFileNames {
    pub(super) login: String,
    backup: String,
    high_water_mark: String,
    pub(super) lock: String,
    /// One name is enough because there is one writer at a time, and at most one file can be left behind.
    pub(super) draft: String,
}

impl SlotFileNames {
    pub(super) fn of(slot: &Slot) -> Self {
        Self {
            login: format!("{slot}.login"),
            backup: format!("{slot}.last"),
            high_water_mark: format!("{slot}.seen"),
            lock: format!("{slot}.lock"),
            draft: format!("{slot}.draft"),
        }
    }
}

/// The content of a slot's files.
pub(super) struct SlotState {
    pub(super) high_water_mark: Option<HighWaterMark>,
    pub(super) login: Option<LoadedLogin>,
}

pub(super) struct LoadedLogin {
    pub(super) record: StoreRecord,
    /// Why the backup was read instead of the login's own file.
    pub(super) damage: Option<StoreError>,
}

impl SlotState {
    pub(super) fn newest_revision(&self) -> u64 {
        let seen = self.high_water_mark.map_or(0, |it| it.revision);
        let login = self.login.as_ref().map_or(0, |it| it.record.revision);
        seen.max(login)
    }

    pub(super) fn into_found_login(self) -> Option<FoundLogin> {
        self.login.map(|login| FoundLogin {
            login: login.record.login,
            damage: login.damage,
        })
    }
}

/// The files of one slot.
pub(super) struct SlotFiles {
    pub(super) directory: StoreDirectory,
    pub(super) names: SlotFileNames,
    pub(super) slot: Slot,
    pub(super) seals: SealKeys,
}

impl SlotFiles {
    pub(super) fn load(&self) -> Result<SlotState, StoreError> {
        // Reads the mark first, then the login. A writer replaces them the other way round, so a reader without the lock
        // never meets a login that is older than the mark.
        let Some(seen) = self.high_water_mark()? else {
            return match (
                self.record(&self.names.login)?,
                self.directory.read(&self.names.backup)?,
            ) {
                (None, None) => Ok(SlotState {
                    high_water_mark: None,
                    login: None,
                }),
                _ => Err(StoreError::HighWaterMarkMissing(
                    self.path(&self.names.high_water_mark),
                )),
            };
        };
        let login = self.load_login(seen)?;
        Ok(SlotState {
            high_water_mark: Some(seen),
            login,
        })
    }

    fn load_login(&self, seen: HighWaterMark) -> Result<Option<LoadedLogin>, StoreError> {
        let path = self.path(&self.names.login);
        let damage = match self.record(&self.names.login) {
            Ok(Some(record)) if is_current(record.revision, seen) => {
                return Ok(Some(LoadedLogin {
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
        match self.record(&self.names.backup) {
            Ok(Some(record)) if is_current(record.revision, seen) => {
                let damage = Some(damage);
                Ok(Some(LoadedLogin { record, damage }))
            }
            _ => Err(damage),
        }
    }

    /// Writes a login. It is durable once its own file is in place; backup and high-water mark follow.
    pub(super) fn write_login(
        &self,
        stored: &StoredLogin,
        newest: u64,
        has_seen: bool,
    ) -> Result<(), StoreError> {
        let revision = newest.saturating_add(1);
        let text = StoreRecord::to_json(revision, stored);
        let sealed = self.seal(&self.names.login, SealedContent::Login, text)?;
        if !has_seen {
            let seen = HighWaterMark {
                revision: newest,
                generation: 0,
                kept: false,
            };
            self.write_high_water_mark(seen)?;
        }
        self.replace(&self.names.login, &sealed)?;
        self.directory.sync()?;
        self.replace(&self.names.backup, &sealed)?;
        self.write_high_water_mark(HighWaterMark {
            revision,
            generation: stored.generation,
            kept: true,
        })
    }

    pub(super) fn write_high_water_mark(&self, seen: HighWaterMark) -> Result<(), StoreError> {
        let sealed = self.seal(
            &self.names.high_water_mark,
            SealedContent::HighWaterMark,
            seen.to_json(),
        )?;
        self.replace(&self.names.high_water_mark, &sealed)?;
        self.directory.sync()
    }

    /// Erases the login. Records the logout in the high-water mark first, so that a crash midway does not look like a lost
    /// login.
    pub(super) fn erase(&self) -> Result<(), StoreError> {
        let SlotFileNames {
            login,
            backup: last,
            high_water_mark: seen,
            draft,
            ..
        } = &self.names;
        let [login_is, last_is, seen_is] = [login, last, seen].map(|it| self.directory.exists(it));
        if !(login_is? || last_is? || seen_is?) {
            return Ok(());
        }
        self.write_high_water_mark(HighWaterMark {
            revision: self.newest_readable_revision(),
            generation: 0,
            kept: false,
        })?;
        let removed = [last, login].map(|name| self.directory.wipe(name, draft));
        self.directory.sync()?;
        removed.into_iter().collect()
    }

    /// The highest revision in any file that can still be opened.
    pub(super) fn newest_readable_revision(&self) -> u64 {
        let records = [&self.names.login, &self.names.backup].map(|name| self.record(name));
        let records = records
            .into_iter()
            .filter_map(|it| Some(it.ok()??.revision));
        let seen = self.high_water_mark().ok().flatten().map(|it| it.revision);
        records.chain(seen).max().unwrap_or(0)
    }

    pub(super) fn is_all_by_first_key(&self) -> bool {
        let SlotFileNames {
            login,
            backup: last,
            high_water_mark: seen,
            ..
        } = &self.names;
        let files = [
            (login, SealedContent::Login),
            (last, SealedContent::Login),
            (seen, SealedContent::HighWaterMark),
        ];
        files
            .into_iter()
            .all(|(name, inside)| match self.unseal(name, inside) {
                Ok(Some(opened)) => opened.is_by_first_key,
                Ok(None) => true,
                Err(_) => false,
            })
    }

    pub(super) fn high_water_mark(&self) -> Result<Option<HighWaterMark>, StoreError> {
        self.read_parsed(
            &self.names.high_water_mark,
            SealedContent::HighWaterMark,
            HighWaterMark::from_json,
        )
    }

    fn record(&self, name: &str) -> Result<Option<StoreRecord>, StoreError> {
        self.read_parsed(name, SealedContent::Login, StoreRecord::from_json)
    }

    fn read_parsed<T>(
        &self,
        name: &str,
        inside: SealedContent,
        parse: fn(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        let Some(opened) = self.unseal(name, inside)? else {
            return Ok(None);
        };
        // It is authentic, so a newer version of this program wrote it.
        let unknown = || self.unseal_error(name, UnsealError::NewerFormat(seal::FORMAT));
        parse(&opened.plaintext).map(Some).ok_or_else(unknown)
    }

    fn unseal(&self, name: &str, inside: SealedContent) -> Result<Option<Unsealed>, StoreError> {
        let Some(sealed) = self.directory.read(name)? else {
            return Ok(None);
        };
        let opened = seal::unseal(&self.seals, &self.slot.to_string(), inside, &sealed);
        opened.map(Some).map_err(|why| self.unseal_error(name, why))
    }

    fn unseal_error(&self, name: &str, why: UnsealError) -> StoreError {
        let path = self.path(name);
        match why {
            UnsealError::Tampered => StoreError::Tampered(path),
            UnsealError::NewerFormat(version) => StoreError::NewerFormat { path, version },
            UnsealError::WrongPassphrase => StoreError::WrongPassphrase(path),
            UnsealError::WrongKey(id) => StoreError::WrongKey {
                path,
                key_id: hex::encode(&id),
            },
        }
    }

    fn seal(
        &self,
        name: &str,
        inside: SealedContent,
        text: Option<Zeroizing<Vec<u8>>>,
    ) -> Result<Vec<u8>, StoreError> {
        let text = text.ok_or_else(|| StoreError::TooLong {
            path: self.path(name),
            longest: PLAINTEXT_BYTES_MAX,
        })?;
        seal::seal(&self.seals, &self.slot.to_string(), inside, text)
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
fn is_current(revision: u64, seen: HighWaterMark) -> bool {
    if seen.kept {
        revision >= seen.revision
    } else {
        revision > seen.revision
    }
}
