//! Load: from the `Cookie` header to a session, with what the store holds for it.
//!
//! | state | reply | next |
//! | --- | --- | --- |
//! | `Start` | `Start` | no token: `Done`; an ending token: `Ending`; otherwise `Reading` |
//! | `Ending` | `Written` | the logout has finished: as from `Start` without the ending token, whose cookie goes |
//! | `Ending` | `Unavailable` | `Done`: unavailable, so that nothing is created |
//! | `Reading` | `Values` | the session: `Done`; no session: `Reading` under the next cookie name, or `Done` |
//! | `Reading` | `Values` | a key without a token: `ReadingTombstones`; a rotated key: `ReadingSuccessor` |
//! | `ReadingTombstones` | `Values` | `Done`, or `ReadingSuccessor` |
//! | `ReadingSuccessor` | `Values` | `Done`: superseded, or revoked if the login that replaced it has ended |
//! | any that reads | `Unavailable` | `Done`: the error is kept until the first access |
//!
//! Nothing is written but the tombstones of an ending token, and nothing in a cookie is an error.

use alloc::sync::Arc;
use alloc::vec::Vec;

use chrono::{DateTime, Utc};

use super::freshness::{self, Freshness};
use super::isolate::IsolateMemory;
use super::revoke::{self, Reach, Revocation};
use super::{Reply, Step};
use crate::cookie::header::find_cookies;
use crate::cookie::token::{self, Token};
use crate::error::Error;
use crate::session::deadline::Deadline;
use crate::session::event::EventKind;
use crate::session::identity::Identity;
use crate::session::incoming::{Incoming, SessionToken};
use crate::session::key::SessionKey;
use crate::session::key_state::KeyState;
use crate::session::load_reason::LoadReason;
use crate::session::load_state::FetchOutcome;
use crate::session::record::{self, Decoded, Record};
use crate::session::session::{Session, Stored};
use crate::session::storage_key::StorageKey;
use crate::settings::{CookieSlot, Settings};

/// More distinct tokens of one name than this name no session.
const MAX_TOKENS: usize = 2;

/// How many rotations of a key without a record and a token are looked up.
pub(super) const MAX_SEARCHED: u16 = 8;

/// Which keys an ending token ends.
const ENDING_REACH: Reach = Reach { ahead: 1, anonymous: false }; // mutation: ending-reach

/// The session that a request's `Cookie` header names, not loaded yet.
///
/// Unverifiable cookies are ignored. A token counts under the name only that its session travels under.
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
            match token::verify(&settings, value) {
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

/// Adds a token, or replaces an older one of the same session: of the keys of a family, the one that was rotated most counts.
/// The session under a session key, outside of a request, not loaded yet. A malformed key, and none, yield a new session.
#[must_use]
pub fn session_of_key(settings: Arc<Settings>, now: DateTime<Utc>, seed: [u8; 32], key: Option<&str>) -> Session {
    // Without a token there is no absolute deadline and no last save.
    let identity = |key| Identity { key, rotations: 0, absolute: Deadline::NEVER };
    Session::begin(settings, now, seed, Incoming::of_key(key.and_then(SessionKey::parse).map(identity)))
}

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
    /// The place of the next name's tokens in [`Incoming::tokens`].
    next: usize,
    /// The outcome under the first name that had a token.
    first: Option<(usize, FetchOutcome)>,
}

#[derive(Debug, Default)]
enum State {
    Start,
    Ending,
    /// The places of one name's tokens, for each of which record and tombstone are read.
    Reading(Vec<usize>),
    /// The record of a session that was opened by its key, and the rotations of the first tombstone that is read.
    ReadingTombstones {
        record: Option<Vec<u8>>,
        first: u16,
    },
    /// The tombstone of the key that replaced this one; the anonymous record, if that is what it was.
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
        match (core::mem::take(&mut self.state), reply) {
            (State::Start, Reply::Start) => self.start(session, memory),
            (State::Ending, Reply::Written) => {
                session.report(EventKind::Flushed);
                session.incoming.has_ended = true;
                self.next_name(session)
            }
            (State::Reading(tokens), Reply::Values(values)) if tokens.is_empty() => {
                self.opened(session, memory, values)
            }
            (State::Reading(tokens), Reply::Values(values)) => self.tokens_read(session, memory, tokens, values),
            (State::ReadingTombstones { record, first }, Reply::Values(values)) => {
                self.tombstones_read(session, memory, record, first, values)
            }
            (State::ReadingSuccessor(record), Reply::Values(values)) => {
                let tombstone = values.first().and_then(Option::as_deref);
                done(session, superseded(session, memory, record, tombstone))
            }
            (state, Reply::Unavailable(error)) => unavailable(session, state, error),
            _ => done(session, FetchOutcome::Unavailable(Error::unexpected_reply())),
        }
    }

    fn start(&mut self, session: &mut Session, memory: &IsolateMemory) -> Step<()> {
        let settings = Arc::clone(&session.settings);
        // mutation: ending-token-read
        if let Some(identity) = session.incoming.ending.clone() {
            let mut ops = revoke::ended(&settings, &identity, ENDING_REACH, session.now());
            for op in &ops {
                memory.mark(op.key(), Revocation::Ended, session.clock.latest_millis());
            }
            memory.forget(&revoke::record_key(&settings, &identity));
            ops.push(revoke::delete(&settings, &identity));
            self.state = State::Ending;
            return Step::Write(ops);
        }
        if let Some(identity) = session.incoming.opened.clone() {
            let key = revoke::record_key(&settings, &identity);
            session.key = KeyState::Stored(identity);
            self.state = State::Reading(Vec::new());
            return Step::Read(vec![key]);
        }
        self.next_name(session)
    }

    /// Reads what is stored for the tokens of the next name.
    fn next_name(&mut self, session: &mut Session) -> Step<()> {
        while let Some(first) = session.incoming.tokens.get(self.next) {
            let slot = CookieSlot::of(&first.identity);
            let (mut live, mut keys) = (Vec::new(), Vec::new());
            for (place, token) in session.incoming.tokens.iter().enumerate().skip(self.next) {
                if CookieSlot::of(&token.identity) != slot {
                    break;
                }
                self.next = place.saturating_add(1);
                // Neither costs a read: one has ended for certain, the other is a session of another deployment.
                // mutation: deadline-of-token
                let reason = if token.identity.absolute.has_passed(session.now()) {
                    LoadReason::Expired
                } else if !token.same_prefix {
                    LoadReason::OtherSettings
                } else {
                    live.push(place);
                    keys.extend(keys_of(&session.settings, &token.identity));
                    continue;
                };
                self.first.get_or_insert((place, FetchOutcome::Nothing(reason)));
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

    /// Takes the one token that opens a session. Where none does, the other name counts; where two do, neither.
    fn tokens_read(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        places: Vec<usize>,
        mut values: Vec<Option<Vec<u8>>>,
    ) -> Step<()> {
        session.clock.revocation_checked();
        let each = if session.settings.check_ended { 2 } else { 1 };
        let mut found: Option<(usize, FetchOutcome)> = None;
        // From the last one on, so that what the first one leaves on the session stays there.
        for place in places.into_iter().rev() {
            let mut values = values.split_off(values.len().saturating_sub(each)).into_iter();
            let (record, tombstone) = (values.next().flatten(), values.next().flatten());
            let (opened, stored) = (session.key.identity().cloned(), session.stored.take());
            session.adopt(place);
            let fetched = fetch(session, memory, record, tombstone.as_deref());
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
            Some((_, fetched)) if !is_over(&fetched) => self.judged(session, fetched), // mutation: next-name
            found => {
                self.first = self.first.take().or(found);
                self.next_name(session)
            }
        }
    }

    /// The record of a key that was given without a token says which tombstone ends it. Where the key was rotated, its record is
    /// gone: then the tombstones of the family say how far the rotations have come.
    fn opened(&mut self, session: &mut Session, memory: &IsolateMemory, mut values: Vec<Option<Vec<u8>>>) -> Step<()> {
        let bytes = values.pop().flatten();
        let Some(identity) = session.key.identity() else {
            return done(session, FetchOutcome::Nothing(LoadReason::Unknown));
        };
        let key = revoke::record_key(&session.settings, identity);
        let newest = memory.newest(&key, bytes.clone(), session.clock.latest_millis());
        let head = newest.bytes.as_deref().and_then(record::head);
        // mutation: rotations-searched
        let rotations = head.map_or(0..MAX_SEARCHED, |head| head.rotations..head.rotations.saturating_add(1));
        let tombstone =
            |rotations| revoke::tombstone_key(&session.settings, &Identity { rotations, ..identity.clone() });
        let keys = rotations.clone().map(tombstone).collect();
        self.state = State::ReadingTombstones { record: bytes, first: rotations.start };
        Step::Read(keys)
    }

    /// Takes the last tombstone that was found for the one that ends the key.
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
        let fetched = fetch(session, memory, record, tombstone.as_deref());
        self.judged(session, fetched)
    }

    fn judged(&mut self, session: &mut Session, fetched: FetchOutcome) -> Step<()> {
        let FetchOutcome::Superseded(record) = fetched else { return done(session, fetched) };
        let Some(identity) = session.key.identity() else { return done(session, FetchOutcome::Superseded(None)) };
        let key = successor_tombstone(&session.settings, identity);
        self.state = State::ReadingSuccessor(record);
        Step::Read(vec![key])
    }
}

fn done(session: &mut Session, fetched: FetchOutcome) -> Step<()> {
    session.set_loaded(fetched);
    Step::Done(())
}

/// The store did not answer: the session keeps its key and the browser its cookies, whatever they turn out to be.
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

/// The storage keys that a load of `identity` reads.
fn keys_of(settings: &Settings, identity: &Identity) -> impl Iterator<Item = StorageKey> {
    let tombstone = settings.check_ended.then(|| revoke::tombstone_key(settings, identity));
    core::iter::once(revoke::record_key(settings, identity)).chain(tombstone)
}

/// Whether a token with this outcome opens no session, so that another cookie may.
const fn is_over(fetched: &FetchOutcome) -> bool {
    use LoadReason::{Corrupt, Expired, Revoked, Unknown};
    matches!(fetched, FetchOutcome::Nothing(Corrupt | Expired | Revoked | Unknown) | FetchOutcome::Record(Expired, _))
}

/// The tombstone that a logout of the successor of this key would have put.
pub(super) fn successor_tombstone(settings: &Settings, identity: &Identity) -> StorageKey {
    StorageKey::tombstone(&settings.key_prefix, identity.key.family(), identity.rotations.saturating_add(1))
}

/// A rotated key: a second login may still join its family, unless the first one has ended.
fn superseded(
    session: &Session,
    memory: &IsolateMemory,
    record: Option<Record>,
    tombstone: Option<&[u8]>,
) -> FetchOutcome {
    let Some(identity) = session.key.identity() else { return FetchOutcome::Superseded(None) };
    let key = successor_tombstone(&session.settings, identity);
    match revoke::revocation(memory, &key, tombstone, session.clock.latest_millis()) {
        Some(Revocation::Ended) => FetchOutcome::Nothing(LoadReason::Revoked), // mutation: login-after-superseded
        Some(Revocation::Cycled { .. }) | None => FetchOutcome::Superseded(record),
    }
}

/// Judges what is stored for the session's key.
fn fetch(
    session: &mut Session,
    memory: &IsolateMemory,
    bytes: Option<Vec<u8>>,
    tombstone: Option<&[u8]>,
) -> FetchOutcome {
    let Some(identity) = session.key.identity() else { return FetchOutcome::Nothing(LoadReason::New) };
    let now = session.clock.latest_millis();
    let key = revoke::tombstone_key(&session.settings, identity);
    let record_key = revoke::record_key(&session.settings, identity);
    let is_anonymous = identity.is_anonymous();
    let revocation = revoke::revocation(memory, &key, tombstone, now); // mutation: tombstone-loaded
    if revocation.is_some_and(|revocation| !revocation.is_superseding(now)) {
        return FetchOutcome::Nothing(LoadReason::Revoked);
    }
    let newest = memory.newest(&record_key, bytes, now); // mutation: memory-of-load
    let limit = newest.limit(session.settings.max_record_bytes);
    let bytes = newest.bytes;
    if revocation.is_some() {
        // mutation: superseded-record
        let record = bytes.filter(|_| is_anonymous).map(|bytes| record::decode_within(limit, bytes));
        let mut record = record.and_then(Decoded::record);
        if is_anonymous && record.is_none() && freshness::may_not_be_visible_yet(session) {
            return FetchOutcome::Nothing(LoadReason::NotYetVisible);
        }
        if let Some(record) = &mut record
            && freshness::classify(session, record) == Freshness::Stale
        {
            session.report(EventKind::MergedStale);
        }
        return FetchOutcome::Superseded(record);
    }
    if newest.merged.is_some() {
        session.report(EventKind::Diverged);
    }
    let mut record = match bytes.map(|bytes| record::decode_within(limit, bytes)) {
        Some(Decoded::Record(record)) => record,
        other => {
            let reason = match other {
                Some(Decoded::TooLarge) => LoadReason::OtherSettings,
                Some(Decoded::Newer) => LoadReason::NewerVersion,
                Some(Decoded::Corrupt | Decoded::Record(_)) => LoadReason::Corrupt,
                None if freshness::may_not_be_visible_yet(session) => LoadReason::NotYetVisible,
                None => LoadReason::Unknown,
            };
            return FetchOutcome::Nothing(reason);
        }
    };
    let is_over = record.head.end().has_passed(session.now());
    let reason = match freshness::classify(session, &mut record) {
        // What is not visible yet may have given it a longer life.
        // mutation: renewal-not-visible
        Freshness::Repaired | Freshness::Stale if is_over => return FetchOutcome::Nothing(LoadReason::NotYetVisible),
        _ if is_over => LoadReason::Expired,
        Freshness::Fresh => LoadReason::Live,
        Freshness::Repaired => LoadReason::StaleRepaired,
        Freshness::Stale => LoadReason::Stale,
        Freshness::Lost => LoadReason::Lost,
    };
    let complete = reason != LoadReason::StaleRepaired;
    session.stored = Some(Stored { head: record.head.clone(), complete, merged: newest.merged });
    FetchOutcome::Record(reason, record)
}
