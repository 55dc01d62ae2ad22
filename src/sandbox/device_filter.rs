//! NinjaOne's device filter, the query parameter `df`: `org = 2 AND class in (WINDOWS_SERVER, MAC) AND offline`.

use super::world::{Record, integer, text};

/// Which devices a request is about.
pub(super) struct DeviceFilter(String);

/// Why a text is no filter.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("The device filter is not understood: {0}")]
pub(super) struct DeviceFilterError(String);

impl DeviceFilter {
    pub(super) fn parse(text: &str) -> Result<Self, DeviceFilterError> {
        Ok(Self(text.to_owned()))
    }

    pub(super) fn matches(&self, device: &Record) -> bool {
        self.0.split(" AND ").all(|term| {
            let term = term.trim();
            match term.split_once('=') {
                None if term.eq_ignore_ascii_case("offline") => device["offline"] == true,
                None if term.eq_ignore_ascii_case("online") => device["offline"] == false,
                None => true,
                Some((field, value)) => {
                    let value = value.trim();
                    let is =
                        |member| integer(device, member).is_some_and(|it| it.to_string() == value);
                    match field.trim() {
                        "org" | "organization" => is("organizationId"),
                        "loc" | "location" => is("locationId"),
                        "id" => is("id"),
                        "class" => text(device, "nodeClass")
                            .is_some_and(|it| it.eq_ignore_ascii_case(value)),
                        _ => true,
                    }
                }
            }
        })
    }
}
