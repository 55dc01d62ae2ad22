//! Says how each tenant is reached, in the log and in the status.

use crate::{
    admin::status_snapshot::OutgoingProxyStatus,
    config::{self, way_out::WayOut},
};

/// The outgoing proxy as the status shows it; none if the way is direct.
pub(super) fn proxy_status(way_out: &WayOut) -> Option<OutgoingProxyStatus> {
    Some(OutgoingProxyStatus {
        url: way_out.proxy()?.to_string(),
        from: way_out.source().to_owned(),
    })
}

/// One line for each tenant whose way is not simply direct, at the start and after each reload.
pub(crate) fn log_ways_out(tenants: &[config::TenantConfig]) {
    for tenant in tenants {
        let way_out = &tenant.origin.way_out;
        let (name, from) = (tenant.name.as_str(), way_out.source());
        match way_out {
            WayOut::Direct => {}
            WayOut::Setting(proxy) | WayOut::Variable(proxy, _) => {
                tracing::info!(tenant = name, %proxy, from, "reached through an outgoing proxy");
            }
            WayOut::DirectBySetting | WayOut::Exempted(_) | WayOut::Loopback => {
                tracing::info!(tenant = name, from, "reached without an outgoing proxy");
            }
        }
    }
}
