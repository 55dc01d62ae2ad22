//! Says in the log what begins to need attention and what no longer does: the same troubles that `status` shows.

use std::collections::BTreeMap;

use crate::admin::trouble::{Trouble, TroubleKind};

/// Shows the troubles of now.
pub(crate) type TroubleSource = Box<dyn Fn() -> Vec<Trouble> + Send>;

/// The troubles that the log has named.
pub(super) struct TroubleLog {
    source: TroubleSource,
    /// By kind and by what it is about.
    named: BTreeMap<(TroubleKind, String), String>,
}

impl TroubleLog {
    pub(super) fn new(source: TroubleSource) -> Self {
        Self {
            source,
            named: BTreeMap::new(),
        }
    }

    /// Names what has begun since the last call, and what is over.
    pub(super) fn update(&mut self) {
        let now = (self.source)().into_iter();
        let now = now.filter(|it| is_named_here(it.kind));
        let now: BTreeMap<_, _> = now.map(|it| ((it.kind, it.about), it.text)).collect();
        for ((kind, about), text) in &now {
            if !self.named.contains_key(&(*kind, about.clone())) {
                tracing::warn!(
                    trouble = kind.as_str(),
                    about,
                    "needs attention: {}",
                    single_line(text)
                );
            }
        }
        for (kind, about) in self.named.keys() {
            if !now.contains_key(&(*kind, about.clone())) {
                tracing::info!(trouble = kind.as_str(), about, "no longer needs attention");
            }
        }
        self.named = now;
    }
}

/// A start is not a trouble yet, the watchdog names what has stalled itself, and a log that cannot be written tells of it when it can.
const fn is_named_here(kind: TroubleKind) -> bool {
    !matches!(
        kind,
        TroubleKind::TokenStarting | TroubleKind::Stalled | TroubleKind::LogFailing
    )
}

fn single_line(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).collect()
}
