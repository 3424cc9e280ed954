//! Save: on the newest record, in one put under the session's key; then the end of the key that it replaces.
//!
//! Saves of one key in one isolate take turns in its lane ([`isolate`](super::isolate)). Those that meet are put together.
//!
//! | state | reply | next | guaranteed afterwards |
//! | --- | --- | --- | --- |
//! | `Start` | `Start` | `Reading`; a new session: `Writing`; a new key beside another one of its session: `ReadingFamily` | |
//! | `ReadingFamily` | `Values` | `Writing`; the session has ended: `Done(Err)` | no key joins a session that was seen to end |
//! | `Reading` | `Values` | the session has ended: `Done(Err)` | nothing is written over a tombstone |
//! | `Reading` | `Values` | the lane is free: `Writing`; it is not: `Joined` or `Holding` | the put contains the newest record that is known |
//! | `Holding` | `Waited` | `Reading` | a login contains the saves that were on their way under the old key |
//! | `Joined` | `Waited` | landed: as after `Writing`; due: `Writing`; failed: `Reading` | |
//! | `Writing` | `Written` | `Revoking`, or `Done(Ok)` | the record is stored, with the changes of every member of the group |
//! | `Writing` | `Written`, after so long that other saves went on without it | `Reading`, and after the last attempt as above | |
//! | `Writing` | `Unavailable` | `Pausing`, or `Done(Err)` after the last attempt | |
//! | `Pausing` | `Waited` | `Reading`: the put may have landed | |
//! | `Revoking` | `Written`, or another request of the isolate put it | `Deleting`, or `Done(Ok)` | the old key opens no session after the published bound |
//! | `Revoking` | `Unavailable` | `PausingToRevoke` once, then `Deleting` | |
//! | `PausingToRevoke` | `Waited` | `Revoking` | |
//! | `Deleting` | any | `Done(Ok)` | |

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;

use super::freshness::{self, Freshness};
use super::isolate::{IsolateMemory, Newest, Pending, Poll, Ticket, Turn};
use super::load::successor_tombstone;
use super::revoke::{self, Revocation};
use super::{Reply, Step};
use crate::error::{Error, ErrorKind, Result};
use crate::session::data::Data;
use crate::session::event::EventKind;
use crate::session::identity::{Identity, Tag};
use crate::session::key_state::KeyState;
use crate::session::load_reason::LoadReason;
use crate::session::reconcile;
use crate::session::record::{self, Decoded, Record};
use crate::session::record_header::RecordHeader;
use crate::session::saving::Group;
use crate::session::session::{FlushState, Session, Stored};
use crate::session::storage_key::StorageKey;
use crate::store::{OnlyIf, Op};

/// The pause before the store is asked once more, in milliseconds: KV takes one write a second under one key. Part of it is
/// random, so that two requests that collided do not collide again.
const PAUSE: u64 = 1_000;
const SPREAD: u64 = 256;
const PAUSE_MILLIS: i64 = 1_000;

/// How often a save is put before it fails.
const MAX_ATTEMPTS: u8 = 4;

/// For how long a save waits for its turn, and a login for the saves under the old key, in milliseconds.
const MAX_WAIT: u64 = 12_000;
const MAX_HOLD: u64 = 4_000;

/// The first and the longest pause between two looks at the lane, in milliseconds.
const FIRST_LOOK: u64 = 5;
const LONGEST_LOOK: u64 = 100;

/// What a save came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Saved {
    /// After `cycle_key`: the old key could not be ended, even at a second try. Until it expires, the old cookie still opens
    /// the session as it was.
    pub old_record_remains: bool,
}

/// Writes the session. Django's flags stay as they are.
#[derive(Debug)]
pub struct Save {
    state: State,
    /// Whether no change asks for it: it is left out where another request has renewed the session meanwhile.
    is_renewal: bool,
}

/// The attempts of one save.
#[derive(Debug, Default)]
struct Attempt {
    /// How many puts have failed.
    failed: u8,
    /// How long the save has waited for its turn, in milliseconds.
    waited: u64,
    /// The mark of the record, which stays the same while its content does.
    tag: Option<Tag>,
    /// What the last put was to write: it may have landed although it failed.
    sent: Option<Sent>,
    /// Whether a put was acknowledged, but too late.
    is_stored: bool,
}

/// A record that was put.
#[derive(Debug)]
enum Sent {
    Alone(Box<(RecordHeader, i64)>),
    Group(Rc<Group>),
}

#[derive(Debug, Default)]
enum State {
    Start,
    Reading(Box<Attempt>),
    /// The tombstone of a new key that joins the family of another one.
    ReadingFamily(Box<Attempt>),
    Holding(Box<Attempt>),
    Joined {
        attempt: Box<Attempt>,
        ticket: Ticket,
    },
    Writing {
        attempt: Box<Attempt>,
        ticket: Ticket,
        sent: Sent,
    },
    Pausing(Box<Attempt>),
    Revoking {
        old: Identity,
        again: bool,
    },
    PausingToRevoke(Identity),
    Deleting {
        old_remains: bool,
    },
    #[default]
    Failed,
}

type Next = Step<Result<Saved>>;

impl Default for Save {
    fn default() -> Self {
        Self { state: State::Start, is_renewal: false }
    }
}

impl Save {
    /// The save of a session that did not change.
    pub(crate) fn renewal() -> Self {
        Self { is_renewal: true, ..Self::default() }
    }

    /// Takes the reply to the last step, [`Reply::Start`] first, and returns the next one.
    pub fn step(&mut self, session: &mut Session, memory: &IsolateMemory, reply: Reply) -> Next {
        let next = match (core::mem::take(&mut self.state), reply) {
            (State::Start, Reply::Start) => self.start(session, memory),
            (State::Reading(attempt), Reply::Values(values)) => self.build(session, memory, attempt, values),
            (State::ReadingFamily(attempt), Reply::Values(values)) => {
                self.join_family(session, memory, attempt, &values)
            }
            (State::Holding(attempt), Reply::Waited) if attempt.waited < MAX_HOLD && must_hold(session, memory) => {
                Ok(self.hold(attempt))
            }
            (State::Holding(attempt) | State::Pausing(attempt), Reply::Waited) => {
                session.clock.catch_up();
                // mutation: look-again
                self.look(session, memory, attempt)
            }
            (State::Joined { attempt, ticket }, Reply::Waited) => self.poll(session, memory, attempt, ticket),
            (State::Writing { attempt, ticket, sent }, Reply::Written) => {
                self.landed(session, memory, attempt, ticket, sent)
            }
            // The conflict is with our own earlier attempt: no one else knows this key.
            (State::Writing { attempt, ticket, sent }, Reply::Conflict) if attempt.sent.is_some() => {
                self.landed(session, memory, attempt, ticket, sent)
            }
            (State::Writing { ticket, .. }, Reply::Conflict) => {
                if let Some(identity) = session.key.identity() {
                    memory.withdraw(&revoke::record_key(&session.settings, identity), ticket);
                }
                Err(Error::new(ErrorKind::KeyTaken, "there is a record under the session's new key"))
            }
            (State::Writing { attempt, ticket, sent }, Reply::Unavailable(error)) => {
                self.retry(session, memory, attempt, ticket, sent, error)
            }
            (State::Revoking { old, .. }, Reply::Written) => {
                memory.acknowledge(&revoke::tombstone_key(&session.settings, &old));
                Ok(self.revoked(session, memory, &old))
            }
            (State::Revoking { old, again: false }, Reply::Unavailable(_)) => {
                self.state = State::PausingToRevoke(old);
                Ok(Step::Wait(pause(session)))
            }
            (State::Revoking { old, again: true }, Reply::Unavailable(_)) => {
                let tombstone = revoke::tombstone_key(&session.settings, &old);
                let is_revoked = memory.is_revoked(&tombstone, session.clock.latest_millis());
                Ok(if is_revoked { Step::Done(Ok(Saved::default())) } else { self.delete(session, memory, &old, true) })
            }
            (State::PausingToRevoke(old), Reply::Waited) => Ok(self.revoke(session, memory, old, true)),
            (State::Deleting { old_remains }, reply) => Ok(deleted(session, old_remains, &reply)),
            (_, Reply::Unavailable(error)) => Err(error),
            _ => Err(Error::unexpected_reply()),
        };
        next.unwrap_or_else(|error| self.fail(session, memory, error))
    }

    fn fail(&mut self, session: &mut Session, memory: &IsolateMemory, error: Error) -> Next {
        self.state = State::Failed;
        release(session, memory);
        match error.kind() {
            ErrorKind::Stale => session.report(EventKind::RefusedStale),
            ErrorKind::SessionInterrupted => session.report(EventKind::Interrupted),
            ErrorKind::Superseded => session.report(EventKind::RefusedSuperseded),
            ErrorKind::StoreUnavailable => session.report(EventKind::StoreFailed),
            _ => {}
        }
        Step::Done(Err(error))
    }

    fn start(&mut self, session: &mut Session, memory: &IsolateMemory) -> Result<Next> {
        session.check_available()?;
        if matches!(session.flush, FlushState::Pending(_)) {
            return Err(Error::out_of_reach());
        }
        if session.is_superseded() {
            return Err(Error::superseded());
        }
        if session.session_key().is_none() {
            session.create();
        }
        let is_copy = matches!(&session.key, KeyState::New { replaces: None, .. });
        // mutation: superseded-copy
        if is_copy && session.load_reason() == LoadReason::NotYetVisible && !matches!(session.flush, FlushState::Done) {
            // A copy of a session that cannot be seen yet would take its place without its data.
            return Err(Error::stale()); // mutation: not-visible-is-refused
        }
        self.look(session, memory, Box::default())
    }

    /// Reads what is stored now. A new session is written blindly: a look would make KV remember that nothing was there.
    fn look(&mut self, session: &mut Session, memory: &IsolateMemory, attempt: Box<Attempt>) -> Result<Next> {
        let settings = &session.settings;
        // mutation: blind-put
        let Some(origin) = session.key.origin() else {
            let Some(identity) = session.key_of_known_family() else { return self.write(session, memory, attempt) };
            let both = core::iter::once(identity).chain(session.rotated_from());
            let keys = both.map(|identity| revoke::tombstone_key(settings, identity)).collect();
            self.state = State::ReadingFamily(attempt);
            return Ok(Step::Read(keys));
        };
        let mut keys = vec![revoke::record_key(settings, origin), revoke::tombstone_key(settings, origin)];
        if session.key.is_new() && origin.is_anonymous() {
            keys.push(successor_tombstone(settings, origin));
        }
        self.state = State::Reading(attempt);
        Ok(Step::Read(keys))
    }

    /// Puts the record of a new key that joins a family, unless that has ended meanwhile.
    fn join_family(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        attempt: Box<Attempt>,
        values: &[Option<Vec<u8>>],
    ) -> Result<Next> {
        session.clock.revocation_checked();
        let Some(identity) = session.key.identity() else { return Err(Error::unexpected_reply()) };
        let (key, now) = (revoke::tombstone_key(&session.settings, identity), session.clock.latest_millis());
        let mut tombstones = values.iter().map(Option::as_deref);
        let tombstone = tombstones.next().flatten();
        if let Some((old, replaced)) = session.rotated_from().zip(tombstones.next().flatten()) {
            let old = revoke::tombstone_key(&session.settings, old);
            memory.mark(&old, Revocation::read(replaced), now);
            memory.acknowledge(&old);
        }
        match revoke::revocation(memory, &key, tombstone, now) {
            None => self.write(session, memory, attempt),
            Some(revocation) if revocation.is_superseding(now) => Err(Error::superseded()),
            Some(_) => Err(Error::interrupted()),
        }
    }

    /// Builds the next record on what is stored now.
    fn build(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        mut attempt: Box<Attempt>,
        values: Vec<Option<Vec<u8>>>,
    ) -> Result<Next> {
        session.clock.revocation_checked();
        let now = session.clock.latest_millis();
        // mutation: origin-of-save
        let Some(origin) = session.key.origin() else { return Err(Error::unexpected_reply()) };
        let key = revoke::record_key(&session.settings, origin);
        let is_login = session.key.is_new();
        let mut values = values.into_iter();
        let (bytes, tombstone, successor) = (values.next().flatten(), values.next().flatten(), values.next().flatten());
        self.check_revocation(session, memory, tombstone.as_deref(), successor.as_deref())?;
        if let Some(tombstone) = tombstone.filter(|_| is_login) {
            // A first login has put it: for how long the key counts as superseded depends on its time, which stays.
            let tombstone_key = revoke::tombstone_key(&session.settings, origin);
            if memory.revocation(&tombstone_key, now).is_none() {
                memory.mark(&tombstone_key, Revocation::read(&tombstone), now);
            }
        }
        let is_quiet = memory.is_quiet(&key, now);
        // What is on its way here is made on what was put here. It may lack what other isolates have put.
        let stored = bytes.clone().filter(|_| !is_quiet);
        let newest = memory.newest(&key, bytes, now); // mutation: memory-of-save
        // mutation: landed-after-all
        if let Some(head) = attempt.sent.as_ref().and_then(|sent| stored_head(&newest, sent.tag()))
            // mutation: quiet-lane
            && is_quiet
            && let (Some(sent), Some(bytes)) = (attempt.sent.take(), &newest.bytes)
        {
            // The last put landed after all, and nothing is on its way that would overwrite it.
            memory.remember(&key, &head, bytes, now); // mutation: landed-remembered
            return Ok(self.stored(session, memory, sent));
        }
        let merged = newest.merged;
        // The load has reported what it merged itself.
        if merged.is_some() && session.stored.as_ref().is_none_or(|stored| stored.merged != merged) {
            session.report(EventKind::Diverged);
        }
        let limit = newest.limit(session.settings.max_record_bytes);
        let is_fresh = match session.is_fresh(newest.bytes.as_deref(), limit) {
            None => return self.without_record(session, memory, attempt, is_login),
            Some(is_fresh) => is_fresh && merged.is_none(),
        };
        let turn = if is_login { Turn::Free } else { memory.turn(&key, stored.as_deref(), now) };
        let turn = match turn {
            Turn::Join(pending) => {
                let stored = Newest { bytes: stored, merged: None };
                return self.join(session, memory, &key, attempt, pending, stored);
            }
            other => other,
        };
        let newest = if is_fresh { None } else { Some((open(newest, limit)?, merged)) };
        let (newest, is_behind) = match turn {
            Turn::Held | Turn::Join(_) => return Ok(self.hold(attempt)),
            // mutation: login-waits
            Turn::Free if is_login && !memory.hold(&key, now) && attempt.waited < MAX_HOLD => {
                return Ok(self.hold(attempt));
            }
            Turn::Free => (newest, false),
            Turn::TooSoon => (newest, true),
            Turn::Behind(flight) => {
                let (merged, limit) = (flight.merged, flight.limit(session.settings.max_record_bytes));
                (Some((open(flight, limit)?, merged)), true)
            }
        };
        if let Some((record, merged)) = newest {
            attempt.tag = None; // mutation: tag-of-save
            let event = self.merge(session, record, merged)?;
            if self.is_renewal && !session.needs_write()? {
                // Another request has made it meanwhile.
                return Ok(Step::Done(Ok(Saved::default())));
            }
            event.into_iter().for_each(|event| session.report(event));
        }
        if is_behind { self.begin_group(session, memory, &key, attempt) } else { self.write(session, memory, attempt) }
    }

    /// Fails where the session has ended.
    fn check_revocation(
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
            let key = successor_tombstone(&session.settings, origin);
            match revoke::revocation(memory, &key, successor, now) {
                None => {}
                // The first login's key was rotated as well: a key beside it would be no one's.
                Some(revocation) if revocation.is_superseding(now) => return Err(Error::superseded()),
                Some(_) => return Err(Error::interrupted()), // mutation: login-after-rotation
            }
        }
        let key = revoke::tombstone_key(&session.settings, origin);
        // mutation: tombstone-before-save
        match revoke::revocation(memory, &key, tombstone, now) {
            None => Ok(()),
            // A second login beside the first.
            Some(Revocation::Cycled { .. }) if starts_login => Ok(()), // mutation: second-login-saved
            Some(revocation) if revocation.is_superseding(now) => Err(Error::superseded()),
            Some(_) => Err(Error::interrupted()), // mutation: save-after-end
        }
    }

    /// There is no record to build on.
    fn without_record(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        attempt: Box<Attempt>,
        is_login: bool,
    ) -> Result<Next> {
        if session.load_reason() == LoadReason::NotYetVisible {
            Err(Error::stale())
        } else if is_login {
            self.write(session, memory, attempt)
        } else {
            Err(Error::interrupted()) // mutation: record-is-gone
        }
    }

    /// Puts the session's changes on a record that is not the one it was loaded from. Returns the event to report once the
    /// result is written.
    fn merge(&self, session: &mut Session, mut record: Record, merged: Option<Tag>) -> Result<Option<EventKind>> {
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

    /// Begins a group on the record that the session was just merged onto.
    fn begin_group(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        key: &StorageKey,
        attempt: Box<Attempt>,
    ) -> Result<Next> {
        freshness::open_journal(session);
        let Some(base) = session.stored.clone() else { return Err(Error::unexpected_reply()) };
        let tag = session.random.tag();
        let mut group = session.begin_group(base, tag)?;
        record_of(session.settings.max_record_bytes, &mut group.head, &group.data)?;
        let ticket = memory.begin_group(key, group, session.clock.latest_millis());
        Ok(self.join_wait(attempt, ticket, FIRST_LOOK))
    }

    /// Adds the session's changes to a group that was not put yet.
    fn join(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        key: &StorageKey,
        attempt: Box<Attempt>,
        mut pending: Box<Pending>,
        stored: Newest,
    ) -> Result<Next> {
        // If the group fails, this save goes on with its own changes alone: those of other members are theirs to put.
        let (own, base) = (session.data()?.clone(), session.stored.clone());
        let joined = self.joined(session, &pending.group, stored);
        *session.data()? = own;
        session.stored = base;
        let ticket = pending.ticket;
        let result = joined.map(|group| pending.group = group);
        memory.put_back(key, pending);
        result.map(|()| self.join_wait(attempt, ticket, FIRST_LOOK))
    }

    /// The group with the session's changes, and with what is stored by now, if the group was begun without it.
    fn joined(&self, session: &mut Session, group: &Group, newest: Newest) -> Result<Group> {
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
        // The base is what lies below the group's own mark, repairs included. What was merged in comes behind it.
        let tag = group.head.tags.first().copied().unwrap_or_default();
        let first = group.base.head.tags.first().copied();
        head.tags.retain(|other| *other != tag && Some(*other) != first);
        head.tags.splice(..0, first);
        head.generation = group.base.head.generation;
        // mutation: base-of-group
        let base = Stored { head, complete: true, merged: foreign.or(group.base.merged) };
        session.stored = Some(base.clone());
        let mut joined = session.begin_group(base, tag)?;
        // It rests on what only one of its members knows, or on more branches than a journal can name: no older record has all
        // that it needs.
        let is_apart = foreign.is_some() && group.base.merged.is_some_and(|merged| Some(merged) != foreign);
        let is_whole = complete && group.base.complete; // mutation: repaired-group
        if is_apart || !is_whole || group.base.head.tags.is_empty() {
            joined.base.head.tags.clear();
        }
        joined.time = joined.time.max(group.time);
        record_of(session.settings.max_record_bytes, &mut joined.head, &joined.data)?;
        Ok(joined)
    }

    fn join_wait(&mut self, mut attempt: Box<Attempt>, ticket: Ticket, pause: u64) -> Next {
        attempt.waited = attempt.waited.saturating_add(pause);
        self.state = State::Joined { attempt, ticket };
        Step::Wait(pause)
    }

    /// Waits for the saves that are on their way, or for the login that holds the lane.
    fn hold(&mut self, mut attempt: Box<Attempt>) -> Next {
        let pause = next_look(attempt.waited);
        attempt.waited = attempt.waited.saturating_add(pause);
        self.state = State::Holding(attempt);
        Step::Wait(pause)
    }

    /// Looks what has become of the group that this save joined.
    fn poll(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        mut attempt: Box<Attempt>,
        ticket: Ticket,
    ) -> Result<Next> {
        session.clock.catch_up();
        let Some(identity) = session.key.identity() else { return Err(Error::unexpected_reply()) };
        let key = revoke::record_key(&session.settings, identity);
        let now = session.clock.latest_millis();
        match memory.poll(&key, ticket, now) {
            Poll::Landed(group, landed) => self.acknowledged(session, memory, Sent::Group(group), landed),
            Poll::Put(group) => {
                // mutation: group-after-end
                self.check_revocation(session, memory, None, None).inspect_err(|_| memory.withdraw(&key, ticket))?;
                let value = record::encode(&group.head, &group.data);
                memory.set_bytes(&key, &value);
                let op = put(session, key, &group.head, value, OnlyIf::Any);
                self.state = State::Writing { attempt, ticket, sent: Sent::Group(group) };
                Ok(Step::Write(vec![op]))
            }
            _ if attempt.waited >= MAX_WAIT => Err(Error::out_of_reach()),
            Poll::Gone if attempt.failed >= MAX_ATTEMPTS => Err(Error::out_of_reach()),
            Poll::Gone => {
                attempt.failed = attempt.failed.saturating_add(1);
                self.look(session, memory, attempt)
            }
            Poll::Wait(until) => {
                let usual = next_look(attempt.waited);
                let pause =
                    until.and_then(|pause| u64::try_from(pause).ok()).map_or(usual, |pause| pause.clamp(1, PAUSE));
                Ok(self.join_wait(attempt, ticket, pause))
            }
        }
    }

    /// Puts the session's record.
    fn write(&mut self, session: &mut Session, memory: &IsolateMemory, mut attempt: Box<Attempt>) -> Result<Next> {
        let newest = session.stored.as_ref().and_then(|stored| stored.head.tags.first());
        if session.known.position.map(|position| position.tag).as_ref() == newest {
            freshness::open_journal(session);
        }
        let tag = *attempt.tag.get_or_insert_with(|| session.random.tag()); // mutation: tag-of-retry
        let limit = session.settings.max_record_bytes;
        let (mut head, data, time) = session.next_record(tag)?;
        let value = record_of(limit, &mut head, data)?;
        let Some(identity) = session.key.identity() else { return Err(Error::unexpected_reply()) };
        let key = revoke::record_key(&session.settings, identity);
        let now = session.clock.latest_millis();
        let only_if = if session.key.is_new() && !attempt.is_stored { OnlyIf::Absent } else { OnlyIf::Any }; // mutation: new-record
        if head.end().has_passed(session.now()) && only_if == OnlyIf::Absent {
            // It has expired before it was written: nothing is left to keep.
            return Ok(self.stored(session, memory, Sent::Alone(Box::new((head, time)))));
        }
        let ticket = memory.begin_flight(&key, &head, &value, now);
        let op = put(session, key, &head, value, only_if);
        self.state = State::Writing { attempt, ticket, sent: Sent::Alone(Box::new((head, time))) };
        // mutation: put-of-record
        Ok(Step::Write(vec![op]))
    }

    fn put_failed(&self, session: &mut Session, memory: &IsolateMemory, ticket: Ticket) {
        if let Some(identity) = session.key.identity() {
            let key = revoke::record_key(&session.settings, identity);
            memory.failed(&key, ticket, PAUSE_MILLIS, session.clock.latest_millis());
        }
    }

    fn retry(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        mut attempt: Box<Attempt>,
        ticket: Ticket,
        sent: Sent,
        error: Error,
    ) -> Result<Next> {
        self.put_failed(session, memory, ticket);
        let failed = attempt.failed.saturating_add(1);
        if failed >= MAX_ATTEMPTS || !session.differs_from_stored() {
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

    /// The put of this save was acknowledged. It counts unless it took so long that other saves went on without it, which it may
    /// have overwritten or been overwritten by: then all of it is put once more.
    fn landed(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        mut attempt: Box<Attempt>,
        ticket: Ticket,
        sent: Sent,
    ) -> Result<Next> {
        let Some(identity) = session.key.identity() else { return Err(Error::unexpected_reply()) };
        let now = session.clock.latest_millis();
        let counts = memory.landed(&revoke::record_key(&session.settings, identity), ticket, now);
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

    /// The put was acknowledged, to this save or to another one of its group. The key may have ended here before that: then
    /// nothing reads the record any more.
    fn acknowledged(&mut self, session: &mut Session, memory: &IsolateMemory, sent: Sent, landed: i64) -> Result<Next> {
        let now = session.clock.latest_millis();
        let tombstone = session.key.identity().map(|identity| revoke::tombstone_key(&session.settings, identity));
        match tombstone.and_then(|key| memory.revoked_before(&key, landed, now)) {
            None => Ok(self.stored(session, memory, sent)),
            Some(revocation) if revocation.is_superseding(now) => Err(Error::superseded()),
            Some(_) => Err(Error::interrupted()),
        }
    }

    /// The record is stored.
    fn stored(&mut self, session: &mut Session, memory: &IsolateMemory, sent: Sent) -> Next {
        let is_new = session.key.is_new();
        let replaced = match sent {
            Sent::Alone(record) => session.record_stored(record.0, record.1),
            Sent::Group(group) => session.group_stored(group),
        };
        // The request that rotated the same key first may have vanished before it put the tombstone.
        let superseded = session.rotated_from().filter(|_| is_new && replaced.is_none());
        match replaced.or_else(|| superseded.cloned()) {
            None => {
                if is_new {
                    session.report(EventKind::Created);
                }
                Step::Done(Ok(Saved::default()))
            }
            Some(old) => {
                session.report(EventKind::Cycled);
                memory.release(&revoke::record_key(&session.settings, &old));
                // mutation: tombstone-of-rotation
                self.revoke(session, memory, old, false)
            }
        }
    }

    /// Puts the old key's tombstone, unless this isolate has put one a moment ago: after another login, a second put under its
    /// key could only be refused, and after a logout it would hide the end.
    fn revoke(&mut self, session: &mut Session, memory: &IsolateMemory, old: Identity, again: bool) -> Next {
        let now = session.clock.latest_millis();
        let tombstone = revoke::tombstone_key(&session.settings, &old);
        if memory.is_revoked(&tombstone, now) {
            return Step::Done(Ok(Saved::default()));
        }
        let first = match memory.revocation(&tombstone, now) {
            Some(Revocation::Cycled { at }) => Some(at), // mutation: time-of-rotation
            Some(Revocation::Ended) | None => None,
        };
        if !again {
            memory.mark(&tombstone, Revocation::Cycled { at: first.unwrap_or(now) }, now); // mutation: mark-of-rotation
        }
        let op = revoke::cycled(&session.settings, &old, first, session.now());
        self.state = State::Revoking { old, again };
        Step::Write(vec![op])
    }

    /// The old key has a tombstone. An anonymous record stays for a second login that is on its way.
    fn revoked(&mut self, session: &mut Session, memory: &IsolateMemory, old: &Identity) -> Next {
        // mutation: old-record-of-login
        if old.is_anonymous() && session.settings.check_ended {
            return Step::Done(Ok(Saved::default()));
        }
        self.delete(session, memory, old, false)
    }

    fn delete(&mut self, session: &Session, memory: &IsolateMemory, old: &Identity, old_remains: bool) -> Next {
        let op = revoke::delete(&session.settings, old);
        memory.forget(op.key());
        self.state = State::Deleting { old_remains };
        Step::Write(vec![op])
    }
}

impl Sent {
    fn tag(&self) -> Option<&Tag> {
        match self {
            Self::Alone(record) => record.0.tags.first(),
            Self::Group(group) => group.head.tags.first(),
        }
    }
}

impl Session {
    /// The new key, if it replaces none and belongs to a session that other keys belong to as well: a copy, or a second login.
    fn key_of_known_family(&self) -> Option<&Identity> {
        let identity = self.key.identity().filter(|_| self.settings.check_ended)?;
        let mut known = self.incoming.identities();
        known.any(|other| other.key.family() == identity.key.family()).then_some(identity)
    }

    /// The key with which the request came, if the new one is a rotation of it.
    fn rotated_from(&self) -> Option<&Identity> {
        let identity = self.key.identity()?;
        let is_older =
            |other: &&Identity| other.key.family() == identity.key.family() && other.rotations < identity.rotations;
        self.incoming.identities().find(is_older)
    }

    /// Whether a concurrent request rotated the key a moment ago.
    fn is_superseded(&mut self) -> bool {
        self.load_reason() == LoadReason::Superseded
            && self.data().is_ok()
            && matches!(self.key, KeyState::Superseded { .. })
    }

    /// Whether the data rest on the record in these bytes. None where there is no live record.
    fn is_fresh(&self, bytes: Option<&[u8]>, limit: usize) -> Option<bool> {
        let bytes = bytes.filter(|bytes| record::is_within(limit, bytes))?;
        let head = record::head(bytes).filter(|head| !head.end().has_passed(self.now()))?;
        // mutation: base-of-save
        Some(head.tags.first().is_some_and(|tag| self.has_seen(tag)))
    }
}

/// Whether the lane is still taken. Nothing is read before it is free.
fn must_hold(session: &Session, memory: &IsolateMemory) -> bool {
    session.key.origin().is_some_and(|origin| {
        let key = revoke::record_key(&session.settings, origin);
        memory.is_taken(&key, session.key.is_new(), session.clock.latest_millis())
    })
}

/// Whether a save under the key that a login replaces went on without waiting for the login's put, which took too long.
fn is_overtaken(session: &Session, memory: &IsolateMemory) -> bool {
    let Some(origin) = session.key.origin().filter(|_| session.key.is_new()) else { return false };
    let newest = memory.last_tag(&revoke::record_key(&session.settings, origin), session.clock.latest_millis());
    let known = session.stored.as_ref().map(|stored| stored.head.tags.as_slice()).unwrap_or_default();
    newest.is_some_and(|tag| !known.contains(&tag))
}

/// Releases the lane of the key that a failed login was to replace.
fn release(session: &Session, memory: &IsolateMemory) {
    if let Some(origin) = session.key.origin().filter(|_| session.key.is_new()) {
        memory.release(&revoke::record_key(&session.settings, origin));
    }
}

fn open(newest: Newest, limit: usize) -> Result<Record> {
    let opened = newest.bytes.map(|bytes| record::decode_within(limit, bytes));
    opened.and_then(Decoded::record).ok_or_else(Error::interrupted)
}

/// The header of the newest record, if it is stored and contains the save with this tag.
fn stored_head(newest: &Newest, tag: Option<&Tag>) -> Option<RecordHeader> {
    if newest.merged.is_some() {
        return None;
    }
    let head = newest.bytes.as_deref().and_then(record::head)?;
    tag.is_some_and(|tag| head.tags.contains(tag)).then_some(head)
}

/// The operation that stores a record; one that has expired is removed.
fn put(session: &Session, key: StorageKey, head: &RecordHeader, value: Vec<u8>, only_if: OnlyIf) -> Op {
    match u64::try_from(head.end().seconds_from(session.now())) {
        Ok(ttl) if ttl > 0 => Op::Put { key, value, ttl, deadline: head.end().0, only_if },
        _ => Op::Delete { key },
    }
}

/// The bytes of a record. Its list of recent writes is shortened where it takes too much room, and data over the limit are
/// refused.
fn record_of(limit: usize, head: &mut RecordHeader, data: &Data) -> Result<Vec<u8>> {
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

fn pause(session: &mut Session) -> u64 {
    let [spread, ..] = session.random.tag();
    PAUSE.saturating_add(u64::from(spread) % SPREAD)
}

/// The pause before the next look at the lane: short at first, then longer.
fn next_look(waited: u64) -> u64 {
    waited.clamp(FIRST_LOOK, LONGEST_LOOK)
}

fn deleted(session: &mut Session, old_remains: bool, reply: &Reply) -> Next {
    // Where tombstones are not read, the record is all that counts.
    let old_record_remains = if session.settings.check_ended { old_remains } else { !matches!(reply, Reply::Written) };
    if old_record_remains {
        session.report(EventKind::OldKeyRemains);
    }
    Step::Done(Ok(Saved { old_record_remains }))
}
