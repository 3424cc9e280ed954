//! Save: one put under the session's key, based on the newest record; then the revocation of the key that it replaces.
//!
//! Saves of one key in one isolate share its lane ([`isolate`](crate::isolate)). Concurrent ones share a put.
//!
//! | state | reply | next | guaranteed afterwards |
//! | --- | --- | --- | --- |
//! | `Start` | `Start` | `Reading`; a new session: `Writing`; a new key of a known family: `ReadingFamily` | |
//! | `ReadingFamily` | `Values` | `Writing`; the session has ended: `Done(Err)` | no key joins a session that is seen to have ended |
//! | `Reading` | `Values` | the session has ended: `Done(Err)` | nothing is written over a tombstone |
//! | `Reading` | `Values` | the lane is free: `Writing`; it is not: `Joined` or `Holding` | the put contains the newest known record |
//! | `Holding` | `Waited` | `Reading` | a login contains the saves that were in flight under the old key |
//! | `Joined` | `Waited` | acknowledged: as after `Writing`; due: `Writing`; failed: `Reading` | |
//! | `Writing` | `Written` | `Revoking`, or `Done(Ok)` | the record is stored, with the changes of every member of the group |
//! | `Writing` | `Written`, but so late that other saves went on without it | `Reading`, and after the last attempt as above | |
//! | `Writing` | `Unavailable` | `Pausing`, or `Done(Err)` after the last attempt | |
//! | `Pausing` | `Waited` | `Reading`: the put may have been applied | |
//! | `Revoking` | `Written`, or acknowledged to another request of the isolate | `Deleting`, or `Done(Ok)` | the old key opens no session after the documented bound |
//! | `Revoking` | `Unavailable` | `PausingToRevoke` once, then `Deleting` | |
//! | `PausingToRevoke` | `Waited` | `Revoking` | |
//! | `Deleting` | any | `Done(Ok)` | |
//!
//! On a linearizable store, a save is a [`ConditionalSave`] instead.

mod base;
mod conditional;
mod group;
mod in_cookie;
mod put;
mod rotation;

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;

use super::enlist::{self, Following};
use super::{Reply, Step};
use super::{revoke, sealing};
use crate::error::{Error, ErrorKind, Result};
use crate::isolate::{IsolateMemory, Revocation, Ticket};
use crate::session::event::EventKind;
use crate::session::identity::{Identity, Tag};
use crate::session::key_state::KeyState;
use crate::session::load_reason::LoadReason;
use crate::session::record_header::RecordHeader;
use crate::session::saving::Group;
use crate::session::session::{FlushState, Session};
use conditional::ConditionalSave;
use rotation::deleted;

/// The pause before a retry, in milliseconds: KV accepts one write per second and key. Part of it is random, so that two requests
/// that collided do not collide again.
const PAUSE: u64 = 1_000;
const SPREAD: u64 = 256;
const PAUSE_MILLIS: i64 = 1_000;

/// The number of puts of a save before it fails.
const MAX_ATTEMPTS: u8 = 4;

/// How long a save waits for its put, and a login for the saves under the old key, in milliseconds.
const MAX_WAIT: u64 = 12_000;
const MAX_HOLD: u64 = 4_000;

/// The first and the longest pause between two polls of the lane, in milliseconds.
const FIRST_POLL: u64 = 5;
const LONGEST_POLL: u64 = 100;

/// The outcome of a save.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct SaveOutcome {
    /// After `cycle_key`: the old key could not be revoked, even by a retry. Until it expires, the old cookie still opens the
    /// session as it was.
    pub old_record_remains: bool,
}

/// Writes the session. Leaves Django's flags unchanged.
#[derive(Debug)]
pub struct Save {
    state: State,
    /// True if the session is unchanged: the save is skipped if another request has renewed it meanwhile.
    is_renewal: bool,
    /// The outcome, while the list of the user's sessions is changed.
    following: Following<SaveOutcome>,
}

/// The attempts of one save.
#[derive(Debug, Default)]
struct Attempt {
    /// The number of failed puts.
    failed: u8,
    /// How long the save has waited for its put, in milliseconds.
    waited: u64,
    /// The tag of the record. It stays the same as long as the content does.
    tag: Option<Tag>,
    /// The record of the last put, which may have been applied although it failed.
    sent: Option<SentRecord>,
    /// True if a put was acknowledged, but too late.
    is_stored: bool,
}

impl Attempt {
    /// Returns whether nothing was sent and nothing waited for.
    const fn is_first(&self) -> bool {
        self.failed == 0 && self.waited == 0 && self.sent.is_none()
    }
}

/// A record that was put.
#[derive(Debug)]
enum SentRecord {
    Alone(Box<(RecordHeader, i64)>),
    Group(Rc<Group>),
}

#[derive(Debug, Default)]
enum State {
    Start,
    Reading(Box<Attempt>),
    /// Reads the tombstone of a new key that joins the family of another one.
    ReadingFamily(Box<Attempt>),
    Holding(Box<Attempt>),
    Joined {
        attempt: Box<Attempt>,
        ticket: Ticket,
    },
    Writing {
        attempt: Box<Attempt>,
        ticket: Ticket,
        sent: SentRecord,
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
    /// On a linearizable store.
    Conditional(ConditionalSave),
    #[default]
    Failed,
}

type NextStep = Step<Result<SaveOutcome>>;

impl Default for Save {
    fn default() -> Self {
        Self { state: State::Start, is_renewal: false, following: None }
    }
}

impl Save {
    /// Creates the save of an unchanged session.
    pub(crate) fn renewal() -> Self {
        Self { is_renewal: true, ..Self::default() }
    }

    /// Takes the reply to the last step, [`Reply::Start`] first, and returns the next one.
    pub fn step(&mut self, session: &mut Session, memory: &IsolateMemory, reply: Reply) -> NextStep {
        if let Some(ended) = self.following.take() {
            return enlist::advance(&mut self.following, ended, session, memory, reply);
        }
        if matches!(reply, Reply::Start)
            && let Err(error) = session.renew_link()
        {
            return Step::Done(Err(error));
        }
        let reply = sealing::open(session, reply);
        let step = self.advance(session, memory, reply);
        let step = sealing::seal(session, step);
        enlist::follow(&mut self.following, session, memory, step)
    }

    pub(in crate::protocol) fn advance(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        reply: Reply,
    ) -> NextStep {
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
                self.put_acknowledged(session, memory, attempt, ticket, sent)
            }
            // The conflict is with an earlier attempt of this save: no other request knows this key.
            (State::Writing { attempt, ticket, sent }, Reply::Conflict) if attempt.sent.is_some() => {
                self.put_acknowledged(session, memory, attempt, ticket, sent)
            }
            (State::Writing { ticket, .. }, Reply::Conflict) => {
                if let Some(identity) = session.key.identity() {
                    memory.withdraw_put(&session.record_key(identity), ticket);
                }
                Err(Error::new(ErrorKind::KeyTaken, "there is a record under the session's new key"))
            }
            (State::Writing { attempt, ticket, sent }, Reply::Unavailable(error)) => {
                self.retry(session, memory, attempt, ticket, sent, error)
            }
            (State::Revoking { old, .. }, Reply::Written) => {
                let cycled = Revocation::Cycled { at: session.clock.latest_millis() };
                memory.acknowledge_revocation(&session.tombstone_key(&old), cycled);
                Ok(self.revoked(session, memory, &old))
            }
            (State::Revoking { old, again: false }, Reply::Unavailable(_)) => {
                self.state = State::PausingToRevoke(old);
                Ok(Step::Wait(pause(session)))
            }
            (State::Revoking { old, again: true }, Reply::Unavailable(_)) => {
                let tombstone = session.tombstone_key(&old);
                let is_revoked = memory.is_revoked(&tombstone, session.clock.latest_millis());
                Ok(if is_revoked {
                    Step::Done(Ok(SaveOutcome::default()))
                } else {
                    self.delete(session, memory, &old, true)
                })
            }
            (State::PausingToRevoke(old), Reply::Waited) => Ok(self.revoke(session, memory, old, true)),
            (State::Deleting { old_remains }, reply) => Ok(deleted(session, old_remains, &reply)),
            (State::Conditional(save), reply) => self.step_conditional(session, save, reply),
            (_, Reply::Unavailable(error)) => Err(error),
            _ => Err(Error::unexpected_reply()),
        };
        next.unwrap_or_else(|error| self.fail(session, memory, error))
    }

    fn fail(&mut self, session: &mut Session, memory: &IsolateMemory, error: Error) -> NextStep {
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

    fn start(&mut self, session: &mut Session, memory: &IsolateMemory) -> Result<NextStep> {
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
            // A copy of a session that is not visible yet would replace it without its data.
            return Err(Error::stale()); // mutation: not-visible-is-refused
        }
        if session.settings.is_in_cookie() {
            return in_cookie::save(session);
        }
        if session.settings.is_linearizable() {
            return self.step_conditional(session, ConditionalSave::default(), Reply::Start);
        }
        self.look(session, memory, Box::default())
    }

    fn step_conditional(&mut self, session: &mut Session, mut save: ConditionalSave, reply: Reply) -> Result<NextStep> {
        let step = save.step(session, self.is_renewal, reply)?;
        if !matches!(step, Step::Done(_)) {
            self.state = State::Conditional(save);
        }
        Ok(step)
    }

    /// Reads the current record and its tombstones. A new session is written without a read: KV would cache the miss.
    fn look(&mut self, session: &mut Session, memory: &IsolateMemory, attempt: Box<Attempt>) -> Result<NextStep> {
        let settings = &session.settings;
        // mutation: blind-put
        let Some(origin) = session.key.origin() else {
            let Some(identity) = session.key_of_known_family() else { return self.write(session, memory, attempt) };
            let both = core::iter::once(identity).chain(session.rotated_from());
            let keys = both.map(|identity| session.tombstone_key(identity)).collect();
            self.state = State::ReadingFamily(attempt);
            return Ok(Step::Read(keys));
        };
        if attempt.is_first()
            && let Some(record) = session.record_just_read()
        {
            return self.build(session, memory, attempt, vec![Some(record)]);
        }
        let mut keys = vec![session.record_key(origin), session.tombstone_key(origin)];
        if session.key.is_new() && origin.is_anonymous() {
            keys.push(revoke::successor_tombstone(settings, origin));
        }
        self.state = State::Reading(attempt);
        Ok(Step::Read(keys))
    }

    /// Puts the record of a new key that joins a family, unless the family has ended meanwhile.
    fn join_family(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        attempt: Box<Attempt>,
        values: &[Option<Vec<u8>>],
    ) -> Result<NextStep> {
        session.clock.revocation_checked();
        let Some(identity) = session.key.identity() else { return Err(Error::unexpected_reply()) };
        let (key, now) = (session.tombstone_key(identity), session.clock.latest_millis());
        let mut tombstones = values.iter().map(Option::as_deref);
        let tombstone = tombstones.next().flatten();
        if let Some((old, replaced)) = session.rotated_from().zip(tombstones.next().flatten()) {
            let old = session.tombstone_key(old);
            let revocation = Revocation::read(replaced);
            memory.mark(&old, revocation, now);
            memory.acknowledge_revocation(&old, revocation);
        }
        match revoke::revocation(memory, &key, tombstone, now) {
            None => self.write(session, memory, attempt),
            Some(revocation) if revocation.is_superseding(now) => Err(Error::superseded()),
            Some(_) => Err(Error::interrupted()),
        }
    }
}

impl Session {
    /// Returns the new key if it replaces none and its family is known from the request: a copy, or a second login.
    fn key_of_known_family(&self) -> Option<&Identity> {
        let identity = self.key.identity().filter(|_| self.settings.reads_tombstones())?;
        let mut known = self.incoming.identities();
        known.any(|other| other.key.family() == identity.key.family()).then_some(identity)
    }

    /// Returns the key of the request's cookie, if the new one is a rotation of it.
    fn rotated_from(&self) -> Option<&Identity> {
        let identity = self.key.identity()?;
        let is_older =
            |other: &&Identity| other.key.family() == identity.key.family() && other.rotations < identity.rotations;
        self.incoming.identities().find(is_older)
    }

    /// Returns the record that the session was loaded with, if no time has passed since: another read would show the same. The clock
    /// of a Worker does not advance unless it waits for I/O.
    fn record_just_read(&self) -> Option<Vec<u8>> {
        let is_plain = matches!(self.key, KeyState::Stored(_)) && self.load_reason() == LoadReason::Live;
        let is_loaded = self.stored.as_ref().is_some_and(|stored| stored.length.is_some() && stored.merged.is_none());
        // mutation: just-read
        let is_now = self.clock.since_revocation_check() == 0 && self.settings.reads_tombstones();
        // Data that were cleared have no record any more.
        if is_plain && is_loaded && is_now { self.loaded_record().filter(|record| !record.is_empty()) } else { None }
    }

    /// Returns whether a concurrent request has just rotated the key.
    fn is_superseded(&mut self) -> bool {
        self.load_reason() == LoadReason::Superseded
            && self.data().is_ok()
            && matches!(self.key, KeyState::Superseded { .. })
    }
}

/// Returns whether the save still has to wait for the lane. It reads nothing before the lane is free.
fn must_hold(session: &Session, memory: &IsolateMemory) -> bool {
    session.key.origin().is_some_and(|origin| {
        let key = session.record_key(origin);
        memory.is_taken(&key, session.key.is_new(), session.clock.latest_millis())
    })
}

/// Releases the lane of the key that a failed login would have replaced.
fn release(session: &Session, memory: &IsolateMemory) {
    if let Some(origin) = session.key.origin().filter(|_| session.key.is_new()) {
        memory.release(&session.record_key(origin));
    }
}

fn pause(session: &mut Session) -> u64 {
    let [spread, ..] = session.random.tag();
    PAUSE.saturating_add(u64::from(spread) % SPREAD)
}
