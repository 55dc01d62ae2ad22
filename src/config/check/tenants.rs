//! The tenants: where they are, and as whom we go there.

use std::collections::BTreeMap;

use crate::{names::TenantName, ninjaone::region, secret::Secret};

use super::{
    super::{
        Origin, RefreshAt, ServiceIdentity, Tenant, address, duration,
        key_path::KeyPath,
        percent,
        problem::At,
        reader::secret_forms,
        secret_ref::{self, NoSecret},
        settings::{self, Region, Scope, SecretRef},
    },
    Check,
};

const CLIENT_ID_BYTES_MAX: usize = 512;
const LABEL_BYTES_MAX: usize = 256;
const PERCENT_MIN: u8 = 1;
const PERCENT_MAX: u8 = 95;

impl Check<'_> {
    pub(super) fn tenants(&mut self, settings: &BTreeMap<String, settings::Tenant>) -> Vec<Tenant> {
        let top = KeyPath::of(&["tenant"]);
        let mut tenants = Vec::new();
        for (name, tenant) in settings {
            let path = top.child(name);
            let parsed = name.parse::<TenantName>();
            if let Err(error) = &parsed {
                self.findings
                    .error(self.at_key(&path), error.to_string(), None);
            }
            let tenant = self.tenant(tenant, &path, parsed.ok());
            tenants.extend(tenant);
        }
        if settings.is_empty() {
            self.findings.absence_warning(
                At::Nowhere,
                "there is no tenant: nothing can be reached",
                Some("add a [tenant.NAME]".into()),
            );
        }
        tenants
    }

    fn tenant(
        &mut self,
        settings: &settings::Tenant,
        path: &KeyPath,
        name: Option<TenantName>,
    ) -> Option<Tenant> {
        let mut origin = self.origin(settings, path);
        if let Some(ca) = &settings.ca {
            let file = self.existing_file(&path.child("ca"), ca);
            if let Some(origin) = &mut origin {
                origin.ca = Some(file);
            }
        }
        if settings
            .label
            .as_ref()
            .is_some_and(|label| label.len() > LABEL_BYTES_MAX)
        {
            self.error(
                &path.child("label"),
                format!("a label has at most {LABEL_BYTES_MAX} bytes"),
            );
        }
        let Some(service) = &settings.service else {
            self.missing(
                path,
                "service",
                "service = { client_id = \"…\", client_secret = { file = \"…\" } }",
            );
            return None;
        };
        let service = self.service(service, &path.child("service"));
        Some(Tenant {
            name: name?,
            label: settings.label.clone(),
            origin: origin?,
            service,
        })
    }

    fn origin(&mut self, settings: &settings::Tenant, path: &KeyPath) -> Option<Origin> {
        match (settings.region, &settings.url) {
            (Some(_), Some(_)) => {
                self.error_hint(
                    &path.child("url"),
                    "a tenant has a `region` or a `url`, not both",
                    "remove one of them",
                );
                None
            }
            (Some(region), None) => Some(Origin {
                tls: true,
                host: region_of(region).host().to_owned(),
                port: 443,
                ca: None,
            }),
            (None, Some(url)) => match address::parse_origin(url) {
                Ok(origin) => Some(origin),
                Err(error) => {
                    if error == address::NotAnOrigin::UserInfo {
                        self.hidden_error(&path.child("url"), error.to_string(), None);
                    } else {
                        self.error(&path.child("url"), error);
                    }
                    None
                }
            },
            (None, None) => {
                let written = ["region", "url"]
                    .iter()
                    .any(|key| self.origins.has(&path.child(key)));
                if !written {
                    let at = self.at_key(path);
                    let message = format!("`region` or `url` is missing in `{path}`");
                    let hint = "region = \"eu\" (us, us2, eu, ca, oc, fed, jp), or url = \"https://…\" of a branded instance";
                    self.findings.absence(at, message, Some(hint.into()));
                }
                None
            }
        }
    }

    fn service(&mut self, settings: &settings::Service, path: &KeyPath) -> Option<ServiceIdentity> {
        let client_id = settings.client_id.as_deref();
        match client_id {
            None => self.missing(
                path,
                "client_id",
                "it stands beside the application in NinjaOne",
            ),
            Some(id) if !is_client_id(id) => {
                let message =
                    format!("a client id is 1 to {CLIENT_ID_BYTES_MAX} printable ASCII characters");
                self.error(&path.child("client_id"), message);
            }
            Some(_) => {}
        }
        let at_secret = path.child("client_secret");
        let client_secret = if let Some(reference) = &settings.client_secret {
            self.secret(reference, &at_secret)
        } else {
            self.missing(path, "client_secret", secret_forms());
            None
        };
        let refresh_at = self.refresh_at(&settings.refresh_at, &path.child("refresh_at"));
        Some(ServiceIdentity {
            client_id: client_id?.to_owned(),
            client_secret: client_secret?,
            scopes: settings
                .scopes
                .iter()
                .map(|scope| scope_text(*scope).to_owned())
                .collect(),
            refresh_at,
        })
    }

    fn refresh_at(&mut self, text: &str, path: &KeyPath) -> RefreshAt {
        let usual = RefreshAt::Percent(80);
        if let Ok(share) = percent::parse(text) {
            if (PERCENT_MIN..=PERCENT_MAX).contains(&share) {
                return RefreshAt::Percent(share);
            }
            self.error(
                path,
                format!("a share of a token's life is {PERCENT_MIN}% to {PERCENT_MAX}%"),
            );
            return usual;
        }
        match duration::parse(text) {
            Ok(before) if !before.is_zero() => RefreshAt::Before(before),
            _ => {
                self.error(path, "this is a share of the token's life (\"80%\") or a time before its end (\"5m\")");
                usual
            }
        }
    }

    fn secret(&mut self, reference: &SecretRef, path: &KeyPath) -> Option<Secret<String>> {
        let found = match (
            &reference.file,
            &reference.env,
            &reference.credential,
            &reference.exec,
        ) {
            (Some(file), None, None, None) => {
                let file = self.path(file);
                self.watched.push(file.clone());
                secret_ref::from_file(&file)
            }
            (None, Some(name), None, None) => {
                secret_ref::from_variable(name, self.sources.variable(name))
            }
            (None, None, Some(name), None) => self.credential(name),
            (None, None, None, Some(command)) => {
                secret_ref::from_command(command, secret_ref::EXEC_TIME_OUT)
            }
            (None, None, None, None) => {
                if !self.findings.is_within(&self.at(path)) {
                    self.error_hint(
                        path,
                        "it is not said where the secret is kept",
                        secret_forms(),
                    );
                }
                return None;
            }
            _ => {
                self.error_hint(path, "a secret is kept in one place", secret_forms());
                return None;
            }
        };
        match found {
            Ok(secret) => Some(secret),
            Err(error) => {
                let at = self.at(path);
                self.findings.error(at, error.to_string(), error.hint());
                None
            }
        }
    }

    fn credential(&mut self, name: &str) -> Result<Secret<String>, NoSecret> {
        let directory = self.sources.variable("CREDENTIALS_DIRECTORY");
        let (file, secret) = secret_ref::from_credential(name, directory)?;
        self.watched.push(file);
        Ok(secret)
    }
}

fn is_client_id(text: &str) -> bool {
    (1..=CLIENT_ID_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

const fn region_of(region: Region) -> region::Region {
    match region {
        Region::Us => region::Region::Us,
        Region::Us2 => region::Region::Us2,
        Region::Eu => region::Region::Eu,
        Region::Ca => region::Region::Ca,
        Region::Oc => region::Region::Oc,
        Region::Fed => region::Region::Fed,
        Region::Jp => region::Region::Jp,
    }
}

const fn scope_text(scope: Scope) -> &'static str {
    match scope {
        Scope::Monitoring => "monitoring",
        Scope::Management => "management",
        Scope::Control => "control",
    }
}
