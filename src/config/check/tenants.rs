//! Checks the tenants: their address and their identities.

use std::collections::BTreeMap;

use crate::{
    config::{
        Origin, TenantConfig,
        read::{diagnostics::SourceLocation, key_path::KeyPath, unsupported::LEGACY_KEYS},
        settings,
        value::address,
    },
    names::TenantName,
};

use super::Checker;

const LABEL_BYTES_MAX: usize = 256;

impl Checker<'_> {
    pub(super) fn tenants(
        &mut self,
        settings: &BTreeMap<String, settings::tenant::TenantSettings>,
    ) -> Vec<TenantConfig> {
        let top = KeyPath::from_keys(&["tenant"]);
        let mut tenants = Vec::new();
        for (name, tenant) in settings {
            let path = top.child(name);
            let parsed = name.parse::<TenantName>();
            if let Err(error) = &parsed {
                self.diagnostics
                    .error(self.key_location(&path), error.to_string(), None);
            }
            let tenant = self.tenant(tenant, &path, parsed.ok());
            tenants.extend(tenant);
        }
        if settings.is_empty() && !self.provenance.contains(&top) {
            self.diagnostics.missing_warning(
                SourceLocation::Unknown,
                "there is no tenant, so nothing can be reached",
                Some("add a section [tenant.NAME], or let `ninjaone-proxy init` write a configuration".into()),
            );
        }
        tenants
    }

    fn tenant(
        &mut self,
        settings: &settings::tenant::TenantSettings,
        path: &KeyPath,
        name: Option<TenantName>,
    ) -> Option<TenantConfig> {
        let settings::tenant::TenantSettings {
            label,
            ca,
            proxy,
            service,
            user,
            // Checked by `origin`.
            region: _,
            url: _,
        } = settings;
        let mut origin = self.origin(settings, path);
        if let Some(ca) = ca {
            let file = self.existing_file(&path.child("ca"), ca);
            if let Some(origin) = &mut origin {
                origin.ca = Some(file);
            }
        }
        let host = origin.as_ref().map(|it| it.host.clone());
        let way_out = self.way_out(proxy.as_ref(), &path.child("proxy"), host.as_deref());
        if let Some(origin) = &mut origin {
            origin.way_out = way_out;
        }
        if label
            .as_ref()
            .is_some_and(|label| label.len() > LABEL_BYTES_MAX)
        {
            self.error(
                &path.child("label"),
                format!("a label has at most {LABEL_BYTES_MAX} bytes"),
            );
        }
        self.require_identity(settings, path);
        let service = service.as_ref();
        let service = service.map(|it| self.service(it, &path.child("service")));
        let user = user.as_ref();
        let user = user.map(|it| self.user(it, &path.child("user")));
        Some(TenantConfig {
            name: name?,
            label: label.clone(),
            origin: origin?,
            service: service.flatten(),
            user: user.flatten(),
        })
    }

    fn require_identity(&mut self, settings: &settings::tenant::TenantSettings, path: &KeyPath) {
        // An identity that was written and is wrong has been reported already.
        let mut attempts = ["service", "user"].into_iter().chain(LEGACY_KEYS);
        let is_tried = attempts.any(|key| self.provenance.contains(&path.child(key)));
        if is_tried || settings.service.is_some() || settings.user.is_some() {
            return;
        }
        let hint = "service = { client_id = \"…\", client_secret = { file = \"…\" } } for a machine, \
                    user = { client_id = \"…\" } for a person who logs in";
        self.missing_in(path, "`service` or `user`", hint);
    }

    fn origin(
        &mut self,
        settings: &settings::tenant::TenantSettings,
        path: &KeyPath,
    ) -> Option<Origin> {
        match (settings.region, &settings.url) {
            (Some(_), Some(_)) => {
                self.error_with_hint(
                    &path.child("url"),
                    "a tenant has a `region` or a `url`, not both",
                    "remove one of them",
                );
                None
            }
            (Some(region), None) => Some(Origin::direct(true, region.0.host().to_owned(), 443)),
            (None, Some(url)) => match address::parse_origin(url) {
                Ok(origin) => Some(origin),
                Err(error) => {
                    let path = path.child("url");
                    match address::corrected_origin(url) {
                        _ if error == address::OriginParseError::UserInfo => {
                            self.redacted_error(&path, error.to_string(), None);
                        }
                        Some(right) => {
                            self.error_with_hint(&path, error, format!("write url = \"{right}\""));
                        }
                        None => self.error(&path, error),
                    }
                    None
                }
            },
            (None, None) => {
                let written = ["region", "url"]
                    .iter()
                    .any(|key| self.provenance.contains(&path.child(key)));
                if !written {
                    let hint = "write region = \"eu\" (or us, us2, ca, oc, fed, jp), or url = \"https://acme.rmmservice.com\" for a host of your own";
                    self.missing_in(path, "`region` or `url`", hint);
                }
                None
            }
        }
    }
}
