//! Checks the store: its directory and its keys.

use std::path::PathBuf;

use crate::config::{
    PathOrigin, Seal, StoreConfig,
    read::{document_reader::seal_ref_help, key_path::KeyPath},
    settings::{
        Settings,
        caller::OneOrMany,
        secret::SecretRef,
        store::{self, SealRef},
    },
    value::{
        secret_ref::SecretError,
        store_key_hint::{key_command, key_hint},
    },
};

use super::{Checker, directories::DefaultDirectories};

/// Most keys: the one in use, and those that it replaced.
const SEALS_MAX: usize = 8;

impl Checker<'_> {
    /// `None` without a seal: nothing is ever stored unencrypted.
    pub(super) fn store(
        &mut self,
        settings: &Settings,
        directories: &DefaultDirectories,
    ) -> Option<StoreConfig> {
        let store::StoreSettings { path, seal } = &settings.store;
        let top = KeyPath::from_keys(&["store"]);
        let (path, path_origin) = match path {
            Some(written) => (
                self.store_path(written, &top.child("path")),
                PathOrigin::Setting,
            ),
            None => directories.store.clone(),
        };
        let at_seal = top.child("seal");
        let Some(written) = seal else {
            if !self.provenance.contains(&at_seal) {
                self.report_missing_seal(settings, &top);
            }
            return None;
        };
        let seals = self.seals(written, &at_seal);
        Some(StoreConfig {
            path,
            path_origin,
            seals,
        })
    }

    fn store_path(&mut self, written: &str, path: &KeyPath) -> PathBuf {
        if written.is_empty() {
            self.error(path, "the store needs a directory");
        }
        self.path(written)
    }

    fn report_missing_seal(&mut self, settings: &Settings, path: &KeyPath) {
        let is_misspelt = ["store", "store.seal"]
            .map(|it| KeyPath::from_keys(&it.split('.').collect::<Vec<_>>()))
            .iter()
            .any(|it| self.provenance.is_misspelt(it));
        if is_misspelt {
            return;
        }
        for (name, tenant) in &settings.tenant {
            let user = KeyPath::from_keys(&["tenant", name, "user"]);
            if tenant.user.is_some() || self.provenance.contains(&user) {
                let message =
                    "`store.seal` is missing: a login is kept on disk, encrypted with this key";
                let at = self.key_location(&user);
                self.diagnostics.missing(at, message, Some(self.key_hint()));
            }
        }
        let is_used = settings.tenant.values().any(|it| it.user.is_some());
        if settings.store.path.is_some() && !is_used {
            let path = path.child("path");
            self.warning(
                &path,
                "nothing is stored there without a `seal`",
                self.key_hint(),
            );
        }
    }

    fn seals(&mut self, written: &OneOrMany<SealRef>, path: &KeyPath) -> Vec<Seal> {
        let is_list = matches!(written, OneOrMany::Many(_));
        let written = written.as_slice();
        if written.is_empty() {
            self.error_with_hint(path, "a store needs a seal", self.key_hint());
        }
        if written.len() > SEALS_MAX {
            self.error(path, format!("a store has at most {SEALS_MAX} seals"));
            return Vec::new();
        }
        let mut seals = Vec::new();
        for (index, seal) in written.iter().enumerate() {
            let path = if is_list {
                path.element(index)
            } else {
                path.clone()
            };
            let Some(seal) = self.seal(seal, &path) else {
                continue;
            };
            if seals.contains(&seal) {
                self.error_with_hint(&path, "this seal stands in the list already", "remove it");
            }
            seals.push(seal);
        }
        seals
    }

    fn key_hint(&self) -> String {
        key_hint(&self.path("store.key"))
    }

    /// Whether the file of a key is not there. A key is made, where any other secret is put in its place.
    fn report_missing_key(&mut self, reference: &SecretRef, path: &KeyPath) -> bool {
        let SecretRef {
            file: Some(file),
            env: None,
            credential: None,
            exec: None,
        } = reference
        else {
            return false;
        };
        let Err(error @ SecretError::FileNotFound(_)) = self.secret_file(file) else {
            return false;
        };
        let command = key_command(&self.path(file));
        let hint = format!(
            "if there was a key, bring it back: only it reads the logins in the store; otherwise make one: {command}"
        );
        self.error_with_hint(path, error, hint);
        true
    }

    fn seal(&mut self, seal: &SealRef, path: &KeyPath) -> Option<Seal> {
        let SealRef {
            file,
            env,
            credential,
            exec,
            passphrase_file,
        } = seal.clone();
        let reference = SecretRef {
            file,
            env,
            credential,
            exec,
        };
        let Some(passphrase_file) = passphrase_file else {
            if self.report_missing_key(&reference, path) {
                return None;
            }
            let fetched = self.fetch_secret(&reference, path, seal_ref_help())?;
            return self.ok_or_report(fetched.key(), path).map(Seal::Key);
        };
        let SecretRef {
            file,
            env,
            credential,
            exec,
        } = reference;
        if [file, env, credential].iter().any(Option::is_some) || exec.is_some() {
            self.error_with_hint(path, "a secret is kept in one place", seal_ref_help());
            return None;
        }
        let passphrase = self
            .secret_file(&passphrase_file)
            .and_then(|it| it.passphrase());
        self.ok_or_report(passphrase, path).map(Seal::Passphrase)
    }
}
