//! Revocation of keys by tombstones. A slow request can write a deleted record again. A tombstone has a storage key of its own,
//! and outlives every record that could still be written.
//!
//! The storage key of a tombstone consists of the family and the number of rotations, so that one read finds rotations and
//! logouts: a rotation revokes the old number, a logout the current number and the next one, for all keys of the family.
//!
//! [`Revoke`] puts tombstones and then deletes records:
//!
//! | state | `Written` | `Unavailable` | `Waited` | guaranteed afterwards |
//! | --- | --- | --- | --- | --- |
//! | `Putting` | next tombstone, else `Deleting` | next tombstone; in the end, unless another logout has put it, `Pausing` | | each acknowledged tombstone is visible at every location after the documented bound |
//! | `Pausing` | | | `Putting`, again: the failed ones | |
//! | `Putting`, again | next tombstone, else `Deleting` | next tombstone; in the end `Done(Err)` | | |
//! | `Deleting` | next record, else `Done(Ok)` | an error only where tombstones are not read | | the data are deleted |

use alloc::boxed::Box;
use alloc::vec::Vec;

use chrono::{DateTime, Utc};

use super::{Reply, Step};
use crate::error::{Error, Result};
use crate::isolate::{CYCLED, ENDED, IsolateMemory, Revocation};
use crate::session::data::Data;
use crate::session::deadline::Deadline;
use crate::session::identity::Identity;
use crate::session::key_digest::KeyDigest;
use crate::session::record;
use crate::session::record_header::{Owner, RecordHeader};
use crate::session::storage_key::StorageKey;
use crate::settings::{Consistency, MAX_COOKIE_AGE, Settings};
use crate::store::{OnlyIf, Op};

/// How long a tombstone outlives the absolute deadline, in seconds: clocks differ, and a second login starts later.
const MARGIN: i64 = 300; // mutation: tombstone-margin

/// The number of earlier rotations that a logout revokes as well: their tombstones may have failed.
const PREDECESSORS: u16 = 7;

/// The pause before failed tombstones are retried, in milliseconds: KV accepts one write per second and key.
const PAUSE: u64 = 1_000;

/// Returns the revocation of a family and number of rotations: the one that this isolate wrote, or the one in the store.
pub(super) fn revocation(
    memory: &IsolateMemory,
    tombstone: &StorageKey,
    stored: Option<&[u8]>,
    now: i64,
) -> Option<Revocation> {
    // mutation: mark-consulted
    memory.revocation(tombstone, now).or_else(|| stored.map(Revocation::read))
}

/// A session key to revoke: what the storage keys of its record and its tombstones contain. It opens nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) digest: KeyDigest,
    pub(super) family: KeyDigest,
    pub(super) rotations: u16,
    /// The absolute deadline, until which the key must stay revoked.
    pub(super) absolute: Deadline,
}

impl From<&Identity> for Target {
    fn from(Identity { key, rotations, absolute }: &Identity) -> Self {
        Self { digest: key.digest(), family: key.family(), rotations: *rotations, absolute: *absolute }
    }
}

/// Returns the storage key of the record of a session key.
fn record_key(settings: &Settings, target: Target) -> StorageKey {
    if settings.is_linearizable() {
        return StorageKey::of_family(&settings.key_prefix, target.family, target.rotations);
    }
    StorageKey::record(&settings.key_prefix, target.digest)
}

/// Returns the storage key of the tombstone that revokes a number of rotations of a family.
pub(super) fn tombstone_key(settings: &Settings, family: KeyDigest, rotations: u16) -> StorageKey {
    StorageKey::tombstone(&settings.key_prefix, family, rotations)
}

/// Returns the storage key of the tombstone that a logout of this key's successor puts.
pub(super) fn successor_tombstone(settings: &Settings, identity: &Identity) -> StorageKey {
    tombstone_key(settings, identity.key.family(), identity.rotations.saturating_add(1))
}

/// Returns the tombstone of a rotated key. `at` is the time of an earlier rotation, in milliseconds of Unix time.
pub(super) fn cycled(settings: &Settings, old: &Identity, at: Option<i64>, now: DateTime<Utc>) -> Op {
    let at = at.map_or(now.timestamp_micros(), |at| at.saturating_mul(1_000));
    tombstone(CYCLED, at, settings, old.into(), old.rotations, now)
}

/// The rotations that a logout revokes, relative to the known key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    /// The number of later rotations, which requests at other locations may have made.
    pub(super) ahead: u16,
    /// True if the anonymous key is included. The login has usually revoked it.
    pub(super) anonymous: bool,
}

/// Returns the tombstones that end the session of a key: for its own rotation, earlier ones, and later ones.
pub(super) fn ended(settings: &Settings, target: Target, reach: Reach, now: DateTime<Utc>) -> Vec<Op> {
    if settings.consistency != Consistency::Eventual {
        return Vec::new();
    }
    let own = target.rotations;
    let first = own.saturating_sub(PREDECESSORS).max(u16::from(own > 0 && !reach.anonymous)); // mutation: earlier-rotations
    // mutation: reach-of-logout
    (first..=own.saturating_add(reach.ahead))
        .map(|rotations| tombstone(ENDED, now.timestamp_micros(), settings, target, rotations, now))
        .collect()
}

/// Returns the deletion of the record of a session key.
pub(super) fn delete(settings: &Settings, identity: &Identity) -> Op {
    Op::Delete { key: record_key(settings, identity.into()) }
}

/// Returns the deletions that end the session of a key, in their order. On a linearizable store, an anonymous key also ends the
/// login that may have replaced it: a login that sees its old record deleted withdraws its own. `anonymous` does so for any key.
pub(super) fn deletions(settings: &Settings, target: Target, anonymous: bool, now: DateTime<Utc>) -> Vec<Op> {
    if settings.is_in_cookie() {
        return Vec::new();
    }
    let old = Op::Delete { key: StorageKey::record(&settings.key_prefix, target.digest) };
    if !settings.is_linearizable() {
        return vec![old];
    }
    let slots = if anonymous || target.rotations == 0 { 0..2 } else { 1..2 };
    let slots = slots.map(|rotations| Target { rotations, ..target });
    if !settings.is_migrating() {
        return slots.map(|slot| Op::Delete { key: record_key(settings, slot) }).collect();
    }
    slots.map(|slot| ended_record(settings, slot, now)).chain([old]).collect()
}

/// Returns the put of a record that no key opens. It hides the one in the store that was used before.
fn ended_record(settings: &Settings, target: Target, now: DateTime<Utc>) -> Op {
    let longest = Deadline::after(now, settings.absolute_age.max(MAX_COOKIE_AGE));
    let deadline = target.absolute.min(longest);
    let head = RecordHeader {
        deadline,
        absolute: deadline,
        generation: u32::MAX,
        tags: Vec::new(),
        rotations: target.rotations,
        writes: Vec::new(),
        owner: Some(Box::new(Owner { key: None, cycled: None, next: None })),
    };
    Op::Put {
        key: record_key(settings, target),
        value: record::encode(&head, &Data::default()),
        ttl: u64::try_from(deadline.seconds_from(now)).unwrap_or_default().max(1),
        deadline: deadline.0,
        generation: u32::MAX,
        only_if: OnlyIf::Any,
    }
}

fn tombstone(begins: &[u8], at: i64, settings: &Settings, target: Target, rotations: u16, now: DateTime<Utc>) -> Op {
    let key = tombstone_key(settings, target.family, rotations);
    // A session that was opened by key has no absolute deadline.
    let longest = Deadline::after(now, settings.absolute_age.max(MAX_COOKIE_AGE));
    // The first rotation begins a new absolute lifetime.
    // mutation: life-of-tombstone
    let absolute = if target.rotations == 0 && rotations > 0 {
        target.absolute.max(Deadline::after(now, settings.absolute_age))
    } else {
        target.absolute
    };
    let ttl = absolute.min(longest).seconds_from(now).max(0).saturating_add(MARGIN);
    let mut value = begins.to_vec();
    value.extend_from_slice(itoa::Buffer::new().format(at).as_bytes());
    value.push(b'}');
    let deadline = Deadline::after(now, ttl).0;
    Op::Put { key, value, ttl: u64::try_from(ttl).unwrap_or_default(), deadline, generation: 1, only_if: OnlyIf::Any }
}

/// Revokes sessions: puts their tombstones, with one retry after a second, and deletes their records.
#[derive(Debug)]
pub(super) struct Revoke {
    state: State,
    /// The remaining operations of this round, and the failed ones, for the next round.
    left: Vec<Op>,
    failed: Vec<Op>,
    deletions: Vec<Op>,
    /// True if a failed deletion is an error, since tombstones are not read.
    needs_deletion: bool,
    /// The time at which it began, in milliseconds of Unix time.
    began: i64,
    error: Option<Error>,
}

#[derive(Debug)]
enum State {
    Start,
    Putting { op: Op, again: bool },
    Pausing,
    Deleting,
    Failed,
}

impl Revoke {
    /// Plans the revocation of session keys. In this isolate they are revoked at once.
    pub(super) fn new(
        settings: &Settings,
        memory: &IsolateMemory,
        targets: impl DoubleEndedIterator<Item = Target>,
        reach: Reach,
        now: DateTime<Utc>,
    ) -> Self {
        let mut left: Vec<Op> = Vec::new();
        let mut deletions = Vec::new();
        // Operations are taken from the end.
        for target in targets.rev() {
            // The login has put a tombstone for the anonymous key. In this isolate, the logout revokes it as well.
            if settings.consistency == Consistency::Eventual {
                let anonymous = tombstone_key(settings, target.family, 0);
                memory.mark(&anonymous, Revocation::Ended, now.timestamp_millis()); // mutation: mark-of-anonymous
            }
            for op in ended(settings, target, reach, now).into_iter().rev() {
                memory.mark(op.key(), Revocation::Ended, now.timestamp_millis()); // mutation: mark-of-logout
                left.retain(|other| other.key() != op.key());
                left.push(op); // mutation: tombstone-of-logout
            }
            for deletion in self::deletions(settings, target, reach.anonymous, now).into_iter().rev() {
                memory.forget(deletion.key());
                deletions.push(deletion); // mutation: record-of-logout
            }
        }
        let needs_deletion = !settings.reads_tombstones();
        Self {
            state: State::Start,
            left,
            failed: Vec::new(),
            deletions,
            needs_deletion,
            began: now.timestamp_millis(),
            error: None,
        }
    }

    pub(super) fn step(&mut self, memory: &IsolateMemory, reply: Reply) -> Step<Result<()>> {
        match (core::mem::replace(&mut self.state, State::Failed), reply) {
            (State::Start, Reply::Start) => self.put(false),
            (State::Putting { op, again }, Reply::Written) => {
                memory.acknowledge_revocation(op.key(), Revocation::Ended);
                self.put(again)
            }
            // Another logout of this isolate has put it meanwhile.
            // mutation: tombstone-of-another
            (State::Putting { op, again }, Reply::Unavailable(_)) if memory.is_revoked(op.key(), self.began) => {
                self.put(again)
            }
            // mutation: tombstone-failed
            (State::Putting { op, again: false }, Reply::Unavailable(_)) => {
                self.failed.push(op);
                self.put(false)
            }
            // mutation: tombstone-failed-again
            (State::Putting { again: true, .. }, Reply::Unavailable(error)) => {
                self.error = Some(error);
                self.put(true)
            }
            (State::Pausing, Reply::Waited) => {
                self.left = core::mem::take(&mut self.failed);
                self.put(true)
            }
            (State::Deleting, Reply::Written) => self.delete(),
            // Once the tombstone is written, a leftover record is unreachable.
            (State::Deleting, Reply::Unavailable(error)) => {
                self.error = self.error.take().or_else(|| self.needs_deletion.then_some(error));
                self.delete()
            }
            _ => Step::Done(Err(Error::unexpected_reply())),
        }
    }

    fn put(&mut self, again: bool) -> Step<Result<()>> {
        match self.left.pop() {
            Some(op) => {
                self.state = State::Putting { op: op.clone(), again };
                Step::Write(vec![op])
            }
            None if again || self.failed.is_empty() => self.delete(), // mutation: tombstones-left
            None => {
                self.state = State::Pausing;
                Step::Wait(PAUSE)
            }
        }
    }

    fn delete(&mut self) -> Step<Result<()>> {
        match (self.deletions.pop(), &self.error) {
            (Some(op), _) => {
                self.state = State::Deleting;
                Step::Write(vec![op])
            }
            (None, Some(error)) => Step::Done(Err(error.clone())),
            (None, None) => Step::Done(Ok(())),
        }
    }
}
