//! Reads each secret from the one source that the configuration names for it.

use aws_lc_rs::digest::{SHA256, digest};

use crate::{
    config::{
        SecretUse,
        read::{document_reader::secret_ref_help, key_path::KeyPath},
        settings::secret::SecretRef,
        value::secret_ref::{self, SecretBytes, SecretError},
    },
    hex,
    secret::Secret,
};

use super::Checker;

impl Checker<'_> {
    pub(super) fn secret(
        &mut self,
        reference: &SecretRef,
        path: &KeyPath,
    ) -> Option<Secret<String>> {
        let fetched = self.fetch_secret(reference, path, secret_ref_help())?;
        let secret = self.ok_or_report(fetched.text(), path)?;
        if let Some(edges) = fetched.edges() {
            let verb = if edges.is_one() { "is" } else { "are" };
            self.warning(
                path,
                format!("this secret has {edges} around it, which {verb} left off"),
                "save it again as plain text in UTF-8, the secret alone",
            );
        }
        Some(secret)
    }

    /// Reads the secret that `reference` names. `forms` is the hint that says how to write a reference.
    pub(super) fn fetch_secret(
        &mut self,
        reference: &SecretRef,
        path: &KeyPath,
        forms: String,
    ) -> Option<SecretBytes> {
        let SecretRef {
            file,
            env,
            credential,
            exec,
        } = reference;
        let found = match (file, env, credential, exec.as_deref()) {
            (Some(file), None, None, None) => self.secret_file(file),
            (None, Some(name), None, None) => {
                secret_ref::from_variable(name, self.sources.env_var(name))
            }
            (None, None, Some(name), None) => self.credential(name),
            (None, None, None, Some([_, ..])) if self.secrets == SecretUse::NotNeeded => {
                stand_in(path)
            }
            (None, None, None, Some(command)) => {
                secret_ref::from_command(command, secret_ref::EXEC_TIMEOUT)
            }
            (None, None, None, None) => {
                if !self.diagnostics.has_within(&self.value_location(path)) {
                    self.error_with_hint(path, "it is not said where the secret is kept", forms);
                }
                return None;
            }
            _ => {
                self.error_with_hint(path, "a secret is kept in one place", forms);
                return None;
            }
        };
        let found = match found {
            Err(SecretError::CredentialNotFound { .. } | SecretError::VariableNotSet(_))
                if self.secrets == SecretUse::NotNeeded =>
            {
                stand_in(path)
            }
            found => found,
        };
        self.ok_or_report(found, path)
    }

    pub(super) fn secret_file(&mut self, file: &str) -> Result<SecretBytes, SecretError> {
        let file = self.path(file);
        self.watched_paths.push(file.clone());
        secret_ref::from_file(&file)
    }

    fn credential(&mut self, name: &str) -> Result<SecretBytes, SecretError> {
        let directory = self.sources.env_var("CREDENTIALS_DIRECTORY");
        let (file, secret) = secret_ref::from_credential(name, directory)?;
        self.watched_paths.push(file);
        Ok(secret)
    }

    /// The secret, or `None` after reporting why there is none.
    pub(super) fn ok_or_report<T>(
        &mut self,
        found: Result<T, SecretError>,
        path: &KeyPath,
    ) -> Option<T> {
        match found {
            Ok(found) => Some(found),
            Err(error) => {
                let at = self.value_location(path);
                self.diagnostics.error(at, error.to_string(), error.hint());
                None
            }
        }
    }
}

/// What stands for a secret that nobody needs: a text and a key of the right form, another one for each place.
fn stand_in(path: &KeyPath) -> Result<SecretBytes, SecretError> {
    let digest = digest(&SHA256, path.to_string().as_bytes());
    secret_ref::from_variable("", Some(&hex::encode(digest.as_ref())))
}
