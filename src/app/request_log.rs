//! Requests in the log of the program itself, as `telemetry.log.requests` asks for them.

use std::{sync::Arc, time::Duration};

use crate::{
    audit::{entry::AuditEntry, ledger_observer::LedgerObserver},
    clock::Moment,
    config::RequestLogging,
    lock::Lock,
};

use super::{
    refusal_remedy::{RulesInForce, explaining_command},
    request_line::{LiveLine, RequestLine, RequestResult},
};

/// Lines about refused requests in a second, at most: callers can make many, and the log has other things to say.
const REFUSED_LINES_MAX: u32 = 100;
const PERIOD: Duration = Duration::from_secs(1);

/// What the ledger tells of each entry; none if no request is to be logged. Tokens and logins have lines of their own in the
/// log. `rules` say what would allow a refused request.
pub(crate) fn observer(requests: RequestLogging, rules: RulesInForce) -> Option<LedgerObserver> {
    match requests {
        RequestLogging::None => None,
        RequestLogging::All => Some(Arc::new(move |entry: &AuditEntry| log(entry, &rules))),
        RequestLogging::Refused => {
            let bound = Lock::new(LineBound::new(Moment::now()));
            Some(Arc::new(move |entry: &AuditEntry| {
                if !is_refused_or_failed(entry) {
                    return;
                }
                let (may_log, skipped) = bound.lock().note(Moment::now());
                if skipped > 0 {
                    tracing::info!(
                        requests = skipped,
                        "more requests were refused or failed; the audit log has them all"
                    );
                }
                if may_log {
                    log(entry, &rules);
                }
            }))
        }
    }
}

/// Cheaper than the line: most requests are served.
fn is_refused_or_failed(entry: &AuditEntry) -> bool {
    let AuditEntry::Outcome { details, .. } = entry else {
        return false;
    };
    RequestResult::of(details) != RequestResult::Served
}

fn log(entry: &AuditEntry, rules: &RulesInForce) {
    let Some(LiveLine::Request(line)) = LiveLine::of(entry) else {
        return;
    };
    let RequestLine {
        at: _,
        request,
        caller,
        operation,
        decision,
        result,
        status,
        duration,
        detail,
    } = line;
    let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (request, operation) = (request.as_str(), &*operation);
    let detail = detail.as_deref().unwrap_or_default();
    let text = match result {
        RequestResult::Served => "request served".to_owned(),
        RequestResult::Refused => {
            let allow = rules.remedy(entry).and_then(|it| it.allow);
            let allow = allow.map_or_else(String::new, |it| format!(" To allow it: '{it}'."));
            format!(
                "request refused: {detail}{allow} Run: {}",
                explaining_command(request)
            )
        }
        RequestResult::Failed => {
            format!(
                "request failed: {detail} Run: {}",
                explaining_command(request)
            )
        }
    };
    tracing::info!(
        request,
        caller,
        operation,
        decision,
        status,
        duration_ms,
        "{text}"
    );
}

/// Counts what goes beyond [`REFUSED_LINES_MAX`].
struct LineBound {
    began: Moment,
    lines: u32,
    skipped: u64,
}

impl LineBound {
    fn new(began: Moment) -> Self {
        Self {
            began,
            lines: 0,
            skipped: 0,
        }
    }

    /// Whether one more line may be written now, and how many were skipped in the period that has just ended.
    fn note(&mut self, now: Moment) -> (bool, u64) {
        let mut skipped = 0;
        if now.since(self.began) >= PERIOD {
            skipped = self.skipped;
            *self = Self::new(now);
        }
        let may_log = self.lines < REFUSED_LINES_MAX;
        if may_log {
            self.lines += 1;
        } else {
            self.skipped += 1;
        }
        (may_log, skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_lines_beyond_the_bound_are_counted_and_told_in_the_next_second() {
        let now = Moment::now();
        let mut bound = LineBound::new(now);
        let logged = (0..250).filter(|_| bound.note(now).0).count();
        assert_eq!(logged, 100);
        assert_eq!(bound.note(now.plus(PERIOD)), (true, 150));
        assert_eq!(bound.note(now.plus(PERIOD)), (true, 0));
    }
}
