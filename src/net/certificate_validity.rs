//! From when until when an X.509 certificate is valid (RFC 5280 section 4.1): read from its DER, and nothing else of it.

use crate::clock::Timestamp;

/// DER tags (X.690 section 8).
const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `version [0]`, which only certificates of version 1 leave out.
const VERSION: u8 = 0xa0;
/// A length of this many bytes at most follows: certificates are shorter than 16 MiB.
const LENGTH_BYTES_MAX: usize = 3;
/// Two-digit years below this are of the 21st century (RFC 5280 section 4.1.2.5.1).
const CENTURY_FROM: u32 = 50;

/// Both ends, to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateValidity {
    pub not_before: Timestamp,
    pub not_after: Timestamp,
}

impl CertificateValidity {
    /// None if this is no certificate.
    #[must_use]
    pub fn of(der: &[u8]) -> Option<Self> {
        let (certificate, _) = element(der, SEQUENCE)?;
        let (mut signed, _) = element(certificate, SEQUENCE)?;
        if let Some((_, rest)) = element(signed, VERSION) {
            signed = rest;
        }
        // Serial number, signature algorithm, issuer.
        for tag in [INTEGER, SEQUENCE, SEQUENCE] {
            signed = element(signed, tag)?.1;
        }
        let (validity, _) = element(signed, SEQUENCE)?;
        let (not_before, rest) = time(validity)?;
        let (not_after, _) = time(rest)?;
        Some(Self {
            not_before,
            not_after,
        })
    }
}

/// The content of the element at the start, if it has this tag, and what comes after it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    if *found != tag {
        return None;
    }
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > LENGTH_BYTES_MAX {
            return None;
        }
        let (digits, rest) = rest.split_at_checked(count)?;
        let length = digits
            .iter()
            .fold(0, |length, digit| length << 8 | usize::from(*digit));
        (length, rest)
    };
    rest.split_at_checked(length)
}

fn time(der: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (year, digits, rest): (u32, _, _) = if let Some((text, rest)) = element(der, UTC_TIME) {
        let (year, digits) = text.split_at_checked(2)?;
        let year: u32 = std::str::from_utf8(year).ok()?.parse().ok()?;
        let century = if year < CENTURY_FROM { 2000 } else { 1900 };
        (century + year, digits, rest)
    } else {
        let (text, rest) = element(der, GENERALIZED_TIME)?;
        let (year, digits) = text.split_at_checked(4)?;
        (std::str::from_utf8(year).ok()?.parse().ok()?, digits, rest)
    };
    // `MMDDHHMMSSZ`, in UTC and with seconds: RFC 5280 allows nothing else.
    let digits = std::str::from_utf8(digits).ok()?.strip_suffix('Z')?;
    if digits.len() != 10 || !digits.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    let two = |at: usize| digits.get(at..at + 2);
    let text = format!(
        "{year:04}-{}-{}T{}:{}:{}Z",
        two(0)?,
        two(2)?,
        two(4)?,
        two(6)?,
        two(8)?
    );
    let at: Result<jiff::Timestamp, _> = text.parse();
    let at = match at {
        Ok(at) => at,
        // The last second of 9999 means that there is no end (RFC 5280 section 4.1.2.5).
        Err(_) if year == 9999 => jiff::Timestamp::MAX,
        Err(_) => return None,
    };
    Some((Timestamp::from_unix_micros(at.as_microsecond()), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_has_no_validity() {
        for bytes in [
            &b""[..],
            b"\x30",
            b"\x30\x80",
            b"\x30\x84\xff\xff\xff\xff",
            b"\x30\x03\x30\x01\x02",
        ] {
            assert_eq!(CertificateValidity::of(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn both_forms_of_time_are_read() {
        for (der, text) in [
            (
                &b"\x17\x0d260102030405Z rest"[..],
                "2026-01-02T03:04:05.000000Z",
            ),
            (b"\x17\x0d510102030405Z", "1951-01-02T03:04:05.000000Z"),
            (b"\x18\x0f20510102030405Z", "2051-01-02T03:04:05.000000Z"),
        ] {
            let read = time(der).map(|(at, _)| at.to_string());
            assert_eq!(read.as_deref(), Some(text));
        }
    }

    #[test]
    fn a_certificate_without_an_end_lasts() {
        let end = time(b"\x18\x0f99991231235959Z").map(|(at, _)| at);
        assert!(end.is_some_and(|it| it > Timestamp::now()));
    }
}
