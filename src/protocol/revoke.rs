//! Revoke: how a key ends for good. A record can come back when a slow request saves it; a tombstone under a storage key of its
//! own stays, and outlives every record that could still be written.

use alloc::vec::Vec;

use chrono::{DateTime, Utc};

use super::{OnlyIf, Op};
use crate::session::expiry::Deadline;
use crate::session::identity::Identity;
use crate::session::key::StorageKey;
use crate::settings::{MAX_COOKIE_AGE, Settings};

/// How long a tombstone outlives the absolute deadline, in seconds.
const MARGIN: i64 = 180;

/// Where the record of `identity` is, and the tombstones that would have ended it. A family that is named by the session's own
/// key ends with that key.
pub(super) fn record_and_tombstones(settings: &Settings, identity: &Identity) -> Vec<StorageKey> {
    let (prefix, own) = (&settings.key_prefix, identity.key.digest());
    let mut keys = vec![StorageKey::record(prefix, &identity.key), StorageKey::ended(prefix, own)];
    keys.extend(identity.family.filter(|family| *family != own).map(|family| StorageKey::family(prefix, family)));
    keys
}

/// What the tombstone of a key begins with that another one took the place of, and any other tombstone.
const CYCLED: &[u8] = b"{\"edge-session\":1,\"cycled\":";
const ENDED: &[u8] = b"{\"edge-session\":1,\"ended\":";

/// Ends the key that a session leaves for another one: its family goes on.
pub(super) fn cycle(settings: &Settings, old: &Identity, now: DateTime<Utc>) -> Op {
    tombstone(CYCLED, StorageKey::ended(&settings.key_prefix, old.key.digest()), settings, old, now)
}

/// Whether a tombstone says that its key was left for another one, and not that the session has ended.
pub(super) fn is_cycled(tombstone: &[u8]) -> bool {
    tombstone.starts_with(CYCLED)
}

fn end_key(settings: &Settings, identity: &Identity, now: DateTime<Utc>) -> Op {
    tombstone(ENDED, StorageKey::ended(&settings.key_prefix, identity.key.digest()), settings, identity, now)
}

/// Ends a key and, where it has one, its family: every key of it, the one that began it too.
pub(super) fn end_family(settings: &Settings, identity: &Identity, now: DateTime<Utc>) -> Vec<Op> {
    let mut ops = vec![end_key(settings, identity, now)];
    if let Some(family) = identity.family {
        ops.push(tombstone(ENDED, StorageKey::family(&settings.key_prefix, family), settings, identity, now));
        if family != identity.key.digest() {
            ops.push(tombstone(ENDED, StorageKey::ended(&settings.key_prefix, family), settings, identity, now));
        }
    }
    ops
}

/// Removes the record.
pub(super) fn delete(settings: &Settings, identity: &Identity) -> Op {
    Op::Delete { key: StorageKey::record(&settings.key_prefix, &identity.key) }
}

/// Django's `delete`: what ends a key that somebody names outside of a request.
pub(crate) fn revoke(settings: &Settings, identity: &Identity, now: DateTime<Utc>) -> Vec<Op> {
    vec![end_key(settings, identity, now), delete(settings, identity)]
}

fn tombstone(begins: &[u8], key: StorageKey, settings: &Settings, identity: &Identity, now: DateTime<Utc>) -> Op {
    // Who named the session by its key alone does not know when it ends.
    let longest = Deadline::after(now, settings.absolute_age.max(MAX_COOKIE_AGE));
    let ttl = identity.absolute.min(longest).seconds_from(now).max(0).saturating_add(MARGIN);
    let mut value = begins.to_vec();
    value.extend_from_slice(itoa::Buffer::new().format(now.timestamp_micros()).as_bytes());
    value.push(b'}');
    let deadline = Deadline::after(now, ttl).0;
    Op::Put { key, value, ttl: u64::try_from(ttl).unwrap_or_default(), deadline, only_if: OnlyIf::Any }
}
