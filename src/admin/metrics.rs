//! Renders the counters for Prometheus, in the `OpenMetrics` 1.0 text format.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet, text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge, info::Info},
    registry::Registry,
};

use super::{
    metrics_snapshot::{HistogramSnapshot, LoginMetrics, MetricsSnapshot},
    overall_health::Health,
};

const PREFIX: &str = "ninjaone_proxy";

/// The page.
///
/// # Errors
/// The encoder refused a figure.
pub fn render(figures: MetricsSnapshot) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(figures));
    let mut page = String::new();
    text::encode(&mut page, &registry)?;
    Ok(page)
}

impl Collector for MetricsSnapshot {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut page = MetricsPage(encoder);
        page.info("build", "What is running", self.version)?;
        self.encode_health(&mut page)?;
        self.encode_requests(&mut page)?;
        self.encode_tokens(&mut page)?;
        self.encode_audit(&mut page)?;
        page.gauge(
            "config_generation",
            "How often a configuration came into force",
            self.config_generation,
        )?;
        page.gauge(
            "config_refused",
            "1 if the configuration on disk is wrong and the one before stays in force",
            u64::from(self.config_refused),
        )?;
        self.encode_parts(&mut page)
    }
}

impl MetricsSnapshot {
    fn encode_audit(&self, page: &mut MetricsPage<'_>) -> Result<(), fmt::Error> {
        page.counter(
            "audit_records",
            "Lines written to the audit log",
            self.audit_records,
        )?;
        page.counter(
            "audit_failures",
            "Attempts to write to the audit log that failed",
            self.audit_failures,
        )?;
        page.gauge(
            "audit_queued",
            "Lines that wait to be written",
            self.audit_queued,
        )?;
        page.counter(
            "audit_strangers_counted",
            "Requests without a valid proof that were counted instead of written one by one",
            self.audit_strangers_counted,
        )?;
        let Some(space) = &self.audit_space else {
            return Ok(());
        };
        page.gauge(
            "audit_used_bytes",
            "What the files of the audit log take",
            space.used_bytes,
        )?;
        page.gauge(
            "audit_room_bytes",
            "What may still be written to the audit log, its reserve included",
            space.room_bytes,
        )?;
        page.gauge(
            "audit_reserve_only",
            "1 if only the reserve of the audit log is left, or less",
            u64::from(space.is_reserve_only),
        )
    }

    fn encode_parts(&self, page: &mut MetricsPage<'_>) -> Result<(), fmt::Error> {
        page.counter(
            "log_lines_lost",
            "Lines of the program's own log that were not written",
            self.log_lines_lost,
        )?;
        let parts = self.parts.iter();
        let parts = parts.map(|(part, stalled)| ([("part", part.as_str())], u64::from(*stalled)));
        page.gauges("stalled", "1 if a part of the program has stalled", parts)
    }

    fn encode_health(&self, page: &mut MetricsPage<'_>) -> Result<(), fmt::Error> {
        let health = self.health.into_iter().flat_map(|now| {
            let states = Health::ALL.into_iter();
            states.map(move |it| ([("state", it.label())], u64::from(it == now)))
        });
        page.gauges("health", "1 for what `status` says of the whole", health)?;
        let troubles = self.troubles.iter();
        let troubles = troubles.map(|(kind, count)| ([("kind", kind.as_str())], *count));
        page.gauges(
            "troubles",
            "What needs attention now, by kind, as `status` says it",
            troubles,
        )
    }

    fn encode_requests(&self, page: &mut MetricsPage<'_>) -> Result<(), fmt::Error> {
        let requests = self.requests.iter().map(|it| {
            let labels = [
                ("caller", &*it.caller),
                ("operation", &*it.operation),
                ("decision", it.decision.as_str()),
                ("status_class", it.status_class),
            ];
            (labels, it.count)
        });
        page.counters("requests", "Requests that were answered", requests)?;
        page.histogram(
            "request_duration_seconds",
            "From the arrival of a request to the end of its answer",
            &self.duration,
        )?;
        page.histogram(
            "overhead_seconds",
            "The part of the duration that the proxy itself took",
            &self.overhead,
        )?;
        page.gauge("in_flight_requests", "Requests under way", self.in_flight)?;
        page.gauge(
            "connections",
            "Open connections of callers",
            self.connections,
        )?;
        page.counters(
            "connections_refused",
            "Connections of callers that got no place",
            reasons(&self.connections_refused),
        )?;
        page.counters(
            "connections_evicted",
            "Connections of callers that had proved nothing and were closed",
            reasons(&self.connections_evicted),
        )
    }

    fn encode_tokens(&self, page: &mut MetricsPage<'_>) -> Result<(), fmt::Error> {
        let expiries = self.tokens.iter().filter_map(|it| {
            let labels = [("tenant", &*it.tenant), ("identity", it.identity)];
            Some((labels, u64::try_from(it.expires_unix_s?).ok()?))
        });
        page.gauges(
            "token_expiry_timestamp_seconds",
            "When the token in use ends",
            expiries,
        )?;
        let refused = self.tokens.iter().map(|it| {
            let labels = [("tenant", &*it.tenant), ("identity", it.identity)];
            (labels, u64::from(it.new_secret_refused))
        });
        page.gauges(
            "new_secret_refused",
            "1 if NinjaOne refuses the client secret that a reload has brought; the token from before serves until it expires",
            refused,
        )?;
        self.encode_logins(page)?;
        let renewals = self.renewals.iter().map(|it| {
            let labels = [
                ("tenant", &*it.tenant),
                ("identity", it.identity),
                ("result", it.result),
            ];
            (labels, it.count)
        });
        page.counters("token_renewals", "Attempts to renew a token", renewals)?;
        let throttled = self.throttled.iter().map(|it| {
            let labels = [("tenant", &*it.tenant), ("kind", it.kind)];
            (labels, it.count)
        });
        page.counters(
            "upstream_throttled",
            "Answers by which NinjaOne asked to slow down",
            throttled,
        )
    }
}

impl MetricsSnapshot {
    /// Both are alerts: 1 means that somebody must act.
    fn encode_logins(&self, page: &mut MetricsPage<'_>) -> Result<(), fmt::Error> {
        let samples = |which: fn(&LoginMetrics) -> bool| {
            self.tokens.iter().filter_map(move |it| {
                let labels = [("tenant", &*it.tenant), ("identity", it.identity)];
                Some((labels, u64::from(which(it.login.as_ref()?))))
            })
        };
        page.gauges(
            "login_needed",
            "1 if a user must log in",
            samples(|it| it.needed),
        )?;
        page.gauges(
            "login_unsaved",
            "1 if a renewed login is in memory only, because the store cannot be written",
            samples(|it| it.unsaved),
        )
    }
}

fn reasons(counts: &[(&'static str, u64)]) -> impl Iterator<Item = (Labels<'static, 1>, u64)> {
    counts
        .iter()
        .map(|(reason, count)| ([("reason", *reason)], *count))
}

/// The page being written, a family at a time. A name never has the suffixes `_total` and `_info`: the format adds them.
struct MetricsPage<'a>(DescriptorEncoder<'a>);

type Labels<'a, const N: usize> = [(&'static str, &'a str); N];

impl MetricsPage<'_> {
    fn counters<'s, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'s, N>, u64)>,
    ) -> Result<(), fmt::Error> {
        let mut family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, count) in samples {
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn gauges<'s, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'s, N>, u64)>,
    ) -> Result<(), fmt::Error> {
        let mut family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in samples {
            ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn counter(&mut self, name: &str, help: &str, count: u64) -> Result<(), fmt::Error> {
        let family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        ConstCounter::new(count).encode(family)
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) -> Result<(), fmt::Error> {
        let family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        ConstGauge::new(value).encode(family)
    }

    fn info(&mut self, name: &str, help: &str, version: &str) -> Result<(), fmt::Error> {
        let family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Info)?;
        Info::new([("version", version)]).encode(family)
    }

    fn histogram(
        &mut self,
        name: &str,
        help: &str,
        histogram: &HistogramSnapshot,
    ) -> Result<(), fmt::Error> {
        let bounds = histogram.bounds_s.iter().copied().chain([f64::INFINITY]);
        let counts = histogram.counts.iter().copied().chain(std::iter::repeat(0));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        self.0
            .encode_descriptor(name, help, None, MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(histogram.sum_s, count, &buckets, None)
    }
}
