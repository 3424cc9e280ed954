//! The record that a save builds on: the newest one, with the session's changes.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Attempt, MAX_HOLD, NextStep, Save, SaveOutcome, SentRecord};
use crate::error::{Error, Result};
use crate::isolate::{Admission, IsolateMemory, NewestRecord, Revocation};
use crate::protocol::Step;
use crate::protocol::freshness::{self, Freshness};
use crate::protocol::revoke;
use crate::session::event::EventKind;
use crate::session::identity::Tag;
use crate::session::load_reason::LoadReason;
use crate::session::record::{self, Decoded, Record};
use crate::session::record_header::RecordHeader;
use crate::session::session::Session;

impl Save {
    /// Builds the next record on the current one.
    pub(super) fn build(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        mut attempt: Box<Attempt>,
        values: Vec<Option<Vec<u8>>>,
    ) -> Result<NextStep> {
        session.clock.revocation_checked();
        let now = session.clock.latest_millis();
        // mutation: origin-of-save
        let Some(origin) = session.key.origin() else { return Err(Error::unexpected_reply()) };
        let key = session.record_key(origin);
        let is_login = session.key.is_new();
        let mut values = values.into_iter();
        let (bytes, tombstone, successor) = (values.next().flatten(), values.next().flatten(), values.next().flatten());
        self.check_revocation(session, memory, tombstone.as_deref(), successor.as_deref())?;
        if let Some(tombstone) = tombstone.filter(|_| is_login) {
            // A first login has put it. Its time is kept: the key counts as superseded from then on.
            let tombstone_key = session.tombstone_key(origin);
            if memory.revocation(&tombstone_key, now).is_none() {
                memory.mark(&tombstone_key, Revocation::read(&tombstone), now);
            }
        }
        let is_quiet = memory.is_quiet(&key, now);
        // Records in flight here are based on records of this isolate. They may lack the puts of other isolates.
        let stored = if is_quiet { None } else { bytes.clone() };
        let newest = memory.newest(&key, bytes, now); // mutation: memory-of-save
        // mutation: landed-after-all
        if let Some(head) = attempt.sent.as_ref().and_then(|sent| stored_head(&newest, sent.tag()))
            // mutation: quiet-lane
            && is_quiet
            && let (Some(sent), Some(bytes)) = (attempt.sent.take(), &newest.bytes)
        {
            // The last put was applied although it failed, and no put in flight would overwrite it.
            memory.remember(&key, &head, bytes, now); // mutation: landed-remembered
            return Ok(self.stored(session, memory, sent));
        }
        let merged = newest.merged;
        // The load has reported its own merge.
        if merged.is_some() && session.stored.as_ref().is_none_or(|stored| stored.merged != merged) {
            session.report(EventKind::Diverged);
        }
        let limit = newest.limit(session.settings.max_record_bytes);
        let is_fresh = match session.is_fresh(newest.bytes.as_deref(), limit) {
            None => return self.without_record(session, memory, attempt, is_login),
            Some(is_fresh) => is_fresh && merged.is_none(),
        };
        let admission = if is_login { Admission::Free } else { memory.admit(&key, stored.as_deref(), now) };
        let admission = match admission {
            Admission::Join(pending) => {
                let stored = NewestRecord { bytes: stored, merged: None };
                return self.join(session, memory, &key, attempt, pending, stored);
            }
            other => other,
        };
        let newest = if is_fresh { None } else { Some((open(newest, limit)?, merged)) };
        let (newest, is_behind) = match admission {
            Admission::Held | Admission::Join(_) => return Ok(self.hold(attempt)),
            // mutation: login-waits
            Admission::Free if is_login && !memory.hold(&key, now) && attempt.waited < MAX_HOLD => {
                return Ok(self.hold(attempt));
            }
            Admission::Free => (newest, false),
            Admission::TooSoon => (newest, true),
            Admission::Behind(flight) => {
                let (merged, limit) = (flight.merged, flight.limit(session.settings.max_record_bytes));
                (Some((open(flight, limit)?, merged)), true)
            }
        };
        if let Some((record, merged)) = newest {
            attempt.tag = None; // mutation: tag-of-save
            let event = self.merge(session, record, merged)?;
            if self.is_renewal && !session.needs_write()? {
                // Another request has renewed the session meanwhile.
                return Ok(Step::Done(Ok(SaveOutcome::default())));
            }
            event.into_iter().for_each(|event| session.report(event));
        }
        if is_behind { self.begin_group(session, memory, &key, attempt) } else { self.write(session, memory, attempt) }
    }

    /// Fails if the session has ended or its key was rotated.
    pub(super) fn check_revocation(
        &self,
        session: &Session,
        memory: &IsolateMemory,
        tombstone: Option<&[u8]>,
        successor: Option<&[u8]>,
    ) -> Result<()> {
        let Some(origin) = session.key.origin() else { return Ok(()) };
        let now = session.clock.latest_millis();
        let starts_login = session.key.is_new() && origin.is_anonymous();
        if starts_login {
            let key = revoke::successor_tombstone(&session.settings, origin);
            match revoke::revocation(memory, &key, successor, now) {
                None => {}
                // The key of the first login was rotated as well: a second key beside it would belong to no browser.
                Some(revocation) if revocation.is_superseding(now) => return Err(Error::superseded()),
                Some(_) => return Err(Error::interrupted()), // mutation: login-after-rotation
            }
        }
        let key = session.tombstone_key(origin);
        // mutation: tombstone-before-save
        match revoke::revocation(memory, &key, tombstone, now) {
            None => Ok(()),
            // A second login beside the first.
            Some(Revocation::Cycled { .. }) if starts_login => Ok(()), // mutation: second-login-saved
            Some(revocation) if revocation.is_superseding(now) => Err(Error::superseded()),
            Some(_) => Err(Error::interrupted()), // mutation: save-after-end
        }
    }

    /// Continues without a record to build on: only a login may.
    fn without_record(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        attempt: Box<Attempt>,
        is_login: bool,
    ) -> Result<NextStep> {
        if session.load_reason() == LoadReason::NotYetVisible {
            return Err(Error::stale());
        }
        if !is_login {
            return Err(Error::interrupted()); // mutation: record-is-gone
        }
        // mutation: stale-without-record
        if session.load_reason() == LoadReason::Stale
            && let Some(head) = session.stored.as_ref().map(|stored| stored.head.clone())
        {
            let loaded = Record { head, data: session.data()?.clone() };
            let event = self.merge(session, loaded, None)?;
            event.into_iter().for_each(|event| session.report(event));
        }
        self.write(session, memory, attempt)
    }

    /// Merges the session's changes onto a record other than the one it was loaded from. Returns the event to report.
    pub(super) fn merge(
        &self,
        session: &mut Session,
        mut record: Record,
        merged: Option<Tag>,
    ) -> Result<Option<EventKind>> {
        let freshness = freshness::classify(session, &mut record);
        let event = match freshness {
            Freshness::Stale if !session.settings.merge_stale => return Err(Error::stale()),
            Freshness::Stale => Some(EventKind::MergedStale),
            Freshness::Lost if session.load_reason() != LoadReason::Lost => Some(EventKind::Load(LoadReason::Lost)),
            _ => session.stored.as_ref().map(|_| EventKind::Merged),
        };
        if freshness == Freshness::Stale
            && let Some(journal) = session.known.journal.take()
        {
            journal.force(&mut record); // mutation: forced-journal
        }
        session.merge_onto(record, freshness != Freshness::Repaired, merged)?; // mutation: complete-base
        Ok(event)
    }
}

impl SentRecord {
    fn tag(&self) -> Option<&Tag> {
        match self {
            Self::Alone(record) => record.0.tags.first(),
            Self::Group(group) => group.head.tags.first(),
        }
    }
}

impl Session {
    /// Returns whether the session's data are based on the record in these bytes; `None` if it is missing or expired.
    fn is_fresh(&self, bytes: Option<&[u8]>, limit: usize) -> Option<bool> {
        let bytes = bytes.filter(|bytes| record::is_within(limit, bytes))?;
        // Usually the store still returns the record that was loaded.
        let loaded = self.stored.as_ref().filter(|stored| stored.is_record(bytes)).map(|stored| &stored.head);
        let decoded = if loaded.is_none() { record::head(bytes) } else { None };
        let head = loaded.or(decoded.as_ref()).filter(|head| !head.end().has_passed(self.now()))?;
        // mutation: base-of-save
        Some(head.tags.first().is_some_and(|tag| self.has_seen(tag)))
    }
}

/// Decodes the newest record.
pub(super) fn open(newest: NewestRecord, limit: usize) -> Result<Record> {
    let opened = newest.bytes.map(|bytes| record::decode_within(limit, bytes));
    opened.and_then(Decoded::record).ok_or_else(Error::interrupted)
}

/// Returns the header of the newest record, if it is stored and contains the save with this tag.
fn stored_head(newest: &NewestRecord, tag: Option<&Tag>) -> Option<RecordHeader> {
    if newest.merged.is_some() {
        return None;
    }
    let head = newest.bytes.as_deref().and_then(record::head)?;
    tag.is_some_and(|tag| head.tags.contains(tag)).then_some(head)
}
