//! Enlist: keeps the entry of a session in the list of its user's sessions, after a save or a visit.
//!
//! | state | reply | next | guaranteed afterwards |
//! | --- | --- | --- | --- |
//! | `Start` | `Start` | a new entry: `Putting`; otherwise `Reading` | |
//! | `Reading` | `Values` | the entry is good enough: `Done`; otherwise `Putting` | |
//! | `Putting` | `Written` | `Deleting`, or `Done(Ok)` | the session is in the list of its user |
//! | `Putting` | `Conflict` | a login: `Reading`; a visit: `Done(Ok)` | |
//! | `Reading`, `Putting` | `Unavailable` | a login: `Pausing`, and `Done(Err)` the second time; a visit: `Done(Ok)` | |
//! | `Pausing` | `Waited` | `Reading` | |
//! | `Deleting` | any | `Done(Ok)` | the session has left the list of another user |
//!
//! The record is put first, and the cookie is sent last: each session that a browser can open is in the list, also if a request ends
//! in between. An entry does not keep a session alive: a list shows only those whose record lives.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Reply, Step};
use crate::error::{Error, Result};
use crate::isolate::{HOUR, IsolateMemory, Visit};
use crate::session::deadline::Deadline;
use crate::session::key_state::KeyState;
use crate::session::listing::Entry;
use crate::session::session::Session;
use crate::session::storage_key::StorageKey;
use crate::session::user_entry::UserEntry;
use crate::session::user_link::UserLink;
use crate::store::{OnlyIf, Op};

/// The pause before a failed login's entry is put again, in milliseconds: KV accepts one write per second and key.
const PAUSE: u64 = 1_000;

/// The number of failures and conflicts of a login before it fails.
const MAX_ATTEMPTS: u8 = 3;

/// Puts or deletes the entry of a session.
#[derive(Debug)]
pub(super) struct Enlist {
    state: State,
    /// The session's link, its entry's storage key, and what the entry shall say.
    wanted: Option<(UserLink, StorageKey, Visit)>,
    attempts: u8,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    Start,
    Reading,
    Putting,
    Pausing,
    Deleting,
    #[default]
    Failed,
}

type NextStep = Step<Result<()>>;

/// An operation that has ended, whose result follows the change of the list.
pub(super) type Following<T> = Option<Box<(Enlist, T)>>;

/// Continues an operation with the change of the list, if it has ended and a change is needed.
pub(super) fn follow<T>(
    following: &mut Following<T>,
    session: &mut Session,
    memory: &IsolateMemory,
    step: Step<Result<T>>,
) -> Step<Result<T>> {
    match step {
        Step::Done(Ok(result)) => match Enlist::after(session, memory) {
            Some(enlist) => advance(following, Box::new((enlist, result)), session, memory, Reply::Start),
            None => Step::Done(Ok(result)),
        },
        step => step,
    }
}

/// Passes a reply to the change of the list.
pub(super) fn advance<T>(
    following: &mut Following<T>,
    mut ended: Box<(Enlist, T)>,
    session: &mut Session,
    memory: &IsolateMemory,
    reply: Reply,
) -> Step<Result<T>> {
    match ended.0.step(session, memory, reply) {
        Step::Done(Ok(())) => Step::Done(Ok(ended.1)),
        Step::Done(Err(error)) => Step::Done(Err(error)),
        step => {
            *following = Some(ended);
            step.map(|_| Err(Error::unexpected_reply()))
        }
    }
}

impl Enlist {
    /// Returns the change of the list that a session needs now, if any. Most sessions need none, and cost nothing here.
    fn after(session: &Session, memory: &IsolateMemory) -> Option<Self> {
        let is_login = session.listing.put.is_some() || session.listing.delete.is_some();
        if !is_login {
            let id = UserLink::id_in(session.link_text().filter(|_| session.accessed())?)?;
            let visit = visit(session)?;
            if memory.visit(id).is_some_and(|known| known.covers(&visit)) {
                return None;
            }
        }
        if session.differs_from_stored() {
            return None; // it was not saved
        }
        let wanted = session.user_link().and_then(|link| {
            let (key, visit) = (link.entry_key(&session.settings)?, visit(session)?);
            Some((link, key, visit))
        });
        Some(Self { state: State::Start, wanted, attempts: 0 })
    }

    /// Takes the reply to the last step, [`Reply::Start`] first, and returns the next one.
    fn step(&mut self, session: &mut Session, memory: &IsolateMemory, reply: Reply) -> NextStep {
        match (core::mem::take(&mut self.state), reply) {
            (State::Start, Reply::Start) if session.listing.put == Some(Entry::New) => self.put(session, None),
            (State::Start, Reply::Start) | (State::Pausing, Reply::Waited) => self.read(session),
            (State::Reading, Reply::Values(values)) => {
                self.entry_read(session, memory, values.into_iter().next().flatten())
            }
            (State::Putting, Reply::Written) => {
                if let Some((link, _, visit)) = &self.wanted {
                    memory.remember_visit(&link.id, *visit);
                }
                session.listing.put = None;
                self.delete(session)
            }
            (State::Putting, Reply::Conflict) if self.is_to_repeat(session) => self.read(session),
            (State::Reading | State::Putting, Reply::Unavailable(_)) if self.is_to_repeat(session) => {
                self.state = State::Pausing;
                Step::Wait(PAUSE)
            }
            // Without its entry, a login cannot be ended from elsewhere.
            // mutation: entry-of-login
            (State::Reading | State::Putting, Reply::Unavailable(error)) if session.listing.put.is_some() => {
                Step::Done(Err(error))
            }
            // Another request has put it, or a later visit will.
            (State::Reading | State::Putting, Reply::Conflict | Reply::Unavailable(_)) => self.delete(session),
            (State::Deleting, Reply::Written | Reply::Unavailable(_)) => {
                session.listing.delete = None;
                Step::Done(Ok(()))
            }
            _ => Step::Done(Err(Error::unexpected_reply())),
        }
    }

    /// Returns whether the put of a login's entry is to be tried again.
    const fn is_to_repeat(&mut self, session: &Session) -> bool {
        self.attempts = self.attempts.saturating_add(1);
        session.listing.put.is_some() && self.attempts < MAX_ATTEMPTS
    }

    fn read(&mut self, session: &mut Session) -> NextStep {
        let Some((_, key, _)) = &self.wanted else { return self.delete(session) };
        self.state = State::Reading;
        Step::Read(vec![key.clone()])
    }

    fn entry_read(&mut self, session: &mut Session, memory: &IsolateMemory, stored: Option<Vec<u8>>) -> NextStep {
        let Some((link, key, wanted)) = &self.wanted else { return self.delete(session) };
        let stored = stored.and_then(|bytes| UserEntry::decode(&session.settings, key, &bytes));
        if session.listing.put.is_none()
            && let Some(stored) = &stored
        {
            let known = visit_in(session, stored);
            if known.covers(wanted) {
                memory.remember_visit(&link.id, known);
                return self.delete(session);
            }
        }
        self.put(session, stored)
    }

    /// Puts the entry over the stored one.
    fn put(&mut self, session: &mut Session, stored: Option<UserEntry>) -> NextStep {
        let (Some((link, key, visit)), KeyState::Stored(identity)) = (&self.wanted, &session.key) else {
            return self.delete(session);
        };
        let before = stored.map(|entry| entry.generation);
        let entry = UserEntry {
            generation: before.unwrap_or_default().saturating_add(1),
            created: link.created,
            seen: visit.seen,
            end: Deadline(visit.end),
            family: identity.key.family(),
            digest: identity.key.digest(),
            rotations: identity.rotations,
            absolute: identity.absolute,
            label: link.label.clone(),
        };
        // The record may be renewed for an hour before the next put.
        let deadline = Deadline(visit.end.saturating_add(HOUR.saturating_mul(1_000)));
        let Some(value) = entry.encode(&session.settings, &mut session.random, key, deadline) else {
            return Step::Done(Err(Error::unexpected_reply()));
        };
        let ttl = u64::try_from(deadline.seconds_from(session.now())).unwrap_or_default().max(1);
        // During a migration, the entry may be in the store that was used before.
        let only_if = match before {
            _ if session.settings.is_migrating() => OnlyIf::Any,
            Some(generation) => OnlyIf::Generation(generation),
            None => OnlyIf::Absent,
        };
        self.state = State::Putting;
        let generation = entry.generation;
        Step::Write(vec![Op::Put { key: key.clone(), value, ttl, deadline: deadline.0, generation, only_if }])
    }

    /// Deletes the entry in the list of another user, if there is one.
    fn delete(&mut self, session: &Session) -> NextStep {
        match &session.listing.delete {
            Some(key) => {
                self.state = State::Deleting;
                Step::Write(vec![Op::Delete { key: key.clone() }])
            }
            None => Step::Done(Ok(())),
        }
    }
}

/// Returns what the entry of a session should say after a visit now. `None` if the session is not stored.
fn visit(session: &Session) -> Option<Visit> {
    let KeyState::Stored(identity) = &session.key else { return None };
    let end = session.stored.as_ref()?.head.end().0;
    Some(Visit { seen: session.clock.latest_millis(), end, rotations: rotations_of(session, identity.rotations) })
}

/// Returns what a stored entry says.
fn visit_in(session: &Session, entry: &UserEntry) -> Visit {
    Visit { seen: entry.seen, end: entry.end.0, rotations: rotations_of(session, entry.rotations) }
}

/// On a linearizable store, all rotations of a login have one record.
fn rotations_of(session: &Session, rotations: u16) -> u16 {
    if session.settings.is_linearizable() { rotations.min(1) } else { rotations }
}
