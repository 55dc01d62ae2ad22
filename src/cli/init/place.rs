//! Where a NinjaOne tenant is, as people write it: a region in any case, a bare host, or what the browser shows.

use crate::{
    app::wiring::endpoint,
    config::{Origin, value::address},
    net::url,
    ninjaone::region::{Region, RegionParseError},
};

/// Where a tenant is.
#[derive(Debug, Clone)]
pub(super) struct TenantPlace {
    pub(super) address: TenantAddress,
    pub(super) origin: Origin,
    /// Whether more was written than the address, which was left off.
    pub(super) is_cut: bool,
}

/// As the configuration has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TenantAddress {
    Region(Region),
    Url(String),
}

/// Why a text says no place. It shows nothing of what may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PlaceParseError {
    #[error("An answer is needed: a region (us, us2, eu, ca, oc, fed, jp), or an address.")]
    Empty,
    #[error("There is no region \"{0}\".{meant} The regions are us, us2, eu, ca, oc, fed and jp.", meant = .1)]
    NoRegion(String, String),
    #[error("An address holds no user name and no password.")]
    UserInfo,
    #[error("Over http:// the client secret could be read on the way: write https://{0}.")]
    PlainHttp(String),
    #[error("\"{0}\" is no address: write a region, or a host such as acme.rmmservice.com.")]
    NoAddress(String),
}

impl TenantPlace {
    pub(super) fn parse(written: &str) -> Result<Self, PlaceParseError> {
        let text = written.trim().trim_matches(['"', '\'', '<', '>', '`']);
        if text.is_empty() {
            return Err(PlaceParseError::Empty);
        }
        if let Some(region) = region(text) {
            return Ok(Self::of_region(region, false));
        }
        if !text.contains(['.', ':', '/']) && text != "localhost" {
            return Err(no_region(text));
        }
        let with_scheme = if text.contains("://") {
            text.to_owned()
        } else {
            let scheme = if is_loopback(text) { "http" } else { "https" };
            format!("{scheme}://{}", text.trim_start_matches('/'))
        };
        if with_scheme.contains('@') {
            return Err(PlaceParseError::UserInfo);
        }
        let shown = || PlaceParseError::NoAddress(text.to_owned());
        let base = url::origin(&with_scheme).ok_or_else(shown)?;
        let is_cut = with_scheme.len() > base.len() + "/".len();
        let origin = match address::parse_origin(base) {
            Ok(origin) => origin,
            Err(address::OriginParseError::PlainHttp) => {
                let host = base.split_once("://").map_or(base, |(_, host)| host);
                return Err(PlaceParseError::PlainHttp(host.to_owned()));
            }
            Err(_) => return Err(shown()),
        };
        let of_region = |it: &Region| origin.tls && origin.port == 443 && origin.host == it.host();
        if let Some(region) = Region::ALL.into_iter().find(of_region) {
            return Ok(Self::of_region(region, is_cut));
        }
        Ok(Self {
            address: TenantAddress::Url(endpoint(&origin).origin()),
            origin,
            is_cut,
        })
    }

    fn of_region(region: Region, is_cut: bool) -> Self {
        Self {
            address: TenantAddress::Region(region),
            origin: Origin::direct(true, region.host().to_owned(), 443),
            is_cut,
        }
    }

    /// `eu` or `https://acme.rmmservice.com`.
    pub(super) fn written(&self) -> &str {
        match &self.address {
            TenantAddress::Region(region) => region.as_str(),
            TenantAddress::Url(url) => url,
        }
    }
}

fn region(text: &str) -> Option<Region> {
    text.to_ascii_lowercase().parse().ok()
}

fn no_region(text: &str) -> PlaceParseError {
    let error = text.parse::<Region>().err();
    let names = error.map(|RegionParseError { did_you_mean }| did_you_mean);
    let names: Vec<&str> = names.iter().flatten().map(|it| it.as_str()).collect();
    let meant = if names.is_empty() {
        String::new()
    } else {
        format!(" Did you mean {}?", names.join(" or "))
    };
    PlaceParseError::NoRegion(text.to_owned(), meant)
}

/// Of an address without its scheme: NinjaOne is never here, but its simulator is.
fn is_loopback(text: &str) -> bool {
    let authority = text.split(['/', '?', '#']).next().unwrap_or_default();
    let host = url::HostPort::split(authority);
    host.is_some_and(|it| address::is_loopback(it.host))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_region_a_host_or_what_the_browser_shows() {
        for (written, kept, is_cut) in [
            ("eu", "eu", false),
            ("EU", "eu", false),
            (" Us2 ", "us2", false),
            ("\"OC\"", "oc", false),
            ("eu.ninjarmm.com", "eu", false),
            ("https://EU.ninjarmm.com/", "eu", false),
            (
                "https://app.ninjarmm.com/#/deviceDashboard/1/overview",
                "us",
                true,
            ),
            ("acme.rmmservice.com", "https://acme.rmmservice.com", false),
            (
                "acme.rmmservice.com/#/customerDashboard",
                "https://acme.rmmservice.com",
                true,
            ),
            (
                "https://acme.rmmservice.com:8443/v2/devices?df=x",
                "https://acme.rmmservice.com:8443",
                true,
            ),
            ("127.0.0.1:6469", "http://127.0.0.1:6469", false),
            ("localhost:6469/v2", "http://localhost:6469", true),
        ] {
            let place = TenantPlace::parse(written).unwrap();
            assert_eq!(
                (place.written(), place.is_cut),
                (kept, is_cut),
                "{written:?}"
            );
        }
    }

    #[test]
    fn what_is_no_place_says_what_one_is() {
        for (written, said) in [
            ("", "An answer is needed"),
            ("europe", "Did you mean eu?"),
            ("America", "Did you mean us or us2?"),
            (
                "mars",
                "There is no region \"mars\". The regions are us, us2",
            ),
            (
                "http://acme.rmmservice.com/x",
                "write https://acme.rmmservice.com.",
            ),
            (
                "https://me:hunter2@acme.example",
                "no user name and no password",
            ),
            ("ftp://acme.example", "is no address"),
            ("acme..example", "is no address"),
        ] {
            let error = TenantPlace::parse(written).unwrap_err().to_string();
            assert!(
                error.contains(said) && !error.contains("hunter2"),
                "{error}"
            );
        }
    }
}
