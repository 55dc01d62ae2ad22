//! The form of a client at our own token endpoint, and how the client in it proves itself (RFC 6749 section 2.3.1).

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use http::HeaderValue;
use http_body_util::{BodyExt, Limited};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::{
    caller::api_key::{self, AuthorizationHeader},
    net::{body::request_body::RequestBody, request::presented_credentials::PresentedCredentials},
};

use super::token_response::TokenRequestError;

/// Longest form, in bytes.
const FORM_BYTES_MAX: usize = 8 * 1024;
/// For the whole form: it is read before any caller is authenticated.
const FORM_TIMEOUT: Duration = Duration::from_secs(10);

/// What the client sent, as far as we care.
#[derive(Default)]
pub(super) struct ClientForm {
    pub grant_type: Option<String>,
    pub scope: Option<String>,
    /// To be revoked.
    pub token: Option<Zeroizing<String>>,
    client_id: Option<String>,
    client_secret: Option<Zeroizing<String>>,
}

/// A name and a key, by one reading of what the client sent.
pub(super) struct PresentedClient {
    pub id: String,
    pub secret: Zeroizing<String>,
}

impl ClientForm {
    /// Reads the whole form.
    ///
    /// # Errors
    /// It is too long, did not come in time, or has a parameter twice.
    pub(super) async fn read(body: RequestBody) -> Result<Self, TokenRequestError> {
        let form = Limited::new(body, FORM_BYTES_MAX).collect();
        let body = timeout(FORM_TIMEOUT, form)
            .await
            .map_err(|_| TokenRequestError::FormNotReceived)?
            .map_err(|_| TokenRequestError::FormNotReceived)?
            .to_bytes();
        Self::parse(&body)
    }

    fn parse(body: &Bytes) -> Result<Self, TokenRequestError> {
        let mut form = Self::default();
        // RFC 6749 section 3.2: a parameter without a value is as good as none, and none may stand twice.
        let given = form_urlencoded::parse(body).filter(|(_, value)| !value.is_empty());
        for (name, value) in given {
            let value = || value.into_owned();
            let repeated = match name.as_ref() {
                "grant_type" => form.grant_type.replace(value()).is_some(),
                "scope" => form.scope.replace(value()).is_some(),
                "token" => form.token.replace(value().into()).is_some(),
                "client_id" => form.client_id.replace(value()).is_some(),
                "client_secret" => form.client_secret.replace(value().into()).is_some(),
                _ => false,
            };
            if repeated {
                return Err(TokenRequestError::RepeatedParameter);
            }
        }
        Ok(form)
    }

    /// The client that asks: in the form, or as Basic, which has two readings. Any other `Authorization`, such as a token that
    /// a client sends with everything, is no client authentication, and is ignored.
    ///
    /// # Errors
    /// There is none, or there are two.
    pub(super) fn client(
        &self,
        credentials: &PresentedCredentials,
    ) -> Result<Vec<PresentedClient>, TokenRequestError> {
        let authorization = credentials
            .authorization
            .as_ref()
            .map(HeaderValue::as_bytes);
        if let Some(value) = authorization.filter(|it| is_basic(it)) {
            let Some(AuthorizationHeader::Basic { name, key }) =
                api_key::parse_authorization(value)
            else {
                return Err(TokenRequestError::MalformedBasic);
            };
            let readings = basic_readings(name, key);
            // RFC 6749 section 2.3: one method only. The name alone proves nothing, and may stand in the form as well.
            let is_named = |it: &String| readings.iter().any(|reading| reading.id == *it);
            if self.client_secret.is_some() || !self.client_id.as_ref().is_none_or(is_named) {
                return Err(TokenRequestError::TwoClients);
            }
            return Ok(readings);
        }
        let (Some(id), Some(secret)) = (&self.client_id, &self.client_secret) else {
            return Err(TokenRequestError::MissingClient);
        };
        Ok(vec![PresentedClient {
            id: id.clone(),
            secret: secret.clone(),
        }])
    }
}

fn is_basic(authorization: &[u8]) -> bool {
    let scheme = authorization.split(|b| *b == b' ').next();
    scheme.is_some_and(|it| it.eq_ignore_ascii_case(b"basic"))
}

/// As sent, and decoded where that makes a difference: RFC 6749 section 2.3.1 has name and key form-encoded, and half of the
/// clients do so. With `_` and `-` in our keys it is a matter of the client whether they come escaped.
fn basic_readings(name: String, key: Zeroizing<String>) -> Vec<PresentedClient> {
    let decoded = PresentedClient {
        id: form_decoded(&name),
        secret: form_decoded(&key).into(),
    };
    let is_same = decoded.id == name && *decoded.secret == *key;
    let mut readings = vec![PresentedClient {
        id: name,
        secret: key,
    }];
    if !is_same {
        readings.push(decoded);
    }
    readings
}

fn form_decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    let decoded = percent_encoding::percent_decode_str(&text).decode_utf8();
    // Escapes that are no text prove nothing in either reading.
    decoded.map_or_else(|_| text.clone(), Cow::into_owned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn readings(name: &str, key: &str) -> Vec<(String, String)> {
        let readings = basic_readings(name.to_owned(), key.to_owned().into());
        let pair = |it: PresentedClient| (it.id, it.secret.to_string());
        readings.into_iter().map(pair).collect()
    }

    #[test]
    fn basic_has_two_readings_where_something_is_escaped() {
        let pair = |id: &str, secret: &str| (id.to_owned(), secret.to_owned());
        assert_eq!(
            readings("power-bi", "njp_a-b"),
            [pair("power-bi", "njp_a-b")]
        );
        assert_eq!(
            readings("power%2Dbi", "njp%5Fa%2db"),
            [
                pair("power%2Dbi", "njp%5Fa%2db"),
                pair("power-bi", "njp_a-b")
            ]
        );
        assert_eq!(readings("a", "b+c"), [pair("a", "b+c"), pair("a", "b c")]);
        for broken in ["%", "%f", "%zz", "%ff"] {
            assert_eq!(readings("a", broken), [pair("a", broken)]);
        }
    }
}
