//! Checks the service identity: that it gets a token, and that the token allows what callers may do.

use std::time::Duration;

use tokio::time::timeout;

use crate::{
    admin::health::humanize_duration,
    app::wiring::service_application,
    config::ServiceIdentity,
    credentials::grant::{
        client_credentials::{ClientCredentials, TokenSummary},
        token_endpoint_error::{TokenEndpointError, TokenRejection, TokenResponseError},
    },
    names::IdentityKind,
    net::client::endpoint::Endpoint,
    ninjaone::region::Region,
    policy::required_scope::RequiredScope,
};

use super::check::{CheckName, DoctorCheck};

/// Longest time to try the scopes one by one to find the missing one.
const SCOPES_TIMEOUT_MS: u64 = 5_000;

/// Requests one token and checks it.
pub(super) async fn check_service(
    endpoint: &Endpoint,
    identity: &ServiceIdentity,
    needs: &[RequiredScope],
) -> Vec<DoctorCheck> {
    let grant = ClientCredentials {
        application: service_application(endpoint, identity),
        scopes: identity.scopes.clone(),
    };
    match grant.verify().await {
        Ok(offered) => {
            let token = format!(
                "NinjaOne issues tokens, valid for {}",
                humanize_duration(offered.lifetime.as_secs())
            );
            vec![
                DoctorCheck::ok(CheckName::ServiceToken, token),
                scopes_check(
                    CheckName::ServiceScopes,
                    IdentityKind::Service,
                    &offered.scopes,
                    needs,
                ),
            ]
        }
        Err(error) => {
            let refused = match error {
                TokenEndpointError::Rejected(TokenRejection::InvalidScope) => {
                    invalid_scope(&grant).await
                }
                other => no_token(endpoint, other),
            };
            let scopes = DoctorCheck::skipped(CheckName::ServiceScopes, "there is no token");
            vec![refused, scopes]
        }
    }
}

/// Checks that the granted scopes cover what callers may do.
pub(super) fn scopes_check(
    name: CheckName,
    identity: IdentityKind,
    granted: &[Box<str>],
    needs: &[RequiredScope],
) -> DoctorCheck {
    if granted.is_empty() {
        return DoctorCheck::skipped(name, "NinjaOne does not say which scopes it grants");
    }
    let lacking: Vec<&RequiredScope> = needs
        .iter()
        .filter(|need| granted.iter().all(|it| **it != *need.scope.as_str()))
        .collect();
    let Some(first) = lacking.first() else {
        return DoctorCheck::ok(
            name,
            format!("{}: all that callers need", granted.join(" ")),
        );
    };
    let missing: Vec<&str> = lacking.iter().map(|it| it.scope.as_str()).collect();
    let missing = missing.join(" ");
    DoctorCheck::warning(
        name,
        format!(
            "granted is {}; {missing} is missing: caller {} may call {} here, and NinjaOne will refuse it",
            granted.join(" "),
            first.caller,
            first.operation.id
        ),
        format!(
            "Tick {missing} on the {identity} application in NinjaOne (Administration, Apps, API), and name it in `scopes` if those are set; or deny `scope:{}` to callers.",
            first.scope
        ),
    )
}

fn no_token(endpoint: &Endpoint, error: TokenEndpointError) -> DoctorCheck {
    let host = endpoint.authority();
    let seen = match error {
        TokenEndpointError::Rejected(TokenRejection::WrongRegion) => {
            format!("{host} does not know this client id (404 `Client app not exist`)")
        }
        other => format!("{host}: {other}"),
    };
    DoctorCheck::failed(CheckName::ServiceToken, seen, remedy(endpoint, error))
}

/// The remedy when there is no token.
fn remedy(endpoint: &Endpoint, error: TokenEndpointError) -> String {
    match error {
        TokenEndpointError::Rejected(TokenRejection::WrongRegion) => wrong_region(endpoint),
        TokenEndpointError::Rejected(TokenRejection::InvalidClient) => "Check the client secret: a new one, made in NinjaOne under Administration, Apps, API, ends all access of the old one. Then check that the application is of the platform API Services, or allows client credentials.".to_owned(),
        TokenEndpointError::Throttled { .. } => {
            "Wait a few minutes; find out who else uses the credentials of this application.".to_owned()
        }
        TokenEndpointError::ServerError { .. } => {
            "Wait; if it lasts, see NinjaOne's status page.".to_owned()
        }
        TokenEndpointError::Response(TokenResponseError::HtmlBody) => "Wait, if NinjaOne is throttling. Otherwise check that `url` is NinjaOne's own and that no gateway or sign-on page stands in between.".to_owned(),
        TokenEndpointError::Response(
            TokenResponseError::LifetimeMissing
            | TokenResponseError::LifetimeNotPositive
            | TokenResponseError::LifetimeNotANumber
            | TokenResponseError::TokenTypeUnknown
            | TokenResponseError::TokenMalformed,
        ) => {
            "Report it to NinjaOne: a token that cannot be dated or sent is not used.".to_owned()
        }
        TokenEndpointError::Unreachable(_) => {
            "See the checks of the host above; NinjaOne may be slow just now.".to_owned()
        }
        _ => "Check that `url` is NinjaOne's own and that no gateway stands in between.".to_owned(),
    }
}

/// A client id exists on one host only: that of the console's address.
pub(super) fn wrong_region(endpoint: &Endpoint) -> String {
    let others: Vec<String> = Region::ALL
        .into_iter()
        .filter(|it| it.host() != endpoint.host)
        .map(|it| format!("{it} ({})", it.host()))
        .collect();
    format!(
        "A client id lives on one host only: set `region` to the one in the address of your NinjaOne console, out of {}, or `url` if that has a host of its own. Then check `client_id`.",
        others.join(", ")
    )
}

async fn invalid_scope(grant: &ClientCredentials) -> DoctorCheck {
    let asked = &grant.scopes;
    let tried = timeout(
        Duration::from_millis(SCOPES_TIMEOUT_MS),
        missing_scopes(grant),
    )
    .await;
    let lacking = tried.unwrap_or_default();
    let found = if lacking.is_empty() {
        "at least one of them".to_owned()
    } else {
        lacking.join(" ")
    };
    DoctorCheck::failed(
        CheckName::ServiceToken,
        format!(
            "asked for {}: the application in NinjaOne lacks {found} (`invalid_scope`)",
            asked.join(" ")
        ),
        format!(
            "Tick {found} on the application (Administration, Apps, API), or take it out of `scopes`."
        ),
    )
}

/// The scopes that are refused on their own as well.
async fn missing_scopes(grant: &ClientCredentials) -> Vec<String> {
    let mut lacking = Vec::new();
    for scope in &grant.scopes {
        let alone = ClientCredentials {
            application: grant.application.clone(),
            scopes: vec![scope.clone()],
        };
        let tried: Result<TokenSummary, TokenEndpointError> = alone.verify().await;
        if tried == Err(TokenRejection::InvalidScope.into()) {
            lacking.push(scope.clone());
        }
    }
    lacking
}
