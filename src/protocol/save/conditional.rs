//! Save on a linearizable store: one put, which applies only if the stored record is the one that the session was loaded from.
//!
//! | state | reply | next | guaranteed afterwards |
//! | --- | --- | --- | --- |
//! | `Start` | `Start` | `Putting` | |
//! | `Putting` | `Written` | `Done(Ok)`; a login: `Retiring` | the record contains every acknowledged save |
//! | `Putting` | `Conflict` | `Reading` | |
//! | `Reading` | `Values` | the record is this save's: as after `Written`; it is another login's: `Putting` under a key of another family | |
//! | `Reading` | `Values` | `Putting`; the session has ended or its key was rotated: `Done(Err)` | |
//! | `Putting` | `Unavailable` | `Pausing`, unless too many have failed | |
//! | `Pausing` | `Waited` | `Putting`: a new record under another key, the same put otherwise | no put that is applied late revives a session |
//! | `Retiring` | `Unavailable` | `Retiring`, unless too many have failed | |
//! | `Retiring` | `Written` | `Done(Ok)` | the old key opens nothing |
//! | `Retiring` | `Conflict` | `ReadingOld` | |
//! | `ReadingOld` | `Values` | changed: `Putting`; retired: `Done(Ok)`; it is gone: `Withdrawing` | |
//! | `Retiring`, `ReadingOld` | `Unavailable` | `Withdrawing` | |
//! | `Withdrawing` | any | `Done(Err)` | no login outlives the logout of its session |
//! | any other | `Unavailable` | `Done(Err)`: the put may have been applied | |

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::put::record_of;
use super::{NextStep, SaveOutcome};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::linearizable::{self, Claim};
use crate::protocol::{Reply, Step, revoke};
use crate::session::data::Data;
use crate::session::deadline::Deadline;
use crate::session::event::EventKind;
use crate::session::identity::{Identity, Tag};
use crate::session::key_state::KeyState;
use crate::session::load_reason::LoadReason;
use crate::session::record::{self, Decoded, Record};
use crate::session::record_header::{Owner, RecordHeader};
use crate::session::session::{Session, Stored};
use crate::store::{OnlyIf, Op};

/// The number of failed puts of a save before it fails.
const MAX_ATTEMPTS: u8 = 3;

/// The shortest pause before a failed put is repeated, and the spread of its random part, in milliseconds.
const PAUSE: u64 = 50;
const SPREAD: u64 = 128;

/// The number of conflicts after which a save fails. Each of them means that another save was stored.
const MAX_CONFLICTS: u8 = 32;

/// How long the anonymous record is kept after a login, in seconds: longer than requests with its key count as superseded, and a
/// second login takes.
const RETIRED: i64 = 600;

/// A save on a linearizable store.
#[derive(Debug, Default)]
pub(super) struct ConditionalSave {
    state: State,
    conflicts: u8,
    /// The generation of the record that this login has put.
    own: Option<u32>,
    /// The tag of the last put, which stays the same if it is repeated after a failure.
    tag: Option<Tag>,
    /// The number of puts that have failed.
    failed: u8,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Start,
    Putting(Sent),
    /// Contains the record whose put had a conflict.
    Reading(Option<Sent>),
    /// Puts the anonymous record of a login, which then opens nothing.
    Retiring(Sent),
    ReadingOld(Sent),
    /// Before a failed put is repeated.
    Pausing,
    /// Deletes the record of a login that fails with this error.
    Withdrawing(Error),
}

/// The header of a record that was put, and the time of the save in milliseconds of Unix time.
type Sent = Box<(RecordHeader, i64)>;

impl ConditionalSave {
    pub(super) fn step(&mut self, session: &mut Session, is_renewal: bool, reply: Reply) -> Result<NextStep> {
        match (core::mem::take(&mut self.state), reply) {
            (State::Start, Reply::Start) => {
                self.forget_missing(session)?;
                self.put(session)
            }
            (State::Putting(sent), Reply::Written) => self.retire(session, sent),
            (State::Putting(sent), Reply::Conflict) => self.read(session, Some(sent)),
            (State::Reading(sent), Reply::Values(values)) => self.merge(session, is_renewal, sent, values),
            (State::Putting(_), Reply::Unavailable(error))
                // mutation: repeated-put
                if !is_renewal && self.own.is_none() && self.may_repeat(&error) =>
            {
                if begins_record(session) {
                    // The first put may be applied later. Under this key it could revive a session that has ended meanwhile.
                    self.change_key(session)?; // mutation: key-of-repeated-put
                }
                self.state = State::Pausing;
                Ok(Step::Wait(pause(session)))
            }
            (State::Pausing, Reply::Waited) => {
                session.clock.catch_up();
                self.put(session)
            }
            (State::Retiring(sent), Reply::Written) => Ok(stored(session, *sent)),
            (State::Retiring(sent), Reply::Conflict) => self.read_old(session, sent),
            (State::Retiring(sent), Reply::Unavailable(error)) if self.may_repeat(&error) => self.retire(session, sent),
            (State::ReadingOld(sent), Reply::Values(values)) => self.merge_old(session, sent, values),
            (State::Retiring(_) | State::ReadingOld(_), Reply::Unavailable(error)) => self.withdraw(session, error),
            (State::Withdrawing(error), _) => Err(error),
            (_, Reply::Unavailable(error)) => Err(error),
            _ => Err(Error::unexpected_reply()),
        }
    }

    /// A login that replaces a session without a record, which was not accessed before, replaces nothing.
    fn forget_missing(&mut self, session: &mut Session) -> Result<()> {
        let is_missing = session.stored.is_none() && session.load_reason() != LoadReason::Superseded;
        if let KeyState::New { replaces: replaces @ Some(_), .. } = &mut session.key
            && is_missing
        {
            *replaces = None; // mutation: missing-record
            self.change_key(session)?;
        }
        Ok(())
    }

    /// Counts a failed put. Returns whether to repeat it.
    const fn may_repeat(&mut self, error: &Error) -> bool {
        self.failed = self.failed.saturating_add(1);
        self.failed < MAX_ATTEMPTS && !error.is_overloaded()
    }

    /// Puts the session's record.
    fn put(&mut self, session: &mut Session) -> Result<NextStep> {
        let tag = *self.tag.get_or_insert_with(|| session.random.tag());
        let limit = session.settings.max_record_bytes;
        let base = session.stored.as_ref().map(generation);
        if base.is_none() && !begins_record(session) {
            // The load found no record: the session has ended.
            return self.read(session, None); // mutation: conditional-revival
        }
        let has_expired = |stored: &Stored| stored.head.end().has_passed(session.now());
        if matches!(session.key, KeyState::Stored(_)) && session.stored.as_ref().is_some_and(has_expired) {
            // The store may keep a record for longer than it lives.
            return Err(Error::interrupted()); // mutation: expired-meanwhile
        }
        let (mut head, data, time) = session.next_record(tag)?;
        let value = record_of(limit, &mut head, data)?;
        let Some(identity) = session.key.identity() else { return Err(Error::unexpected_reply()) };
        let key = session.record_key(identity);
        let only_if = match (self.own, base) {
            (Some(generation), _) => OnlyIf::Generation(generation),
            // mutation: condition-of-save
            (None, Some(Some(generation))) if !begins_record(session) => OnlyIf::Generation(generation),
            (None, _) => OnlyIf::Absent,
        };
        let left = head.end().seconds_from(session.now());
        if left <= 0 && only_if == OnlyIf::Absent {
            // It has already expired: nothing is written.
            return self.retire(session, Box::new((head, time)));
        }
        let ttl = u64::try_from(left).unwrap_or_default().max(1);
        let generation = head.generation;
        let op = Op::Put { key, value, ttl, deadline: head.end().0, generation, only_if };
        self.state = State::Putting(Box::new((head, time)));
        Ok(Step::Write(vec![op]))
    }

    /// Reads the record, since the condition of the put did not hold.
    fn read(&mut self, session: &Session, sent: Option<Sent>) -> Result<NextStep> {
        self.conflicts = self.conflicts.saturating_add(1);
        if self.conflicts >= MAX_CONFLICTS {
            return Err(Error::new(ErrorKind::StoreUnavailable, "too many saves of this session at the same time"));
        }
        // Without a key, the load has found that the session has expired.
        let Some(identity) = session.key.identity() else { return Err(Error::interrupted()) };
        self.state = State::Reading(sent);
        Ok(Step::Read(vec![session.record_key(identity)]))
    }

    /// Applies the session's changes to the record that another save has stored.
    fn merge(
        &mut self,
        session: &mut Session,
        is_renewal: bool,
        sent: Option<Sent>,
        values: Vec<Option<Vec<u8>>>,
    ) -> Result<NextStep> {
        let record = current(session, values);
        let is_own = |sent: &Sent| record.as_ref().is_some_and(|record| record.head.tags == sent.0.tags);
        if let Some(sent) = sent.filter(is_own) {
            // The store has applied the put and tried it again.
            return self.retire(session, sent); // mutation: landed-conditionally
        }
        if begins_record(session) {
            return self.begin_elsewhere(session);
        }
        let Some(record) = record else { return Err(Error::interrupted()) };
        let Some(origin) = session.key.origin() else { return Err(Error::unexpected_reply()) };
        match linearizable::claim(&record.head, origin, session.clock.latest_millis()) {
            Claim::Current => {}
            Claim::Superseded => return Err(Error::superseded()),
            Claim::Revoked => return Err(Error::interrupted()),
        }
        self.tag = None;
        session.merge_onto(record, true, None)?;
        if is_renewal && !session.needs_write()? {
            // Another request has renewed the session meanwhile.
            return Ok(Step::Done(Ok(SaveOutcome::default())));
        }
        session.report(EventKind::Merged);
        self.put(session)
    }

    /// Puts the record of a login under a key of another family: another login from the same anonymous session has stored one.
    fn begin_elsewhere(&mut self, session: &mut Session) -> Result<NextStep> {
        if self.own.is_some() {
            // The login's own record was ended already.
            return Err(Error::interrupted());
        }
        if !matches!(&session.key, KeyState::New { replaces: Some(_), .. }) {
            return Err(Error::new(ErrorKind::KeyTaken, "there is a record under the session's new key"));
        }
        self.change_key(session)?;
        self.put(session)
    }

    /// Replaces the key of a new record, which has not been sent yet, by one of another family.
    fn change_key(&mut self, session: &mut Session) -> Result<()> {
        let KeyState::New { identity, replaces } = core::mem::take(&mut session.key) else {
            return Err(Error::unexpected_reply());
        };
        let identity = Identity { key: session.random.session_key(), ..identity };
        session.key = KeyState::New { identity, replaces };
        self.tag = None;
        Ok(())
    }

    /// After the put of a login: puts the record that it replaces so that it opens nothing.
    fn retire(&mut self, session: &mut Session, sent: Sent) -> Result<NextStep> {
        let KeyState::New { replaces: Some(old), .. } = &session.key else { return Ok(stored(session, *sent)) };
        if !begins_record(session) {
            return Ok(stored(session, *sent));
        }
        // A second login: the first one has retired the record.
        let Some(base) = &session.stored else { return self.read_old(session, sent) };
        let data = if old.is_anonymous() { loaded_data(session, &base.head) } else { Data::default() };
        let head = RecordHeader { tags: sent.0.tags.clone(), ..base.head.clone() };
        let op = retired(session, old, head, &data, generation(base));
        self.own = Some(sent.0.generation);
        self.state = State::Retiring(sent);
        Ok(Step::Write(vec![op])) // mutation: retired-record
    }

    fn read_old(&mut self, session: &Session, sent: Sent) -> Result<NextStep> {
        let Some(old) = session.key.origin() else { return Err(Error::unexpected_reply()) };
        self.state = State::ReadingOld(sent);
        Ok(Step::Read(vec![session.record_key(old)]))
    }

    /// The old record of a login is not the one that it was loaded from: includes the saves that were stored meanwhile.
    #[allow(clippy::boxed_local, reason = "the state has it in a box")]
    fn merge_old(&mut self, session: &mut Session, sent: Sent, values: Vec<Option<Vec<u8>>>) -> Result<NextStep> {
        self.conflicts = self.conflicts.saturating_add(1);
        let (Some(old), Some(identity)) = (session.key.origin(), session.key.identity()) else {
            return Err(Error::unexpected_reply());
        };
        let family = Some(identity.key.family());
        let Some(record) = current(session, values) else { return self.withdraw(session, Error::interrupted()) };
        let is_own = record.head.tags == sent.0.tags;
        let moved = record.head.owner.as_ref().and_then(|owner| owner.next);
        // The end of the record is one generation after the last save in it.
        let is_retired = record.head.owner.as_ref().is_none_or(|owner| owner.key.is_none());
        let saves = record.head.generation.saturating_sub(u32::from(is_retired));
        let lacks_saves =
            moved != family && session.stored.as_ref().is_some_and(|stored| stored.head.generation < saves);
        match linearizable::claim(&record.head, old, session.clock.latest_millis()) {
            Claim::Superseded if is_own => Ok(stored(session, *sent)),
            Claim::Current | Claim::Superseded if self.conflicts < MAX_CONFLICTS && lacks_saves => {
                self.tag = None;
                session.merge_onto(record, true, None)?;
                session.report(EventKind::Merged);
                self.put(session)
            }
            Claim::Superseded if moved != family => Ok(stored(session, *sent)),
            // The login that has retired it had stored its record under this key. It is gone: that login has ended.
            _ => self.withdraw(session, Error::interrupted()),
        }
    }

    /// Deletes the record of this login, which fails.
    fn withdraw(&mut self, session: &Session, error: Error) -> Result<NextStep> {
        let Some(identity) = session.key.identity() else { return Err(error) };
        let deletion = revoke::delete(&session.settings, identity);
        self.state = State::Withdrawing(error);
        Ok(Step::Write(vec![deletion])) // mutation: withdrawn-login
    }
}

/// Returns whether the save begins a record of its own: that of a new session, of a copy, or of a login.
fn begins_record(session: &Session) -> bool {
    match &session.key {
        KeyState::New { identity, replaces: Some(old) } => session.record_key(identity) != session.record_key(old),
        KeyState::New { replaces: None, .. } => true,
        KeyState::Stored(_) | KeyState::Superseded { .. } | KeyState::None => false,
    }
}

/// Returns the record that was read, if it is valid and has not expired.
fn current(session: &Session, mut values: Vec<Option<Vec<u8>>>) -> Option<Record> {
    let bytes = values.pop().flatten()?;
    let record = record::decode_within(session.settings.max_record_bytes, bytes);
    record.record().filter(|record| !record.head.end().has_passed(session.now()))
}

/// Returns the data as they were loaded, without the changes of this request.
fn loaded_data(session: &Session, head: &RecordHeader) -> Data {
    match session.loaded_record().map(record::decode) {
        Some(Decoded::Record(record)) if record.head.tags == head.tags => record.data,
        _ => Data::default(),
    }
}

/// Returns the put of the anonymous record that a login replaces: no key opens it, and it expires soon.
fn retired(session: &Session, old: &Identity, base: RecordHeader, data: &Data, stored: Option<u32>) -> Op {
    let (now, next) = (session.now(), session.key.identity().map(|identity| identity.key.family()));
    let deadline = base.deadline.min(Deadline::after(now, RETIRED));
    let generation = base.generation;
    let head = RecordHeader {
        deadline,
        generation: generation.saturating_add(1),
        rotations: old.rotations.saturating_add(1),
        owner: Some(Box::new(Owner { key: None, cycled: Some(session.clock.latest_millis()), next })),
        ..base
    };
    let ttl = u64::try_from(head.end().seconds_from(now)).unwrap_or_default().max(1);
    Op::Put {
        key: session.record_key(old),
        value: record::encode(&head, data),
        ttl,
        deadline: head.end().0,
        generation: head.generation,
        only_if: stored.map_or(OnlyIf::Absent, OnlyIf::Generation),
    }
}

/// Returns the generation of the record in the store; `None` if it is in the store that was used before.
fn generation(stored: &Stored) -> Option<u32> {
    (!stored.is_old).then_some(stored.head.generation)
}

fn pause(session: &mut Session) -> u64 {
    let [spread, ..] = session.random.tag();
    PAUSE.saturating_add(u64::from(spread) % SPREAD)
}

/// Finishes the save.
fn stored(session: &mut Session, (head, time): (RecordHeader, i64)) -> NextStep {
    let is_new = session.key.is_new();
    let has_expired = head.end().has_passed(session.now());
    let replaced = session.record_stored(head, time);
    if has_expired {
        // There is no record that a later save or rotation could build on.
        session.stored = None; // mutation: expired-base
    }
    if is_new {
        session.report(if replaced.is_some() { EventKind::Cycled } else { EventKind::Created });
    }
    Step::Done(Ok(SaveOutcome::default()))
}
