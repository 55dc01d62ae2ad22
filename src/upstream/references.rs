//! Rewrites where NinjaOne's responses point to, so that a client that follows a link or a redirect stays with the proxy: in
//! `location` and `link`, exactly the tenant's own origin is taken off, and the base path that the caller used is put in front.
//! What points anywhere else is passed on untouched.

use http::{HeaderValue, header};

use crate::{
    net::{
        client::endpoint::Endpoint,
        link_header,
        request::target::Target,
        response::ResponseHeaders,
        url::{HostPort, UrlParts},
    },
    ninjaone::paths::API_BASE,
};

/// What the API's alias puts in front of its base path.
const ALIAS_PREFIX: &str = "/api";

/// Rewrites the headers of the response to a request for `target`, from the tenant's `endpoint`.
pub(super) fn rewrite(headers: &mut ResponseHeaders, endpoint: &Endpoint, target: &Target) {
    let base = CallerBase { endpoint, target };
    if headers.contains(&header::LOCATION) {
        headers.rewrite(&header::LOCATION, |value| {
            let reference = base.rewritten(value.to_str().ok()?)?;
            HeaderValue::try_from(reference).ok()
        });
    }
    if headers.contains(&header::LINK) {
        headers.rewrite(&header::LINK, |value| {
            let links = base.rewritten_links(value.to_str().ok()?)?;
            HeaderValue::try_from(links).ok()
        });
    }
}

/// Where the tenant is, and by which base path the caller came.
struct CallerBase<'a> {
    endpoint: &'a Endpoint,
    target: &'a Target,
}

impl CallerBase<'_> {
    fn rewritten_links(&self, value: &str) -> Option<String> {
        let mut links = String::with_capacity(value.len());
        let mut copied = 0;
        for range in link_header::references(value) {
            let Some(reference) = self.rewritten(value.get(range.clone())?) else {
                continue;
            };
            links.push_str(value.get(copied..range.start)?);
            links.push_str(&reference);
            copied = range.end;
        }
        if copied == 0 {
            return None;
        }
        links.push_str(value.get(copied..)?);
        Some(links)
    }

    /// The reference for the caller; none if it stays as it is. A path that is relative to the request's own needs nothing: the
    /// caller resolves it against what it asked for.
    fn rewritten(&self, reference: &str) -> Option<String> {
        let path = if reference.starts_with('/') && !reference.starts_with("//") {
            reference
        } else {
            self.without_own_origin(reference)?
        };
        let is_absolute = path.starts_with('/');
        let is_api = |base: &str| {
            let rest = path.strip_prefix(base);
            rest.is_some_and(|it| it.is_empty() || it.starts_with(['/', '?', '#']))
        };
        let tenant = self.target.tenant_base();
        let alias = if self.target.uses_alias() && is_api(API_BASE) {
            ALIAS_PREFIX
        } else {
            ""
        };
        let root = if is_absolute { "" } else { "/" };
        let rewritten = format!("{tenant}{alias}{root}{path}");
        // What is left of an origin must not become another one (RFC 3986 section 4.2), in the eyes of browsers either.
        let names_host = rewritten
            .as_bytes()
            .get(1)
            .is_some_and(|it| matches!(it, b'/' | b'\\'))
            || rewritten.contains(char::is_control);
        (rewritten != reference && !names_host).then_some(rewritten)
    }

    /// What follows the origin, if that is the tenant's own: the same scheme, host and port, and no user information.
    fn without_own_origin<'r>(&self, reference: &'r str) -> Option<&'r str> {
        let (scheme, authority) = if let Some(rest) = reference.strip_prefix("//") {
            // The scheme is that of the request, which went to the tenant.
            (None, rest)
        } else {
            let parts = UrlParts::split(reference)?;
            let rest = reference.get(parts.scheme.len() + "://".len()..)?;
            (Some(parts.scheme), rest)
        };
        let length = authority.find(['/', '?', '#']).unwrap_or(authority.len());
        let (authority, path) = authority.split_at(length);
        let ours = if self.endpoint.tls { "https" } else { "http" };
        if scheme.is_some_and(|it| !it.eq_ignore_ascii_case(ours)) {
            return None;
        }
        let HostPort { host, port } = HostPort::split(authority)?;
        let default_port = if self.endpoint.tls { 443 } else { 80 };
        let is_own = host.eq_ignore_ascii_case(&self.endpoint.host)
            && port.unwrap_or(default_port) == self.endpoint.port;
        is_own.then_some(path)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use http::uri::PathAndQuery;

    use super::*;

    fn rewritten(asked: &str, endpoint: &Endpoint, name: &str, value: &str) -> String {
        let target = Target::parse(&PathAndQuery::try_from(asked).unwrap()).unwrap();
        let name = http::HeaderName::try_from(name).unwrap();
        let mut headers = ResponseHeaders::default();
        headers.append(name.clone(), HeaderValue::try_from(value).unwrap());
        rewrite(&mut headers, endpoint, &target);
        headers.get(&name).unwrap().to_str().unwrap().to_owned()
    }

    fn acme() -> Endpoint {
        Endpoint {
            tls: true,
            host: "acme.example".to_owned(),
            port: 443,
            ca: None,
            resolve_timeout: std::time::Duration::ZERO,
            proxy: None,
        }
    }

    fn location(asked: &str, value: &str) -> String {
        rewritten(asked, &acme(), "location", value)
    }

    #[test]
    fn exactly_the_tenants_own_origin_is_taken_off() {
        for own in [
            "https://acme.example/v2/devices?after=2",
            "HTTPS://ACME.example:443/v2/devices?after=2",
            "//acme.example/v2/devices?after=2",
            "/v2/devices?after=2",
        ] {
            assert_eq!(location("/v2/devices", own), "/v2/devices?after=2", "{own}");
        }
        assert_eq!(location("/v2/devices", "https://acme.example"), "/");
        assert_eq!(location("/v2/devices", "https://acme.example?a"), "/?a");
        for other in [
            "http://acme.example/v2/devices",
            "https://acme.example:8443/v2/devices",
            "https://acme.example.evil.example/v2/devices",
            "https://acme.example@evil.example/v2/devices",
            "https://user@acme.example/v2/devices",
            "https://acme.example\\@evil.example/",
            "https://evil.example/https://acme.example/",
            "//evil.example/v2/devices",
            "https://acme.example//evil.example/",
            "https://acme.example/\\evil.example/",
            "https://acme.example/\t/evil.example/",
            "?after=2",
            "devices?after=2",
            "../device/1",
            "#top",
            "",
            "mailto:x@acme.example",
        ] {
            for asked in ["/v2/devices", "/api/v2/devices"] {
                assert_eq!(location(asked, other), other, "{asked}");
            }
        }
    }

    #[test]
    fn the_callers_own_base_path_is_put_in_front() {
        for own in ["https://acme.example/v2/a?b", "/v2/a?b"] {
            assert_eq!(location("/api/v2/a", own), "/api/v2/a?b");
            assert_eq!(location("/%61pi/v2/a", own), "/api/v2/a?b");
            assert_eq!(location("/tenant/acme/v2/a", own), "/tenant/acme/v2/a?b");
            let both = location("/tenant/acme/api/v2/a", own);
            assert_eq!(both, "/tenant/acme/api/v2/a?b");
        }
        // NinjaOne may use the alias itself, and point outside of the API.
        let asked = "/tenant/acme/api/v2/a";
        assert_eq!(location(asked, "/api/v2/a"), "/tenant/acme/api/v2/a");
        assert_eq!(location(asked, "/v2x"), "/tenant/acme/v2x");
        assert_eq!(location(asked, "//evil.example/"), "//evil.example/");
    }

    #[test]
    fn each_link_is_rewritten_and_its_parameters_are_not() {
        let loopback = Endpoint {
            tls: false,
            host: "::1".to_owned(),
            port: 6469,
            ca: None,
            resolve_timeout: std::time::Duration::ZERO,
            proxy: None,
        };
        let given = "<http://[::1]:6469/v2/devices?after=50&df=a,b>; rel=\"next\"; title=\"</v2/x>, <y>\", \
                     <https://docs.example/>; rel=help, <?after=0>; rel=first;anchor=\"/v2/devices\"";
        let expected = "</tenant/acme/v2/devices?after=50&df=a,b>; rel=\"next\"; title=\"</v2/x>, <y>\", \
                        <https://docs.example/>; rel=help, <?after=0>; rel=first;anchor=\"/tenant/acme/v2/devices\"";

        let links = rewritten("/tenant/acme/v2/devices", &loopback, "link", given);

        assert_eq!(links, expected);
    }
}
