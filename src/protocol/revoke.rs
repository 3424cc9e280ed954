//! Revocation: how a key ends for good. A record can come back when a slow request saves it; a tombstone under a storage key of
//! its own stays, and outlives every record that could still be written.
//!
//! A tombstone lies under the family of a key and the number of its rotations, so that one read serves both: a rotation ends the
//! keys with the old number, and a logout ends the current number and the next one, whatever keys have them by now.
//!
//! [`Revoke`] puts tombstones and then deletes records:
//!
//! | state | `Written` | `Unavailable` | `Waited` | guaranteed afterwards |
//! | --- | --- | --- | --- | --- |
//! | `Putting` | next tombstone, else `Deleting` | next tombstone; in the end `Pausing` | | each acknowledged tombstone holds at every location after the published bound |
//! | `Pausing` | | | `Putting` again what failed | |
//! | `Putting`, again | next tombstone, else `Deleting` | next tombstone; in the end `Done(Err)` | | |
//! | `Deleting` | next record, else `Done(Ok)` | an error only where tombstones are not read | | the data are gone |

use alloc::vec::Vec;

use chrono::{DateTime, Utc};

use super::isolate::IsolateMemory;
use super::{Reply, Step};
use crate::error::{Error, Result};
use crate::session::deadline::Deadline;
use crate::session::identity::Identity;
use crate::session::storage_key::StorageKey;
use crate::settings::{MAX_COOKIE_AGE, Settings};
use crate::store::{OnlyIf, Op};

/// How long a tombstone outlives the absolute deadline, in seconds: clocks differ, and a second login begins its life later.
const MARGIN: i64 = 300; // mutation: tombstone-margin

/// For how long a rotated key counts as superseded instead of revoked, in milliseconds.
const SUPERSEDED: i64 = 100_000;

/// How many rotations before its own a logout ends, too: their tombstones may have failed.
const PREDECESSORS: u16 = 7;

/// The pause before failed tombstones are put once more, in milliseconds: KV takes one write a second under one key.
const PAUSE: u64 = 1_000;

/// What the tombstone of a rotation begins with, and that of an end.
const CYCLED: &[u8] = b"{\"edge-session\":1,\"cycled\":";
const ENDED: &[u8] = b"{\"edge-session\":1,\"ended\":";

/// Why a key opens no session any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Revocation {
    /// The session ended.
    Ended,
    /// The session goes on under another key, since `at`, in milliseconds of Unix time.
    Cycled { at: i64 },
}

impl Revocation {
    /// Reads a tombstone. What cannot be read is an end.
    pub(super) fn read(tombstone: &[u8]) -> Self {
        let micros = tombstone.strip_prefix(CYCLED).and_then(|rest| rest.strip_suffix(b"}"));
        match micros.and_then(crate::json::integer) {
            Some(micros) => Self::Cycled { at: micros.div_euclid(1_000) },
            None => Self::Ended,
        }
    }

    /// Whether the key was rotated a moment ago, so that requests with it may still be on their way.
    pub(super) const fn is_superseding(self, now: i64) -> bool {
        // mutation: superseding
        matches!(self, Self::Cycled { at } if now.saturating_sub(at) <= SUPERSEDED)
    }
}

/// The revocation of the keys with this family and number: what was written here, or what the store shows.
pub(super) fn revocation(
    memory: &IsolateMemory,
    tombstone: &StorageKey,
    stored: Option<&[u8]>,
    now: i64,
) -> Option<Revocation> {
    // mutation: mark-consulted
    memory.revocation(tombstone, now).or_else(|| stored.map(Revocation::read))
}

/// Where the record of `identity` is.
pub(super) fn record_key(settings: &Settings, identity: &Identity) -> StorageKey {
    StorageKey::record(&settings.key_prefix, &identity.key)
}

/// Where the tombstone is that ends `identity`.
pub(super) fn tombstone_key(settings: &Settings, identity: &Identity) -> StorageKey {
    StorageKey::tombstone(&settings.key_prefix, identity.key.family(), identity.rotations)
}

/// The tombstone of a key that a rotation replaced, `at` milliseconds of Unix time if an earlier one did.
pub(super) fn cycled(settings: &Settings, old: &Identity, at: Option<i64>, now: DateTime<Utc>) -> Op {
    let at = at.map_or(now.timestamp_micros(), |at| at.saturating_mul(1_000));
    tombstone(CYCLED, at, settings, old, old.rotations, now)
}

/// Which keys of a session a logout ends, counted from the one that it knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    /// How many rotations ahead, which requests at other places may have made.
    pub(super) ahead: u16,
    /// Whether the anonymous key is among the earlier ones. Before a login it has ended with that, as a rule.
    pub(super) anonymous: bool,
}

/// The tombstones that end the session of `identity`: its own keys, earlier ones, and later ones.
pub(super) fn ended(settings: &Settings, identity: &Identity, reach: Reach, now: DateTime<Utc>) -> Vec<Op> {
    let own = identity.rotations;
    let first = own.saturating_sub(PREDECESSORS).max(u16::from(own > 0 && !reach.anonymous)); // mutation: earlier-rotations
    // mutation: reach-of-logout
    (first..=own.saturating_add(reach.ahead))
        .map(|rotations| tombstone(ENDED, now.timestamp_micros(), settings, identity, rotations, now))
        .collect()
}

/// Removes the record.
pub(super) fn delete(settings: &Settings, identity: &Identity) -> Op {
    Op::Delete { key: record_key(settings, identity) }
}

fn tombstone(
    begins: &[u8],
    at: i64,
    settings: &Settings,
    identity: &Identity,
    rotations: u16,
    now: DateTime<Utc>,
) -> Op {
    let key = StorageKey::tombstone(&settings.key_prefix, identity.key.family(), rotations);
    // A session opened by its key does not say when it ends.
    let longest = Deadline::after(now, settings.absolute_age.max(MAX_COOKIE_AGE));
    // The first rotation begins a new absolute lifetime.
    // mutation: life-of-tombstone
    let absolute = if identity.is_anonymous() && rotations > 0 {
        identity.absolute.max(Deadline::after(now, settings.absolute_age))
    } else {
        identity.absolute
    };
    let ttl = absolute.min(longest).seconds_from(now).max(0).saturating_add(MARGIN);
    let mut value = begins.to_vec();
    value.extend_from_slice(itoa::Buffer::new().format(at).as_bytes());
    value.push(b'}');
    let deadline = Deadline::after(now, ttl).0;
    Op::Put { key, value, ttl: u64::try_from(ttl).unwrap_or_default(), deadline, only_if: OnlyIf::Any }
}

/// Ends sessions: puts their tombstones, each tried once more after a second, and deletes their records.
#[derive(Debug)]
pub(super) struct Revoke {
    state: State,
    /// The operations of this round that are left, in order, and those of the next one.
    left: Vec<Op>,
    failed: Vec<Op>,
    deletions: Vec<Op>,
    /// Whether a record that stays is an error: tombstones are not read.
    needs_deletion: bool,
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
    /// Plans the end of `identities`. What this isolate knows of them ends at once.
    pub(super) fn new(
        settings: &Settings,
        memory: &IsolateMemory,
        identities: &[Identity],
        reach: Reach,
        now: DateTime<Utc>,
    ) -> Self {
        let mut left: Vec<Op> = Vec::new();
        let mut deletions = Vec::new();
        // The last operation is taken first.
        for identity in identities.iter().rev() {
            // The anonymous key before a login has a tombstone already. Here it ends with the session.
            let anonymous = Identity { rotations: 0, ..identity.clone() };
            // mutation: mark-of-anonymous
            memory.mark(&tombstone_key(settings, &anonymous), Revocation::Ended, now.timestamp_millis());
            for op in ended(settings, identity, reach, now).into_iter().rev() {
                memory.mark(op.key(), Revocation::Ended, now.timestamp_millis()); // mutation: mark-of-logout
                left.retain(|other| other.key() != op.key());
                left.push(op); // mutation: tombstone-of-logout
            }
            let deletion = delete(settings, identity);
            memory.forget(deletion.key());
            deletions.push(deletion); // mutation: record-of-logout
        }
        let needs_deletion = !settings.check_ended;
        Self { state: State::Start, left, failed: Vec::new(), deletions, needs_deletion, error: None }
    }

    pub(super) fn step(&mut self, memory: &IsolateMemory, reply: Reply) -> Step<Result<()>> {
        match (core::mem::replace(&mut self.state, State::Failed), reply) {
            (State::Start, Reply::Start) => self.put(false),
            (State::Putting { op, again }, Reply::Written) => {
                memory.acknowledge(op.key());
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
