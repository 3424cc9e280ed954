//! Load: from the `Cookie` header to a session, with its record from the store.
//!
//! | state | reply | next |
//! | --- | --- | --- |
//! | `Start` | `Start` | no token: `Done`; an ending token: `Ending`; otherwise `Reading` |
//! | `Ending` | `Written` | the flush has completed: as from `Start` without the ending token, whose cookie is deleted |
//! | `Ending` | `Unavailable` | `Done`: unavailable, so that no session is created |
//! | `Reading` | `Values` | the session: `Done`; no session: `Reading` under the next cookie name, or `Done` |
//! | `Reading` | `Values` | a key without a token: `ReadingTombstones`; a rotated key: `ReadingSuccessor` |
//! | `Reading` | `Values` | a key without a token that the new store does not have: `ReadingOld` |
//! | `ReadingOld` | `Values` | `ReadingTombstones` |
//! | `ReadingTombstones` | `Values` | `Done`, or `ReadingSuccessor` |
//! | `ReadingLogin` | `Values` | `Done`: superseded, or revoked if that login has ended |
//! | `ReadingSuccessor` | `Values` | `Done`: superseded, or revoked if the login that replaced it has ended |
//! | any that reads | `Unavailable` | `Done`: the first access returns the error |
//!
//! A load writes only to complete the flush of an ending token. No cookie is an error.

use alloc::sync::Arc;
use alloc::vec::Vec;

use chrono::{DateTime, Utc};

use super::eventual;
use super::linearizable;
use super::revoke::{self, Reach};
use super::sealing;
use super::{Reply, Step};
use crate::cookie::header::find_cookies;
use crate::cookie::token::{self, Token};
use crate::error::Error;
use crate::isolate::{IsolateMemory, Revocation};
use crate::session::deadline::Deadline;
use crate::session::event::EventKind;
use crate::session::identity::Identity;
use crate::session::incoming::{Incoming, SessionToken};
use crate::session::key::SessionKey;
use crate::session::key_state::KeyState;
use crate::session::load_reason::LoadReason;
use crate::session::load_state::FetchOutcome;
use crate::session::record::{self, Record};
use crate::session::session::Session;
use crate::session::storage_key::StorageKey;
use crate::settings::{Consistency, CookieSlot, Settings};

/// The maximum number of distinct tokens under one cookie name. If there are more, all of them are ignored.
const MAX_TOKENS: usize = 2;

/// The number of rotations that are searched for a key without a record and a token.
pub(super) const MAX_SEARCHED: u16 = 8;

/// The rotations that an ending token revokes.
const ENDING_REACH: Reach = Reach { ahead: 1, anonymous: false }; // mutation: ending-reach

/// Returns the session of a request's `Cookie` header, not loaded yet.
///
/// Unverifiable cookies are ignored. A token counts only under the cookie name of its kind of session.
#[must_use]
pub fn session_from_cookie_header(
    settings: Arc<Settings>,
    now: DateTime<Utc>,
    seed: [u8; 32],
    cookie_header: &[u8],
) -> Session {
    let mut incoming = Incoming::default();
    let found = find_cookies(cookie_header, CookieSlot::ALL.map(|slot| settings.name_of(slot)));
    for (slot, found) in CookieSlot::ALL.into_iter().zip(found) {
        if found.presented {
            incoming.present(slot);
        }
        let first = incoming.tokens.len();
        for value in found.values {
            match token::unseal(&settings, value) {
                // mutation: name-of-token
                Some(Token::Session(token)) if CookieSlot::of(&token.identity) == slot => {
                    add(&mut incoming.tokens, token)
                }
                Some(Token::Ending(identity)) if slot == CookieSlot::Rotated => incoming.ending = Some(identity),
                _ => {}
            }
        }
        if incoming.tokens.len().saturating_sub(first) > MAX_TOKENS {
            incoming.tokens.truncate(first);
        }
    }
    Session::begin(settings, now, seed, incoming)
}

/// Returns the session under a session key, outside of a request, not loaded yet. A malformed key or `None` yields a new session.
#[must_use]
pub fn session_of_key(settings: Arc<Settings>, now: DateTime<Utc>, seed: [u8; 32], key: Option<&str>) -> Session {
    // Without a token there is no absolute deadline and no last save.
    let identity = |key| Identity { key, rotations: 0, absolute: Deadline::NEVER };
    Session::begin(settings, now, seed, Incoming::of_key(key.and_then(SessionKey::parse).map(identity)))
}

/// Adds a token, or replaces an older one of the same session: of the keys of a family, the one with the most rotations counts.
fn add(tokens: &mut Vec<SessionToken>, token: SessionToken) {
    let age = |token: &SessionToken| (token.identity.rotations, token.position.issued);
    match tokens.iter_mut().find(|other| other.identity.key.family() == token.identity.key.family()) {
        Some(other) if age(other) < age(&token) => *other = token, // mutation: most-rotated-token
        Some(_) => {}
        None => tokens.push(token),
    }
}

/// Reads the session's record and its tombstone and stores the outcome on the session.
#[derive(Debug)]
pub struct Load {
    state: State,
    /// The index of the next name's tokens in [`Incoming::tokens`].
    next: usize,
    /// The outcome under the first name that had a token.
    first: Option<(usize, FetchOutcome)>,
}

#[derive(Debug, Default)]
enum State {
    Start,
    Ending,
    /// The indexes of one name's tokens. Record and tombstone of each are read.
    Reading(Vec<usize>),
    /// The record of a session that was opened by key, on the store that was used before.
    ReadingOld,
    /// The record of a session that was opened by key, and the rotations of the first tombstone that is read.
    ReadingTombstones {
        record: Option<Vec<u8>>,
        first: u16,
    },
    /// On a linearizable store: reads the record of the login that replaced this anonymous one.
    ReadingLogin(Record),
    /// Reads the tombstone of the key that replaced this one. Contains the record, if the key is anonymous.
    ReadingSuccessor(Option<Record>),
    #[default]
    Failed,
}

impl Default for Load {
    fn default() -> Self {
        Self { state: State::Start, next: 0, first: None }
    }
}

impl Load {
    /// Takes the reply to the last step, [`Reply::Start`] first, and returns the next one.
    pub fn step(&mut self, session: &mut Session, memory: &IsolateMemory, reply: Reply) -> Step<()> {
        let reply = sealing::open(session, reply);
        let step = self.advance(session, memory, reply);
        sealing::seal(session, step)
    }

    pub(super) fn advance(&mut self, session: &mut Session, memory: &IsolateMemory, reply: Reply) -> Step<()> {
        match (core::mem::take(&mut self.state), reply) {
            (State::Start, Reply::Start) => self.start(session, memory),
            (State::Ending, Reply::Written) => {
                session.report(EventKind::Flushed);
                session.incoming.has_ended = true;
                self.next_name(session, memory)
            }
            (State::Reading(tokens), Reply::Values(values)) if tokens.is_empty() => {
                if !session.settings.is_linearizable() {
                    return self.record_read(session, memory, values);
                }
                let is_missing = values.iter().all(Option::is_none);
                match session.key.identity().filter(|_| is_missing && session.settings.is_migrating()) {
                    Some(identity) => {
                        let key = session.old_record_key(identity);
                        self.state = State::ReadingOld;
                        Step::Read(vec![key])
                    }
                    None => {
                        let fetched = linearizable::evaluate_opened(session, values);
                        done(session, fetched)
                    }
                }
            }
            (State::ReadingOld, Reply::Values(values)) => self.record_read(session, memory, values),
            (State::Reading(tokens), Reply::Values(values)) => self.tokens_read(session, memory, tokens, values),
            (State::ReadingTombstones { record, first }, Reply::Values(values)) => {
                self.tombstones_read(session, memory, record, first, values)
            }
            (State::ReadingSuccessor(record), Reply::Values(values)) => {
                let tombstone = values.first().and_then(Option::as_deref);
                done(session, eventual::superseded(session, memory, record, tombstone))
            }
            (State::ReadingLogin(record), Reply::Values(values)) => {
                let is_there = values.iter().any(Option::is_some);
                // mutation: login-has-ended
                let outcome = if is_there {
                    FetchOutcome::Superseded(Some(record))
                } else {
                    FetchOutcome::Nothing(LoadReason::Revoked)
                };
                done(session, outcome)
            }
            (state, Reply::Unavailable(error)) => unavailable(session, state, error),
            _ => done(session, FetchOutcome::Unavailable(Error::unexpected_reply())),
        }
    }

    fn start(&mut self, session: &mut Session, memory: &IsolateMemory) -> Step<()> {
        let settings = Arc::clone(&session.settings);
        if settings.is_in_cookie() && session.incoming.opened.is_some() {
            return done(session, FetchOutcome::Unavailable(Error::only_in_cookie()));
        }
        // mutation: ending-token-read
        if let Some(identity) = session.incoming.ending.clone() {
            let mut ops = revoke::ended(&settings, (&identity).into(), ENDING_REACH, session.now());
            for op in &ops {
                memory.mark(op.key(), Revocation::Ended, session.clock.latest_millis());
            }
            memory.forget(&session.record_key(&identity));
            ops.extend(revoke::deletions(&settings, (&identity).into(), false, session.now()));
            self.state = State::Ending;
            return Step::Write(ops);
        }
        if let Some(identity) = session.incoming.opened.clone() {
            let mut keys = vec![session.record_key(&identity)];
            if settings.is_linearizable() {
                // The key does not show whether it is that of a login.
                keys.push(session.record_key(&Identity { rotations: 1, ..identity.clone() }));
            }
            session.key = KeyState::Stored(identity);
            self.state = State::Reading(Vec::new());
            return Step::Read(keys);
        }
        self.next_name(session, memory)
    }

    /// Reads the records and tombstones for the tokens of the next name.
    fn next_name(&mut self, session: &mut Session, memory: &IsolateMemory) -> Step<()> {
        while let Some(first) = session.incoming.tokens.get(self.next) {
            let slot = CookieSlot::of(&first.identity);
            let (mut live, mut keys) = (Vec::new(), Vec::new());
            for (place, token) in session.incoming.tokens.iter().enumerate().skip(self.next) {
                if CookieSlot::of(&token.identity) != slot {
                    break;
                }
                self.next = place.saturating_add(1);
                // Neither costs a read: an expired session, and a session of another deployment.
                // mutation: deadline-of-token
                let reason = if token.identity.absolute.has_passed(session.now()) {
                    LoadReason::Expired
                } else if !token.same_prefix {
                    LoadReason::OtherSettings
                } else {
                    live.push(place);
                    keys.extend(keys_of(session, &token.identity));
                    continue;
                };
                self.first.get_or_insert((place, FetchOutcome::Nothing(reason)));
            }
            if !live.is_empty() && session.settings.is_in_cookie() {
                let record = |place: &usize| session.incoming.tokens.get(*place).map(|token| token.journal.clone());
                let records = live.iter().map(record).collect();
                return self.tokens_read(session, memory, live, records);
            }
            if !live.is_empty() {
                self.state = State::Reading(live);
                return Step::Read(keys);
            }
        }
        match self.first.take() {
            Some((place, fetched)) => {
                session.adopt(place);
                done(session, fetched)
            }
            None if session.incoming.has_ended => done(session, FetchOutcome::Nothing(LoadReason::Revoked)),
            None if session.incoming.is_presented() => done(session, FetchOutcome::Nothing(LoadReason::Malformed)),
            None => done(session, FetchOutcome::Nothing(LoadReason::New)),
        }
    }

    /// Selects the one token that opens a session. If none does, continues with the other name; if two do, selects neither.
    fn tokens_read(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        places: Vec<usize>,
        mut values: Vec<Option<Vec<u8>>>,
    ) -> Step<()> {
        session.clock.revocation_checked();
        let each = values.len().checked_div(places.len()).unwrap_or(1);
        let mut found: Option<(usize, FetchOutcome)> = None;
        // In reverse order, so that the session keeps the state of the first one.
        for place in places.into_iter().rev() {
            let mut values = values.split_off(values.len().saturating_sub(each)).into_iter();
            let is_eventual = session.settings.consistency == Consistency::Eventual;
            let current = if is_eventual { None } else { values.next().flatten() };
            let (record, tombstone) = (values.next().flatten(), values.next().flatten());
            let (opened, stored) = (session.key.identity().cloned(), session.stored.take());
            session.adopt(place);
            let is_old = is_eventual || session.settings.is_migrating() && current.is_none();
            let fetched = if !is_old {
                linearizable::evaluate(session, current)
            } else {
                eventual::evaluate(session, memory, record, tombstone.as_deref())
            };
            let is_live = |fetched: &FetchOutcome| !is_over(fetched) && !matches!(fetched, FetchOutcome::Superseded(_));
            match &found {
                // mutation: two-live-tokens
                Some((_, other)) if is_live(other) && is_live(&fetched) => {
                    session.key = KeyState::None;
                    return done(session, FetchOutcome::Nothing(LoadReason::Malformed));
                }
                Some((other, before)) if is_live(before) || (is_over(&fetched) && !is_over(before)) => {
                    session.adopt(*other);
                    session.stored = opened.and(stored);
                }
                _ => found = Some((place, fetched)),
            }
        }
        match found {
            Some((_, fetched)) if !is_over(&fetched) => self.finish(session, fetched), // mutation: next-name
            found => {
                self.first = self.first.take().or(found);
                self.next_name(session, memory)
            }
        }
    }

    /// Continues with a key without a token: its record contains the rotations, and so the tombstone to read. If the key was
    /// rotated, its record is gone: then the tombstones of the family show the number of rotations.
    fn record_read(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        mut values: Vec<Option<Vec<u8>>>,
    ) -> Step<()> {
        let bytes = values.pop().flatten();
        let Some(identity) = session.key.identity() else {
            return done(session, FetchOutcome::Nothing(LoadReason::Unknown));
        };
        let key = session.record_key(identity);
        let newest = memory.newest(&key, bytes.clone(), session.clock.latest_millis());
        let head = newest.bytes.as_deref().and_then(record::head);
        // mutation: rotations-searched
        let rotations = head.map_or(0..MAX_SEARCHED, |head| head.rotations..head.rotations.saturating_add(1));
        let tombstone = |rotations| revoke::tombstone_key(&session.settings, identity.key.family(), rotations);
        let keys = rotations.clone().map(tombstone).collect();
        self.state = State::ReadingTombstones { record: bytes, first: rotations.start };
        Step::Read(keys)
    }

    /// Evaluates the last tombstone that was found.
    fn tombstones_read(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        record: Option<Vec<u8>>,
        first: u16,
        tombstones: Vec<Option<Vec<u8>>>,
    ) -> Step<()> {
        let found = (first..).zip(tombstones).filter(|(_, tombstone)| tombstone.is_some()).last();
        let (rotations, tombstone) = found.unwrap_or((first, None));
        for identity in [session.incoming.opened.as_mut(), session.key.stored_mut()].into_iter().flatten() {
            identity.rotations = rotations;
        }
        let fetched = eventual::evaluate(session, memory, record, tombstone.as_deref());
        self.finish(session, fetched)
    }

    /// Finishes the load. For a superseded key, reads the tombstone of its successor first.
    fn finish(&mut self, session: &mut Session, fetched: FetchOutcome) -> Step<()> {
        if session.settings.consistency != Consistency::Eventual {
            return self.finish_linearizable(session, fetched);
        }
        let FetchOutcome::Superseded(record) = fetched else { return done(session, fetched) };
        let Some(identity) = session.key.identity() else { return done(session, FetchOutcome::Superseded(None)) };
        let key = revoke::successor_tombstone(&session.settings, identity);
        self.state = State::ReadingSuccessor(record);
        Step::Read(vec![key])
    }

    /// Finishes the load on a linearizable store. For a key that a login superseded, reads whether that login has ended.
    fn finish_linearizable(&mut self, session: &mut Session, fetched: FetchOutcome) -> Step<()> {
        let FetchOutcome::Superseded(Some(record)) = fetched else { return done(session, fetched) };
        match record.head.owner.as_ref().and_then(|owner| owner.next) {
            Some(family) => {
                self.state = State::ReadingLogin(record);
                Step::Read(vec![StorageKey::of_family(&session.settings.key_prefix, family, 1)])
            }
            None => done(session, FetchOutcome::Superseded(Some(record))),
        }
    }
}

fn done(session: &mut Session, fetched: FetchOutcome) -> Step<()> {
    session.set_loaded(fetched);
    Step::Done(())
}

/// Finishes the load after the store failed: the session keeps its key, and the browser its cookies.
fn unavailable(session: &mut Session, state: State, error: Error) -> Step<()> {
    if let State::Reading(places) = state
        && let Some(place) = places.first()
    {
        session.adopt(*place);
    }
    session.incoming.leave_alone();
    // mutation: store-unavailable
    done(session, FetchOutcome::Unavailable(error))
}

/// Returns the storage keys that a load of `identity` reads.
fn keys_of(session: &Session, identity: &Identity) -> impl Iterator<Item = StorageKey> {
    let is_migrating = session.settings.is_migrating();
    let old = is_migrating.then(|| session.old_record_key(identity));
    let reads_tombstone = session.settings.reads_tombstones() || is_migrating && session.settings.check_ended;
    let tombstone = reads_tombstone.then(|| session.tombstone_key(identity));
    core::iter::once(session.record_key(identity)).chain(old).chain(tombstone)
}

/// Returns whether a token with this outcome opens no session, so that another cookie may.
const fn is_over(fetched: &FetchOutcome) -> bool {
    use LoadReason::{Corrupt, Expired, Revoked, Unknown};
    matches!(fetched, FetchOutcome::Nothing(Corrupt | Expired | Revoked | Unknown) | FetchOutcome::Record(Expired, ..))
}
