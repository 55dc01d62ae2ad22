//! Reads each secret from the one place that the configuration names for it.

use crate::{
    config::{
        read::{document_reader::secret_forms, key_path::KeyPath},
        settings::secret::SecretRef,
        value::secret_ref::{self, Fetched, NoSecret},
    },
    secret::Secret,
};

use super::Check;

impl Check<'_> {
    pub(super) fn secret(
        &mut self,
        reference: &SecretRef,
        path: &KeyPath,
    ) -> Option<Secret<String>> {
        let fetched = self.fetched(reference, path, secret_forms())?;
        self.sound(fetched.text(), path)
    }

    /// Reads the secret that `reference` names. `forms` is the hint that says how to write a reference.
    pub(super) fn fetched(
        &mut self,
        reference: &SecretRef,
        path: &KeyPath,
        forms: String,
    ) -> Option<Fetched> {
        let SecretRef {
            file,
            env,
            credential,
            exec,
        } = reference;
        let found = match (file, env, credential, exec) {
            (Some(file), None, None, None) => self.secret_file(file),
            (None, Some(name), None, None) => {
                secret_ref::from_variable(name, self.sources.variable(name))
            }
            (None, None, Some(name), None) => self.credential(name),
            (None, None, None, Some(command)) => {
                secret_ref::from_command(command, secret_ref::EXEC_TIME_OUT)
            }
            (None, None, None, None) => {
                if !self.findings.is_within(&self.at(path)) {
                    self.error_hint(path, "it is not said where the secret is kept", forms);
                }
                return None;
            }
            _ => {
                self.error_hint(path, "a secret is kept in one place", forms);
                return None;
            }
        };
        self.sound(found, path)
    }

    pub(super) fn secret_file(&mut self, file: &str) -> Result<Fetched, NoSecret> {
        let file = self.path(file);
        self.watched.push(file.clone());
        secret_ref::from_file(&file)
    }

    fn credential(&mut self, name: &str) -> Result<Fetched, NoSecret> {
        let directory = self.sources.variable("CREDENTIALS_DIRECTORY");
        let (file, secret) = secret_ref::from_credential(name, directory)?;
        self.watched.push(file);
        Ok(secret)
    }

    /// The secret, or `None` after reporting why there is none.
    pub(super) fn sound<T>(&mut self, found: Result<T, NoSecret>, path: &KeyPath) -> Option<T> {
        match found {
            Ok(found) => Some(found),
            Err(error) => {
                let at = self.at(path);
                self.findings.error(at, error.to_string(), error.hint());
                None
            }
        }
    }
}
