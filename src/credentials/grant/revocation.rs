//! Token revocation (RFC 7009).

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use form_urlencoded::{Serializer, byte_serialize};
use http::{HeaderValue, Method, Request, StatusCode, header};

use crate::secret::Secret;

use super::{
    application::{Application, ClientAuthMethod, send_request},
    token_endpoint_error::TokenEndpointError,
};

const FORM_CONTENT_TYPE: HeaderValue =
    HeaderValue::from_static("application/x-www-form-urlencoded");

/// Which kind of token is revoked: `token_type_hint` (RFC 7009 section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenTypeHint {
    RefreshToken,
    AccessToken,
}

impl TokenTypeHint {
    const fn as_str(self) -> &'static str {
        match self {
            Self::RefreshToken => "refresh_token",
            Self::AccessToken => "access_token",
        }
    }
}

impl Application {
    /// Revokes a token. Revoking an unknown token succeeds (RFC 7009 section 2.2).
    ///
    /// # Errors
    /// NinjaOne did not confirm: the token may still be valid.
    pub(in crate::credentials) async fn revoke(
        &self,
        token: &Secret<String>,
        hint: TokenTypeHint,
        revoke_path: &str,
    ) -> Result<(), TokenEndpointError> {
        let request = self.revocation_request(token, hint, revoke_path);
        let response = send_request(&self.endpoint, request).await?;
        match response.status() {
            StatusCode::OK | StatusCode::NO_CONTENT => Ok(()),
            status => Err(TokenEndpointError::UnexpectedStatus {
                status: status.as_u16(),
            }),
        }
    }

    fn revocation_request(
        &self,
        token: &Secret<String>,
        hint: TokenTypeHint,
        revoke_path: &str,
    ) -> Request<Bytes> {
        let mut form = Serializer::new(String::new());
        form.append_pair("token", token.expose());
        form.append_pair("token_type_hint", hint.as_str());
        let mut basic = None;
        match (&self.client_secret, self.client_auth) {
            (Some(secret), ClientAuthMethod::ClientSecretBasic) => {
                basic = basic_auth_header(&self.client_id, secret);
            }
            (Some(secret), ClientAuthMethod::ClientSecretPost) => {
                form.append_pair("client_id", &self.client_id);
                form.append_pair("client_secret", secret.expose());
            }
            (None, _) => {
                form.append_pair("client_id", &self.client_id);
            }
        }
        let mut request = Request::new(Bytes::from(form.finish()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = revoke_path.parse().unwrap_or_default();
        request
            .headers_mut()
            .insert(header::CONTENT_TYPE, FORM_CONTENT_TYPE);
        if let Some(basic) = basic {
            request.headers_mut().insert(header::AUTHORIZATION, basic);
        }
        request
    }
}

/// `Authorization: Basic`. Both parts are form-encoded before they are joined (RFC 6749 section 2.3.1).
fn basic_auth_header(client_id: &str, secret: &Secret<String>) -> Option<HeaderValue> {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(client_id), encoded(secret.expose()));
    let mut value =
        HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}
