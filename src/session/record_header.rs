//! The header of a record.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::data::Data;
use super::deadline::Deadline;
use super::identity::Tag;
use super::key_digest::KeyDigest;
use super::limits::{MAX_TAGS, MAX_WRITES, WRITES_WINDOW};

/// The header of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    pub(crate) deadline: Deadline,
    pub(crate) absolute: Deadline,
    pub(crate) generation: u32,
    /// The tags of the last saves, the newest first.
    pub(crate) tags: Vec<Tag>,
    /// The number of rotations of the key. The storage key of the session's tombstone contains it.
    pub(crate) rotations: u16,
    /// The last write of each key that was written recently.
    pub(crate) writes: Vec<RecentWrite>,
    /// The session key that opens the record. Only on a linearizable store, where the keys of a family share the record.
    pub(crate) owner: Option<Box<Owner>>,
}

/// The session key that opens a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The digest of the key; `None` after a login has moved the session to another record.
    pub(crate) key: Option<KeyDigest>,
    /// The time of the last rotation, in milliseconds of Unix time.
    pub(crate) cycled: Option<i64>,
    /// The family of the record to which a login has moved the session.
    pub(crate) next: Option<KeyDigest>,
}

/// The last time a quoted key was set or removed, in milliseconds of Unix time. An empty key means all keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecentWrite {
    pub(crate) time: i64,
    pub(crate) key: Box<[u8]>,
}

impl RecordHeader {
    /// Returns the end of the record: the earlier of the deadline and the absolute deadline.
    pub(crate) fn end(&self) -> Deadline {
        // mutation: end-of-record
        self.deadline.min(self.absolute)
    }

    /// Returns whether the record with the other header contains the last save of this one.
    pub(crate) fn is_known_to(&self, other: &Self) -> bool {
        self.tags.first().is_none_or(|tag| other.tags.contains(tag))
    }

    /// Returns the tags of a save: its own `tag`, and those of the record `before` it, up to the limit.
    pub(crate) fn next_tags(tag: Tag, before: Option<&Self>) -> Vec<Tag> {
        let older = before.map(|head| head.tags.as_slice()).unwrap_or_default();
        core::iter::once(tag).chain(older.iter().copied()).take(MAX_TAGS).collect()
    }

    /// Records a write of a quoted key.
    pub(crate) fn record_write(&mut self, key: &[u8], time: i64) {
        self.writes.retain(|write| *write.key != *key);
        self.writes.push(RecentWrite { time, key: key.into() });
    }

    /// Records the writes of a save, and drops those that no journal contains any more. If there are too many, all keys count as
    /// written.
    pub(crate) fn record_writes(&mut self, data: &Data, time: i64) {
        let old = time.saturating_sub(WRITES_WINDOW);
        self.writes.retain(|write| write.time > old);
        if self.writes.len().saturating_add(data.changes().count()) > MAX_WRITES {
            self.writes = vec![RecentWrite { time, key: Box::default() }];
            return;
        }
        for (key, _) in data.changes() {
            self.record_write(key, time);
        }
    }

    /// Replaces the list of writes by one write of all keys, to save space.
    pub(crate) fn collapse_writes(&mut self) {
        if let Some(time) = self.writes.iter().map(|write| write.time).max() {
            self.writes = vec![RecentWrite { time, key: Box::default() }];
        }
    }

    /// Returns whether a quoted key was written at `time` or later.
    pub(crate) fn is_written_since(&self, key: &[u8], time: i64) -> bool {
        self.writes.iter().any(|write| write.time >= time && (write.key.is_empty() || *write.key == *key))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A header without writes.
    pub(in crate::session) fn header() -> RecordHeader {
        RecordHeader {
            deadline: Deadline(1_893_456_000_000_250),
            absolute: Deadline(1_925_000_000_000_000),
            generation: 3,
            tags: vec![[0x9f, 0x86, 0xd0, 0x81], [0, 0, 0, 1]],
            rotations: 2,
            writes: Vec::new(),
            owner: None,
        }
    }

    #[test]
    fn the_end_is_the_earlier_deadline() {
        let mut head = header();
        assert_eq!(head.end(), head.deadline);
        head.absolute = Deadline(5);
        assert_eq!(head.end(), Deadline(5));
    }

    #[test]
    fn after_too_many_writes_all_keys_count_as_written() {
        let mut head = header();
        let wrote = |count: usize| {
            let mut data = Data::default();
            for number in 0..count {
                data.set(&number.to_string(), b"1".as_slice().into());
            }
            data
        };
        head.record_writes(&wrote(MAX_WRITES), 1_000);
        assert_eq!(head.writes.len(), MAX_WRITES);
        assert!(head.is_written_since(b"\"63\"", 1_000) && !head.is_written_since(b"\"63\"", 1_001));
        assert!(!head.is_written_since(b"\"64\"", 0));
        head.record_writes(&wrote(1), 2_000);
        assert_eq!(head.writes, [RecentWrite { time: 2_000, key: Box::default() }], "there is no room for one more");
        assert!(head.is_written_since(b"\"64\"", 2_000) && !head.is_written_since(b"\"64\"", 2_001));
        head.record_writes(&wrote(1), 2_000 + WRITES_WINDOW - 1);
        assert_eq!(head.writes.len(), 2);
        head.record_writes(&wrote(1), 2_000 + WRITES_WINDOW);
        assert_eq!(head.writes.len(), 1, "and it is dropped like any other");
        assert!(!head.is_written_since(b"\"64\"", 0));
    }
}
