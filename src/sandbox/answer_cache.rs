//! Answers to reads, kept until the world or its time goes on: a simulator that many clients load must not be what they wait for.

use std::collections::HashMap;

use bytes::Bytes;

use crate::lock::Lock;

use super::{call::ApiCall, form_pairs::FormPairs, world::WorldStamp};

/// Most answers.
const ANSWERS_MAX: usize = 64;

/// Longest answer that is kept, in bytes.
const ANSWER_BYTES_MAX: usize = 128 * 1024;

/// What an answer depends on, beside the world.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct AnswerKey {
    path: Box<str>,
    query: FormPairs,
    client: usize,
    user_context: bool,
}

impl AnswerKey {
    pub(super) fn of(call: &ApiCall<'_>) -> Self {
        Self {
            path: call.request.path.as_str().into(),
            query: call.request.query.clone(),
            client: call.bearer.client,
            user_context: call.bearer.user_context,
        }
    }
}

#[derive(Default)]
pub(super) struct AnswerCache(Lock<KeptAnswers>);

#[derive(Default)]
struct KeptAnswers {
    stamp: Option<WorldStamp>,
    by_key: HashMap<AnswerKey, Bytes>,
}

impl AnswerCache {
    /// The answer that was given to the same request in this state of the world.
    pub(super) fn get(&self, stamp: WorldStamp, key: &AnswerKey) -> Option<Bytes> {
        let kept = self.0.lock();
        (kept.stamp == Some(stamp)).then(|| kept.by_key.get(key).cloned())?
    }

    /// Keeps an answer. Those of another state of the world go; a full cache begins again.
    pub(super) fn put(&self, stamp: WorldStamp, key: AnswerKey, answer: &Bytes) {
        if answer.len() > ANSWER_BYTES_MAX {
            return;
        }
        let mut kept = self.0.lock();
        if kept.stamp != Some(stamp) || kept.by_key.len() == ANSWERS_MAX {
            kept.by_key.clear();
        }
        kept.stamp = Some(stamp);
        kept.by_key.insert(key, answer.clone());
    }
}
