//! The records that an isolate put, against those that the store returns.

use alloc::rc::Rc;
use alloc::vec::Vec;

use super::{IsolateMemory, REMEMBERED, is_within};
use crate::session::identity::Tag;
use crate::session::limits::MAX_TAGS;
use crate::session::reconcile;
use crate::session::record::{self, Decoded};
use crate::session::record_header::RecordHeader;
use crate::session::storage_key::StorageKey;

/// A record that this isolate put.
#[derive(Debug)]
pub(super) struct OwnRecord {
    pub(super) bytes: Rc<[u8]>,
    pub(super) tags: Vec<Tag>,
    generation: u32,
    /// When its put began; once that was acknowledged, when it was.
    pub(super) at: i64,
}

/// The newest known record of a session.
#[derive(Debug)]
pub(crate) struct NewestRecord {
    /// The record of the store or of this isolate, or both merged.
    pub(crate) bytes: Option<Vec<u8>>,
    /// The tag of the save that was merged in, if the two had diverged.
    pub(crate) merged: Option<Tag>,
}

impl NewestRecord {
    /// Returns the size limit for its bytes: the setting, which two merged records may exceed together.
    pub(crate) fn limit(&self, max_record_bytes: usize) -> usize {
        if self.merged.is_some() { usize::MAX } else { max_record_bytes }
    }
}

impl IsolateMemory {
    /// Returns the newest record under `key`: the one of the store, the one that was put here if it is newer, or both merged.
    pub(crate) fn newest(&self, key: &StorageKey, stored: Option<Vec<u8>>, now: i64) -> NewestRecord {
        let memory = self.0.borrow();
        let own = memory.lane(key).and_then(|lane| lane.acknowledged.as_ref());
        match (own.filter(|own| is_within(own.at, now, REMEMBERED)), stored) {
            (None, bytes) => NewestRecord { bytes, merged: None },
            (Some(own), None) => NewestRecord { bytes: Some(own.bytes.to_vec()), merged: None },
            (Some(own), Some(bytes)) => {
                let (bytes, merged) = own.reconcile(bytes);
                NewestRecord { bytes: Some(bytes), merged }
            }
        }
    }

    /// Returns the tag of the last save that was put here under a key and acknowledged.
    pub(crate) fn last_tag(&self, key: &StorageKey, now: i64) -> Option<Tag> {
        let memory = self.0.borrow();
        let own = memory.lane(key)?.acknowledged.as_ref().filter(|own| is_within(own.at, now, REMEMBERED))?;
        own.tags.first().copied()
    }

    /// Remembers a record that the store contains: a put that failed was applied all the same.
    pub(crate) fn remember(&self, key: &StorageKey, head: &RecordHeader, bytes: &[u8], now: i64) {
        let mut memory = self.0.borrow_mut();
        let lane = memory.enter(key, bytes.len(), now);
        lane.acknowledged = Some(OwnRecord::new(head, bytes, now));
    }

    /// Forgets the record under a key, and its puts in flight: it is being deleted.
    pub(crate) fn forget(&self, key: &StorageKey) {
        let mut memory = self.0.borrow_mut();
        if let Ok(place) = memory.place(key) {
            memory.lanes.remove(place); // mutation: forgotten-record
        }
    }
}

impl OwnRecord {
    pub(super) fn new(head: &RecordHeader, bytes: &[u8], at: i64) -> Self {
        Self { bytes: bytes.into(), tags: head.tags.clone(), generation: head.generation, at }
    }

    /// Compares this record with the one of the store. Returns the newer one, or both merged and the tag of the save that was
    /// merged in.
    pub(super) fn reconcile(&self, bytes: Vec<u8>) -> (Vec<u8>, Option<Tag>) {
        // The usual case: the store returns the record that was put here.
        if record::last_save(&bytes).is_some_and(|(_, tag)| self.tags.first() == Some(&tag))
            && bytes.len() == self.bytes.len()
        {
            return (bytes, None);
        }
        let Some(head) = record::head(&bytes) else { return (bytes, None) };
        if self.tags.first().is_some_and(|tag| head.tags.contains(tag)) {
            return (bytes, None);
        }
        // After so many saves the tag is forgotten, and only the list of writes shows whether the record contains this one.
        let remembers = self.generation.saturating_add(u32::try_from(MAX_TAGS).unwrap_or_default()) > head.generation;
        // mutation: own-record-is-newer
        if head.tags.first().is_some_and(|tag| self.tags.contains(tag)) {
            return (self.bytes.to_vec(), None);
        }
        if let Decoded::Record(stored) = record::decode(bytes.clone())
            && let Decoded::Record(own) = record::decode(self.bytes.to_vec())
            // mutation: merged-records
            && let (merged, Some(tag)) = reconcile::merge(stored, own, remembers)
        {
            return (record::encode(&merged.head, &merged.data), Some(tag));
        }
        // They cannot be merged, as with the first record under a new key, which has no list of writes.
        let bytes = if self.generation > head.generation { self.bytes.to_vec() } else { bytes };
        (bytes, None)
    }
}
