//! The outcome line of a request that is under way. Its place in the queue is reserved, so closing it cannot fail.

use std::time::Duration;

use crate::{clock::Timestamp, names::IdentityKind};

use super::{
    entry::{Ending, Entry, Subject},
    entry_queue::Place,
    recorded::Recorded,
};

/// The outcome of a request that is under way. Dropped without [`OpenEntry::close`], it is written as abandoned.
pub struct OpenEntry {
    subject: Subject,
    /// How often the request may have been sent by now.
    attempts: u32,
    /// Gone once the line is handed over.
    place: Option<Place>,
}

impl OpenEntry {
    pub(super) fn new(subject: Subject, place: Place) -> Self {
        Self {
            subject,
            attempts: 0,
            place: Some(place),
        }
    }

    /// What is known of the request.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The request goes with another identity from now on. An intent that was written keeps what it said.
    pub(super) fn set_identity(&mut self, identity: IdentityKind) {
        self.subject.identity = Some(identity);
    }

    /// Called before each attempt: should nobody live to close the entry, its line still tells that the request may have
    /// left.
    pub(super) fn note_attempts(&mut self, attempts: u32) {
        self.attempts = attempts;
    }

    /// Hands the line over. Costs a lock and a push; cannot fail.
    pub fn close(mut self, ending: Ending) {
        self.hand_over(ending);
    }

    /// Writes the line; `value` is what it was written for.
    pub fn close_with<T>(self, ending: Ending, value: T) -> Recorded<T> {
        self.ride(|entry| {
            entry.close(ending);
            value
        })
    }

    /// Gives the entry to `with`, which makes the recorded value of it. For a response that is still to stream: the entry
    /// goes with it, and its line is written at the end, or when it is dropped.
    pub fn ride<T>(self, with: impl FnOnce(Self) -> T) -> Recorded<T> {
        Recorded::assert_recorded(with(self))
    }

    /// Releases the reservation and writes nothing.
    pub(super) fn withdraw(mut self) {
        self.place = None;
    }

    fn hand_over(&mut self, ending: Ending) {
        if let Some(place) = self.place.take() {
            let (request, peer) = (self.subject.request, self.subject.peer);
            let gone = Subject::of_stranger(request, peer);
            place.fill(Entry::Outcome {
                at: Timestamp::now(),
                subject: std::mem::replace(&mut self.subject, gone),
                ending,
            });
        }
    }
}

impl Drop for OpenEntry {
    fn drop(&mut self) {
        if self.place.is_none() {
            return;
        }
        let now_ms = Timestamp::now().unix_millis();
        let open_ms = now_ms.saturating_sub(self.subject.request.unix_ms());
        self.hand_over(Ending::abandoned(
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
        audit::entry_queue::{Batch, Queue},
        names::RequestId,
        net::Peer,
    };

    #[test]
    fn another_identity_is_in_the_outcome_and_not_in_the_intent() {
        let queue = Queue::new();
        let subject = Subject {
            identity: Some(IdentityKind::Service),
            ..Subject::of_stranger(RequestId::new(1, 1), Peer::Unix { uid: 0 })
        };
        let intent = Entry::Intent {
            at: Timestamp::now(),
            subject: subject.clone(),
        };
        let _durable = queue.push_durable(queue.reserve().unwrap(), intent);
        let mut entry = OpenEntry::new(subject, queue.reserve().unwrap());
        entry.set_identity(IdentityKind::User);
        entry.close(Ending::abandoned(Duration::ZERO, 1));

        let mut batch = Batch::new();
        queue.take(&mut batch, Duration::ZERO);
        let identities: Vec<_> = batch
            .items
            .iter()
            .map(|item| match &item.entry {
                Entry::Intent { subject, .. } | Entry::Outcome { subject, .. } => subject.identity,
                Entry::Event { .. } => None,
            })
            .collect();

        let (service, user) = (IdentityKind::Service, IdentityKind::User);
        assert_eq!(identities, [Some(service), Some(user)]);
    }
}
