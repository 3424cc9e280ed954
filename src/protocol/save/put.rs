//! The put of a record, its retries, and its acknowledgement.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Attempt, MAX_ATTEMPTS, NextStep, PAUSE_MILLIS, Save, SentRecord, State, pause};
use crate::error::{Error, ErrorKind, Result};
use crate::isolate::{IsolateMemory, Ticket};
use crate::protocol::Step;
use crate::protocol::freshness;
use crate::session::data::Data;
use crate::session::event::EventKind;
use crate::session::record;
use crate::session::record_header::RecordHeader;
use crate::session::session::Session;
use crate::session::storage_key::StorageKey;
use crate::store::{OnlyIf, Op};

impl Save {
    /// Puts the session's record.
    pub(super) fn write(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        mut attempt: Box<Attempt>,
    ) -> Result<NextStep> {
        let newest = session.stored.as_ref().and_then(|stored| stored.head.tags.first());
        if session.known.position.map(|position| position.tag).as_ref() == newest {
            freshness::open_journal(session);
        }
        let tag = *attempt.tag.get_or_insert_with(|| session.random.tag()); // mutation: tag-of-retry
        let limit = session.settings.max_record_bytes;
        let (mut head, data, time) = session.next_record(tag)?;
        let value = record_of(limit, &mut head, data)?;
        let Some(identity) = session.key.identity() else { return Err(Error::unexpected_reply()) };
        let key = session.record_key(identity);
        let now = session.clock.latest_millis();
        // mutation: new-record
        let only_if = if session.key.is_new() && !attempt.is_stored { OnlyIf::Absent } else { OnlyIf::Any };
        if head.end().has_passed(session.now()) && only_if == OnlyIf::Absent {
            // It has already expired: nothing is written.
            return Ok(self.stored(session, memory, SentRecord::Alone(Box::new((head, time)))));
        }
        let ticket = memory.begin_flight(&key, &head, &value, now);
        let op = put(session, key, &head, value, only_if);
        self.state = State::Writing { attempt, ticket, sent: SentRecord::Alone(Box::new((head, time))) };
        // mutation: put-of-record
        Ok(Step::Write(vec![op]))
    }

    fn put_failed(&self, session: &mut Session, memory: &IsolateMemory, ticket: Ticket) {
        if let Some(identity) = session.key.identity() {
            let key = session.record_key(identity);
            memory.fail_put(&key, ticket, PAUSE_MILLIS, session.clock.latest_millis());
        }
    }

    /// Retries a put that failed, after a pause, unless it was the last attempt or an automatic renewal.
    pub(super) fn retry(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        mut attempt: Box<Attempt>,
        ticket: Ticket,
        sent: SentRecord,
        error: Error,
    ) -> Result<NextStep> {
        self.put_failed(session, memory, ticket);
        let failed = attempt.failed.saturating_add(1);
        if failed >= MAX_ATTEMPTS || error.is_overloaded() || !session.differs_from_stored() {
            return Err(error);
        }
        session.report(EventKind::Retried);
        let pause = pause(session);
        attempt.failed = failed;
        attempt.waited = attempt.waited.saturating_add(pause);
        attempt.sent = Some(sent);
        self.state = State::Pausing(attempt);
        Ok(Step::Wait(pause))
    }

    /// Handles the acknowledgement of this save's put. If it took so long that other saves went on without it, either may have
    /// overwritten the other: then the save is put once more.
    pub(super) fn put_acknowledged(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        mut attempt: Box<Attempt>,
        ticket: Ticket,
        sent: SentRecord,
    ) -> Result<NextStep> {
        let Some(identity) = session.key.identity() else { return Err(Error::unexpected_reply()) };
        let now = session.clock.latest_millis();
        let counts = memory.acknowledge_put(&session.record_key(identity), ticket, now);
        let failed = attempt.failed.saturating_add(1);
        if (counts && !is_overtaken(session, memory)) || failed >= MAX_ATTEMPTS {
            return self.acknowledged(session, memory, sent, now);
        }
        session.clock.catch_up();
        attempt.failed = failed;
        attempt.tag = None;
        attempt.sent = Some(sent);
        attempt.is_stored = true;
        self.look(session, memory, attempt)
    }

    /// Finishes the save after the acknowledgement of its put, or of its group's. Fails if the key was revoked here before that:
    /// then the record is unreachable.
    pub(super) fn acknowledged(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        sent: SentRecord,
        at: i64,
    ) -> Result<NextStep> {
        let now = session.clock.latest_millis();
        let tombstone = session.key.identity().map(|identity| session.tombstone_key(identity));
        match tombstone.and_then(|key| memory.revoked_before(&key, at, now)) {
            None => Ok(self.stored(session, memory, sent)),
            Some(revocation) if revocation.is_superseding(now) => Err(Error::superseded()),
            Some(_) => Err(Error::interrupted()),
        }
    }
}

/// Returns whether a save under the key that a login replaces did not wait for the login's put, since it took too long.
fn is_overtaken(session: &Session, memory: &IsolateMemory) -> bool {
    let Some(origin) = session.key.origin().filter(|_| session.key.is_new()) else { return false };
    let newest = memory.last_tag(&session.record_key(origin), session.clock.latest_millis());
    let known = session.stored.as_ref().map(|stored| stored.head.tags.as_slice()).unwrap_or_default();
    newest.is_some_and(|tag| !known.contains(&tag))
}

/// Returns the operation that stores a record. An expired record is deleted.
pub(super) fn put(session: &Session, key: StorageKey, head: &RecordHeader, value: Vec<u8>, only_if: OnlyIf) -> Op {
    match u64::try_from(head.end().seconds_from(session.now())) {
        Ok(ttl) if ttl > 0 => Op::Put { key, value, ttl, deadline: head.end().0, generation: head.generation, only_if },
        _ => Op::Delete { key },
    }
}

/// Encodes a record. Shortens its list of recent writes if it is too large, and refuses data over the limit.
pub(super) fn record_of(limit: usize, head: &mut RecordHeader, data: &Data) -> Result<Vec<u8>> {
    let value = record::encode(head, data);
    if value.len() <= limit {
        return Ok(value);
    }
    head.collapse_writes();
    let value = record::encode(head, data);
    let counted = value.len().saturating_sub(record::uncounted(&value, data));
    if counted <= limit {
        return Ok(value);
    }
    let (mut has, mut may) = (itoa::Buffer::new(), itoa::Buffer::new());
    let (has, may) = (has.format(counted), may.format(limit));
    let message = ["the session's data have ", has, " bytes; SESSION_MAX_RECORD_BYTES allows ", may];
    Err(Error::new(ErrorKind::TooLarge, message.concat()))
}
