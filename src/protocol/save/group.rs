//! Group commit: saves that meet in the lane of a key share one put.

use alloc::boxed::Box;

use super::base::open;
use super::put::{put, record_of};
use super::{Attempt, FIRST_POLL, LONGEST_POLL, MAX_ATTEMPTS, MAX_WAIT, NextStep, PAUSE, Save, SentRecord, State};
use crate::error::{Error, Result};
use crate::isolate::{GroupState, IsolateMemory, NewestRecord, PendingGroup, Ticket};
use crate::protocol::Step;
use crate::protocol::freshness;
use crate::session::reconcile;
use crate::session::record::{self, Record};
use crate::session::saving::Group;
use crate::session::session::{Session, Stored};
use crate::session::storage_key::StorageKey;
use crate::store::OnlyIf;

impl Save {
    /// Begins a group on the record that the session was just merged onto.
    pub(super) fn begin_group(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        key: &StorageKey,
        attempt: Box<Attempt>,
    ) -> Result<NextStep> {
        freshness::open_journal(session);
        let Some(base) = session.stored.clone() else { return Err(Error::unexpected_reply()) };
        let tag = session.random.tag();
        let mut group = session.begin_group(base, tag)?;
        record_of(session.settings.max_record_bytes, &mut group.head, &group.data)?;
        let ticket = memory.begin_group(key, group, session.clock.latest_millis());
        Ok(self.join_wait(attempt, ticket, FIRST_POLL))
    }

    /// Adds the session's changes to a group that was not put yet.
    pub(super) fn join(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        key: &StorageKey,
        attempt: Box<Attempt>,
        mut pending: Box<PendingGroup>,
        stored: NewestRecord,
    ) -> Result<NextStep> {
        // If the group fails, each member retries with its own changes alone.
        let (own, base) = (session.data()?.clone(), session.stored.clone());
        let joined = self.joined_group(session, &pending.group, stored);
        *session.data()? = own;
        session.stored = base;
        let ticket = pending.ticket;
        let result = joined.map(|group| pending.group = group);
        memory.return_group(key, pending);
        result.map(|()| self.join_wait(attempt, ticket, FIRST_POLL))
    }

    /// Returns the group with the session's changes, and with the changes of the stored record that the group lacks.
    fn joined_group(&self, session: &mut Session, group: &Group, newest: NewestRecord) -> Result<Group> {
        let mut record = Record { head: group.head.clone(), data: group.data.clone() };
        let mut foreign = None;
        let limit = newest.limit(session.settings.max_record_bytes);
        // mutation: stored-in-group
        if let Some(stored) = open(newest, limit).ok().filter(|stored| !stored.head.is_known_to(&record.head)) {
            foreign = stored.head.tags.first().copied();
            reconcile::apply_writes(&mut record, &stored);
        }
        self.merge(session, record, None)?;
        freshness::open_journal(session);
        let Some(Stored { mut head, complete, .. }) = session.stored.take() else {
            return Err(Error::unexpected_reply());
        };
        // The base is the record below the group's own tag, repairs included. Tags of merged records follow it.
        let tag = group.head.tags.first().copied().unwrap_or_default();
        let first = group.base.head.tags.first().copied();
        head.tags.retain(|other| *other != tag && Some(*other) != first);
        head.tags.splice(..0, first);
        head.generation = group.base.head.generation;
        // mutation: base-of-group
        let base = Stored { head, complete: true, length: None, merged: foreign.or(group.base.merged), is_old: false };
        session.stored = Some(base.clone());
        let mut joined = session.begin_group(base, tag)?;
        // The base is known to one member only, or has more branches than a journal can name: no older record can stand in for
        // it.
        let is_apart = foreign.is_some() && group.base.merged.is_some_and(|merged| Some(merged) != foreign);
        let is_whole = complete && group.base.complete; // mutation: repaired-group
        if is_apart || !is_whole || group.base.head.tags.is_empty() {
            joined.base.head.tags.clear();
        }
        joined.time = joined.time.max(group.time);
        record_of(session.settings.max_record_bytes, &mut joined.head, &joined.data)?;
        Ok(joined)
    }

    fn join_wait(&mut self, mut attempt: Box<Attempt>, ticket: Ticket, pause: u64) -> NextStep {
        attempt.waited = attempt.waited.saturating_add(pause);
        self.state = State::Joined { attempt, ticket };
        Step::Wait(pause)
    }

    /// Waits for the puts in flight, or for the login that holds the lane.
    pub(super) fn hold(&mut self, mut attempt: Box<Attempt>) -> NextStep {
        let pause = next_poll(attempt.waited);
        attempt.waited = attempt.waited.saturating_add(pause);
        self.state = State::Holding(attempt);
        Step::Wait(pause)
    }

    /// Polls the group that this save joined.
    pub(super) fn poll(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        mut attempt: Box<Attempt>,
        ticket: Ticket,
    ) -> Result<NextStep> {
        session.clock.catch_up();
        let Some(identity) = session.key.identity() else { return Err(Error::unexpected_reply()) };
        let key = session.record_key(identity);
        let now = session.clock.latest_millis();
        match memory.poll_group(&key, ticket, now) {
            GroupState::Acknowledged(group, at) => self.acknowledged(session, memory, SentRecord::Group(group), at),
            GroupState::Due(group) => {
                // mutation: group-after-end
                self.check_revocation(session, memory, None, None)
                    .inspect_err(|_| memory.withdraw_put(&key, ticket))?;
                let value = record::encode(&group.head, &group.data);
                memory.set_group_bytes(&key, &value);
                let op = put(session, key, &group.head, value, OnlyIf::Any);
                self.state = State::Writing { attempt, ticket, sent: SentRecord::Group(group) };
                Ok(Step::Write(vec![op]))
            }
            _ if attempt.waited >= MAX_WAIT => Err(Error::out_of_reach()),
            GroupState::Gone if attempt.failed >= MAX_ATTEMPTS => Err(Error::out_of_reach()),
            GroupState::Gone => {
                attempt.failed = attempt.failed.saturating_add(1);
                self.look(session, memory, attempt)
            }
            GroupState::Wait(until) => {
                let usual = next_poll(attempt.waited);
                let pause =
                    until.and_then(|pause| u64::try_from(pause).ok()).map_or(usual, |pause| pause.clamp(1, PAUSE));
                Ok(self.join_wait(attempt, ticket, pause))
            }
        }
    }
}

/// Returns the pause before the next poll of the lane: short at first, then longer.
fn next_poll(waited: u64) -> u64 {
    waited.clamp(FIRST_POLL, LONGEST_POLL)
}
