//! Checks the certificates that callers of TLS listeners see: that they can be read, have their key, and have not expired.

use crate::{
    admin::health::humanize_duration,
    clock::Timestamp,
    config::TlsListenerConfig,
    net::tls::{self, ServerCertificate},
};

use super::check::{CheckName, DoctorCheck};

/// A certificate that ends sooner is worth a look: renewals are often a month early.
const DAYS_LEFT_MIN: u64 = 14;
const DAY_S: u64 = 24 * 60 * 60;

/// One check for each listener. Blocks on the disk.
pub(super) fn check(listeners: &[TlsListenerConfig]) -> Vec<DoctorCheck> {
    let now = Timestamp::now();
    listeners.iter().map(|it| certificate(it, now)).collect()
}

fn certificate(listener: &TlsListenerConfig, now: Timestamp) -> DoctorCheck {
    let name = CheckName::ListenCertificate;
    let (cert, key) = (listener.cert.display(), listener.key.display());
    let loaded = ServerCertificate::load(&listener.cert, &listener.key)
        .and_then(|_| tls::certificate_validity(&listener.cert));
    let validity = match loaded {
        Ok(validity) => validity,
        Err(error) => {
            return DoctorCheck::failed(
                name,
                error.to_string(),
                format!(
                    "Let the user who runs the proxy read {cert} and {key}, and check that both are PEM and belong together; the certificate comes first in its file."
                ),
            );
        }
    };
    let replace =
        "Renew it; the proxy reads the files again by itself, or at: ninjaone-proxy reload";
    let (from, until) = (validity.not_before, validity.not_after);
    if now < from {
        return DoctorCheck::failed(
            name,
            format!("{cert} is not valid before {from}"),
            "Check this machine's clock, and when the certificate was issued.",
        );
    }
    if now >= until {
        return DoctorCheck::failed(name, format!("{cert} has expired: {until}"), replace);
    }
    let left = until.since(now).as_secs();
    let seen = format!(
        "{cert} and its key belong together; valid for another {}",
        humanize_duration(left)
    );
    if left < DAYS_LEFT_MIN * DAY_S {
        return DoctorCheck::warning(name, seen, replace);
    }
    DoctorCheck::ok(name, seen)
}
