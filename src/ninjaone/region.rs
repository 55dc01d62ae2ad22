//! NinjaOne's regions and their hosts. A tenant lives in exactly one; the others answer 404 to its client id.

use std::{fmt, str::FromStr};

/// One of NinjaOne's instances. Tenants with a host of their own (`acme.rmmservice.com`) are configured by URL instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Region {
    Us,
    Us2,
    Eu,
    Ca,
    Oc,
    Fed,
    Jp,
}

impl Region {
    /// All regions.
    pub const ALL: [Self; 7] = [
        Self::Us,
        Self::Us2,
        Self::Eu,
        Self::Ca,
        Self::Oc,
        Self::Fed,
        Self::Jp,
    ];

    /// The word of settings, such as `us2`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Us2 => "us2",
            Self::Eu => "eu",
            Self::Ca => "ca",
            Self::Oc => "oc",
            Self::Fed => "fed",
            Self::Jp => "jp",
        }
    }

    /// The host, without scheme and port. It is always HTTPS on 443.
    #[must_use]
    pub const fn host(self) -> &'static str {
        match self {
            Self::Us => "app.ninjarmm.com",
            Self::Us2 => "us2.ninjarmm.com",
            Self::Eu => "eu.ninjarmm.com",
            Self::Ca => "ca.ninjarmm.com",
            Self::Oc => "oc.ninjarmm.com",
            Self::Fed => "fed.ninjarmm.com",
            Self::Jp => "jp.ninjarmm.com",
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Not the name of a region.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such region; the regions are us, us2, eu, ca, oc, fed and jp")]
pub struct RegionParseError {
    /// Regions that may have been meant, the most likely first.
    pub did_you_mean: Vec<Region>,
}

impl FromStr for Region {
    type Err = RegionParseError;

    /// The exact lower-case name.
    fn from_str(text: &str) -> Result<Self, RegionParseError> {
        Self::ALL
            .into_iter()
            .find(|region| region.as_str() == text)
            .ok_or_else(|| RegionParseError {
                did_you_mean: suggestions(text),
            })
    }
}

/// What people write instead: a host, another case, the name of a country or continent, or a slip of the finger.
fn suggestions(text: &str) -> Vec<Region> {
    let lower = text.trim().to_ascii_lowercase();
    if let Some(region) = Region::ALL
        .into_iter()
        .find(|region| lower == region.as_str() || lower.contains(region.host()))
    {
        return vec![region];
    }
    match lower.as_str() {
        "app" | "usa" | "na" | "america" | "us1" | "united states" | "north america" | "mexico"
        | "brazil" => vec![Region::Us, Region::Us2],
        "europe" | "emea" | "de" | "uk" | "gb" | "germany" | "deutschland" | "austria"
        | "switzerland" | "france" | "italy" | "spain" | "portugal" | "netherlands" | "belgium"
        | "luxembourg" | "ireland" | "denmark" | "sweden" | "norway" | "finland" | "poland"
        | "czechia" | "hungary" | "romania" | "greece" | "united kingdom" | "england"
        | "scotland" | "britain" | "great britain" | "south africa" => vec![Region::Eu],
        "canada" | "can" => vec![Region::Ca],
        "oceania" | "au" | "australia" | "nz" | "new zealand" | "anz" | "apac" | "singapore" => {
            vec![Region::Oc]
        }
        "gov" | "fedramp" | "federal" => vec![Region::Fed],
        "japan" | "ja" => vec![Region::Jp],
        _ => nearest(&lower),
    }
}

fn nearest(lower: &str) -> Vec<Region> {
    Region::ALL
        .into_iter()
        .filter(|region| strsim::damerau_levenshtein(region.as_str(), lower) == 1)
        .collect()
}
