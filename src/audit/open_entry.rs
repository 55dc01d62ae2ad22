//! The outcome line of a request that is under way. Its room in the queue is reserved, so closing it cannot fail.

use std::time::Duration;

use crate::{clock::Timestamp, names::IdentityKind};

use super::{
    entry::{AuditEntry, OutcomeDetails, RequestFacts},
    entry_queue::QueueReservation,
    recorded::Recorded,
};

/// The outcome of a request that is under way. Dropped without [`OpenEntry::close`], it is written as abandoned.
pub struct OpenEntry {
    facts: RequestFacts,
    /// How often the request may have been sent by now.
    attempts: u32,
    /// Gone once the line is handed over.
    reservation: Option<QueueReservation>,
}

impl OpenEntry {
    pub(super) fn new(facts: RequestFacts, reservation: QueueReservation) -> Self {
        Self {
            facts,
            attempts: 0,
            reservation: Some(reservation),
        }
    }

    /// What is known of the request.
    #[must_use]
    pub fn facts(&self) -> &RequestFacts {
        &self.facts
    }

    /// The request goes with another identity from now on. An intent that was written keeps what it said.
    pub(super) fn set_identity(&mut self, identity: IdentityKind) {
        self.facts.identity = Some(identity);
    }

    /// Called before each attempt: should nobody live to close the entry, its line still tells that the request may have
    /// left.
    pub(super) fn set_attempts(&mut self, attempts: u32) {
        self.attempts = attempts;
    }

    /// Hands the line over. Costs a lock and a push; cannot fail.
    pub fn close(mut self, details: OutcomeDetails) {
        self.submit(details);
    }

    /// Writes the line; `value` is what it was written for.
    pub fn close_with<T>(self, details: OutcomeDetails, value: T) -> Recorded<T> {
        self.defer_close(|entry| {
            entry.close(details);
            value
        })
    }

    /// Gives the entry to `with`, which makes the recorded value of it. For a response that is still to stream: the entry
    /// goes with it, and its line is written at the end, or when it is dropped.
    pub fn defer_close<T>(self, with: impl FnOnce(Self) -> T) -> Recorded<T> {
        Recorded::assert_recorded(with(self))
    }

    /// Releases the reservation and writes nothing.
    pub(super) fn discard(mut self) {
        self.reservation = None;
    }

    fn submit(&mut self, details: OutcomeDetails) {
        if let Some(reservation) = self.reservation.take() {
            let (request, peer) = (self.facts.request_id, self.facts.peer);
            let gone = RequestFacts::from_peer(request, peer);
            reservation.enqueue(AuditEntry::Outcome {
                at: Timestamp::now(),
                facts: std::mem::replace(&mut self.facts, gone),
                details,
            });
        }
    }
}

impl Drop for OpenEntry {
    fn drop(&mut self) {
        if self.reservation.is_none() {
            return;
        }
        let now_ms = Timestamp::now().unix_millis();
        let open_ms = now_ms.saturating_sub(self.facts.request_id.unix_ms());
        self.submit(OutcomeDetails::abandoned(
            Duration::from_millis(open_ms),
            self.attempts,
        ));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::{
        audit::{
            entry_queue::{Batch, EntryQueue},
            stranger_queue::StrangerLimits,
        },
        names::RequestId,
        net::Peer,
    };

    #[test]
    fn another_identity_is_in_the_outcome_and_not_in_the_intent() {
        let queue = EntryQueue::new(StrangerLimits::default());
        let facts = RequestFacts {
            identity: Some(IdentityKind::Service),
            ..RequestFacts::from_peer(RequestId::new(1, 1), Peer::Unix { uid: 0 })
        };
        let intent = AuditEntry::Intent {
            at: Timestamp::now(),
            facts: facts.clone(),
        };
        let _durable = queue.push_durable(queue.reserve().unwrap(), intent);
        let mut entry = OpenEntry::new(facts, queue.reserve().unwrap());
        entry.set_identity(IdentityKind::User);
        entry.close(OutcomeDetails::abandoned(Duration::ZERO, 1));

        let mut batch = Batch::new();
        queue.take_batch(&mut batch, Duration::ZERO);
        let identities: Vec<_> = batch
            .items
            .iter()
            .map(|item| match &item.entry {
                AuditEntry::Intent { facts, .. } | AuditEntry::Outcome { facts, .. } => {
                    facts.identity
                }
                AuditEntry::Event { .. } => None,
            })
            .collect();

        let (service, user) = (IdentityKind::Service, IdentityKind::User);
        assert_eq!(identities, [Some(service), Some(user)]);
    }
}
