//! Which text format of metrics a scraper gets, and the older of the two: Prometheus' text format 0.0.4, made from the
//! `OpenMetrics` page.

use std::fmt::Write;

use http::{HeaderMap, header::ACCEPT};

/// A text format of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsFormat {
    /// `OpenMetrics` 1.0.
    OpenMetrics,
    /// Prometheus' text format 0.0.4, for those who ask for `text/plain`.
    PrometheusText,
}

const OPEN_METRICS: &str = "application/openmetrics-text";
const PLAIN_TEXT: &str = "text/plain";

/// More media ranges than any scraper sends; the rest is not read.
const RANGES_MAX: usize = 32;

/// Weights are compared in thousandths (RFC 9110 section 12.4.2).
const WEIGHT_MAX: u16 = 1000;

impl MetricsFormat {
    /// The format that `Accept` prefers: plain text if it weighs more, `OpenMetrics` otherwise. Whoever names only one of them
    /// gets that one.
    #[must_use]
    pub fn negotiate(headers: &HeaderMap) -> Self {
        let values = headers.get_all(ACCEPT).iter();
        let ranges = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .take(RANGES_MAX);
        let (mut open_metrics, mut plain) = (None, None);
        for range in ranges {
            let mut parts = range.split(';').map(str::trim);
            let weight = weight(parts.clone().skip(1));
            let of_format = match parts.next() {
                Some(it) if it.eq_ignore_ascii_case(OPEN_METRICS) => &mut open_metrics,
                Some(it) if is_plain_text(it, parts) => &mut plain,
                _ => continue,
            };
            *of_format = Some(weight).max(*of_format);
        }
        // What is not named at all is what `*/*` stands for: less than anything that is.
        match (plain, open_metrics) {
            (Some(plain), other) if plain > other.unwrap_or_default() => Self::PrometheusText,
            _ => Self::OpenMetrics,
        }
    }

    /// The content type of the format.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::PrometheusText => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// An `OpenMetrics` page in this format.
    #[must_use]
    pub fn convert(self, page: String) -> String {
        match self {
            Self::OpenMetrics => page,
            Self::PrometheusText => prometheus_text(&page),
        }
    }
}

/// `text/plain`, `text/*`; a version, if there is one, is ours.
fn is_plain_text<'p>(range: &str, mut parameters: impl Iterator<Item = &'p str>) -> bool {
    let version = parameters.find_map(|it| parameter(it, "version"));
    (range.eq_ignore_ascii_case(PLAIN_TEXT) || range.eq_ignore_ascii_case("text/*"))
        && version.is_none_or(|it| it == "0.0.4")
}

fn parameter<'p>(text: &'p str, wanted: &str) -> Option<&'p str> {
    let (name, value) = text.split_once('=')?;
    let is_it = name.trim().eq_ignore_ascii_case(wanted);
    is_it.then(|| value.trim().trim_matches('"'))
}

fn weight<'p>(mut parameters: impl Iterator<Item = &'p str>) -> u16 {
    let text = parameters.find_map(|it| parameter(it, "q"));
    let Some(text) = text else { return WEIGHT_MAX };
    let share = text.parse::<f32>().unwrap_or_default().clamp(0.0, 1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to 1000"
    )]
    let thousandths = (share * f32::from(WEIGHT_MAX)).round() as u16;
    thousandths
}

/// The differences of 0.0.4: a counter's family has the name of its samples, an info is a gauge of 1, and there is no `# EOF`
/// and no `# UNIT`.
fn prometheus_text(page: &str) -> String {
    let mut text = String::with_capacity(page.len());
    let mut help: Option<(&str, &str)> = None;
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let Some((name, kind)) = rest.split_once(' ') else {
                continue;
            };
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                other => ("", other),
            };
            // Writing to a String cannot fail.
            if let Some((_, meaning)) = help.take_if(|(of, _)| *of == name) {
                let _ = writeln!(text, "# HELP {name}{suffix} {meaning}");
            }
            let _ = writeln!(text, "# TYPE {name}{suffix} {kind}");
        } else if !line.starts_with('#') {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use http::HeaderValue;

    fn format(accept: Option<&str>) -> MetricsFormat {
        let mut headers = HeaderMap::new();
        if let Some(accept) = accept {
            headers.insert(ACCEPT, HeaderValue::from_str(accept).unwrap());
        }
        MetricsFormat::negotiate(&headers)
    }

    #[test]
    fn whoever_prefers_plain_text_gets_it_and_everybody_else_open_metrics() {
        use MetricsFormat::{OpenMetrics, PrometheusText};
        for (accept, expected) in [
            (None, OpenMetrics),
            (Some("*/*"), OpenMetrics),
            (Some("text/html,*/*;q=0.8"), OpenMetrics),
            (Some("text/plain;version=0.0.4"), PrometheusText),
            (
                Some("text/plain; version=0.0.4; charset=utf-8"),
                PrometheusText,
            ),
            (Some("text/plain"), PrometheusText),
            (Some("Text/Plain;Version=\"0.0.4\""), PrometheusText),
            (Some("text/plain;q=0"), OpenMetrics),
            (Some("text/plain;version=0.0.5"), OpenMetrics),
            // VictoriaMetrics' agent.
            (
                Some("text/plain;version=0.0.4;q=1,*/*;q=0.1"),
                PrometheusText,
            ),
            // Prometheus 2.50.
            (
                Some(
                    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                ),
                OpenMetrics,
            ),
            // Prometheus 3.
            (
                Some(
                    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                ),
                OpenMetrics,
            ),
            // With `scrape_protocols: [PrometheusText0.0.4]`.
            (
                Some("text/plain;version=0.0.4;escaping=allow-utf-8;q=0.6,*/*;q=0.5"),
                PrometheusText,
            ),
            (
                Some("application/openmetrics-text;q=0.2,text/plain;q=0.9"),
                PrometheusText,
            ),
        ] {
            assert_eq!(format(accept), expected, "{accept:?}");
        }
    }

    #[test]
    fn a_page_is_converted_family_by_family() {
        let page = "# HELP p_build What is running.\n# TYPE p_build info\np_build_info{version=\"1\"} 1\n\
                    # HELP p_requests Answered.\n# TYPE p_requests counter\np_requests_total{caller=\"a\"} 3\n\
                    # HELP p_seconds Time.\n# TYPE p_seconds histogram\n# UNIT p_seconds seconds\n\
                    p_seconds_bucket{le=\"+Inf\"} 1\np_seconds_sum 0.5\np_seconds_count 1\n\
                    # HELP p_open Open.\n# TYPE p_open gauge\np_open 2\n# EOF\n";
        let expected = "# HELP p_build_info What is running.\n# TYPE p_build_info gauge\np_build_info{version=\"1\"} 1\n\
                        # HELP p_requests_total Answered.\n# TYPE p_requests_total counter\np_requests_total{caller=\"a\"} 3\n\
                        # HELP p_seconds Time.\n# TYPE p_seconds histogram\n\
                        p_seconds_bucket{le=\"+Inf\"} 1\np_seconds_sum 0.5\np_seconds_count 1\n\
                        # HELP p_open Open.\n# TYPE p_open gauge\np_open 2\n";
        let format = MetricsFormat::PrometheusText;
        assert_eq!(format.convert(page.to_owned()), expected);
        assert_eq!(MetricsFormat::OpenMetrics.convert(page.to_owned()), page);
    }
}
