//! Checks `[[admin.access]]` and `admin.socket`: who may look at the proxy and change it, and where they are let in.

use std::path::PathBuf;

use crate::{
    admin::access::UnixAccount,
    config::{
        AdminAccessConfig, AdminIdentity, AdminSocketConfig, StoreConfig, admin_socket,
        read::key_path::KeyPath,
        settings::admin::{AdminAccessSettings, AdminAccountSettings},
        value::key_digest::{self, KeyDigestParseError},
    },
};

use super::Checker;

const ACCESS_MAX: usize = 64;

impl Checker<'_> {
    /// `None` if there is none.
    pub(super) fn admin_socket(
        &self,
        written: Option<&str>,
        store: Option<&StoreConfig>,
    ) -> Option<AdminSocketConfig> {
        match written {
            Some("") => None,
            Some(path) => Some(AdminSocketConfig {
                path: self.path(path),
                is_configured: true,
            }),
            None => {
                let variable = |name: &str| self.sources.env_var(name);
                let store: Option<PathBuf> = store.map(|it| it.path.clone());
                let path = admin_socket::default_path(variable, store.as_deref())?;
                Some(AdminSocketConfig {
                    path,
                    is_configured: false,
                })
            }
        }
    }

    pub(super) fn admin_access(
        &mut self,
        settings: &[AdminAccessSettings],
        path: &KeyPath,
    ) -> Vec<AdminAccessConfig> {
        if settings.len() > ACCESS_MAX {
            self.error(path, format!("at most {ACCESS_MAX} entries are possible"));
            return Vec::new();
        }
        let mut access: Vec<AdminAccessConfig> = Vec::new();
        for (index, entry) in settings.iter().enumerate() {
            let path = path.element(index);
            let AdminAccessSettings { key, unix, role } = entry;
            let who = match (key.as_deref(), unix) {
                (Some(_), Some(_)) => {
                    let hint = "make two entries of it";
                    self.error_with_hint(&path, "this entry has both `key` and `unix`", hint);
                    None
                }
                (key, None) => self.admin_key(key, &path).map(AdminIdentity::Key),
                (None, Some(account)) => self
                    .admin_account(account, &path.child("unix"))
                    .map(AdminIdentity::Account),
            };
            if role.is_none() {
                self.missing(&path, "role", "role = \"operator\" or role = \"auditor\"");
            }
            let (Some(who), Some(role)) = (who, *role) else {
                continue;
            };
            if access.iter().any(|it| it.who == who) {
                let (at, what) = match who {
                    AdminIdentity::Key(_) => ("key", "this key stands in the list already"),
                    AdminIdentity::Account(_) => {
                        ("unix", "this account stands in the list already")
                    }
                };
                self.error(&path.child(at), what);
            }
            access.push(AdminAccessConfig { who, role: role.0 });
        }
        access
    }

    fn admin_account(
        &mut self,
        settings: &AdminAccountSettings,
        path: &KeyPath,
    ) -> Option<UnixAccount> {
        match (&settings.user, &settings.group) {
            (Some(user), None) if !user.is_empty() => Some(UnixAccount::User(user.clone())),
            (None, Some(group)) if !group.is_empty() => Some(UnixAccount::Group(group.clone())),
            _ => {
                self.error_with_hint(
                    path,
                    "an account is either a user or a group",
                    "unix = { user = \"alice\" } or unix = { group = \"rmm-admins\" }",
                );
                None
            }
        }
    }

    fn admin_key(&mut self, text: Option<&str>, path: &KeyPath) -> Option<[u8; 32]> {
        let Some(text) = text else {
            self.missing(
                path,
                "key",
                "key = \"sha256:…\": the digest of a key of 32 to 256 characters",
            );
            return None;
        };
        let path = path.child("key");
        match key_digest::parse(text) {
            Ok(digest) => Some(digest),
            Err(error) => {
                let hint = (error == KeyDigestParseError::PlaintextKey)
                    .then(|| "printf %s \"$KEY\" | sha256sum".to_owned());
                self.redacted_error(&path, error.to_string(), hint);
                None
            }
        }
    }
}
