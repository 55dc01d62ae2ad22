//! The metadata of our own token endpoint (RFC 8414), for clients that discover where to ask. Everybody may read them: they
//! name paths, and no tenant or caller that is not in the question.

use serde_json::json;

use crate::{
    names::TenantName,
    ninjaone::{
        operation::Scope,
        paths::{DISCOVERY_PATH, REVOKE_PATH, TOKEN_PATH},
    },
};

/// A request for the metadata of the endpoint, or of that below a tenant's base path.
pub(super) struct MetadataRequest {
    tenant: Option<Box<str>>,
}

impl MetadataRequest {
    /// None if `path` asks for something else. `/tenant/<name>` stands in front of the well-known path as clients append it, or
    /// behind it as RFC 8414 section 3.1 inserts it.
    pub(super) fn of(path: &str, base_path_tenant: Option<&str>) -> Option<Self> {
        let after = path.strip_prefix(DISCOVERY_PATH)?;
        let tenant = match (after, base_path_tenant) {
            ("", tenant) => tenant,
            (after, None) => {
                let name = after.strip_prefix("/tenant/")?;
                Some(name)
                    .filter(|it| it.parse::<TenantName>().is_ok())?
                    .into()
            }
            _ => return None,
        };
        Some(Self {
            tenant: tenant.map(Box::from),
        })
    }

    /// The document. `origin` is the one by which the client reached us, so that the issuer is what it expects.
    pub(super) fn document(&self, origin: &str) -> String {
        let issuer = match &self.tenant {
            Some(name) => format!("{origin}/tenant/{name}"),
            None => origin.to_owned(),
        };
        let methods = ["client_secret_basic", "client_secret_post"];
        let mut scopes = Scope::ALL.map(Scope::as_str).to_vec();
        scopes.push("offline_access");
        json!({
            "issuer": issuer,
            "token_endpoint": format!("{issuer}{TOKEN_PATH}"),
            "token_endpoint_auth_methods_supported": methods,
            "revocation_endpoint": format!("{issuer}{REVOKE_PATH}"),
            "revocation_endpoint_auth_methods_supported": methods,
            "grant_types_supported": ["client_credentials"],
            // Required, and empty: nobody is sent to a page to log in.
            "response_types_supported": [],
            "scopes_supported": scopes,
        })
        .to_string()
    }
}
