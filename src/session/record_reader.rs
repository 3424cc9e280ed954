//! The fast reader of records that this version wrote.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

use super::data::JsonSlice;
use super::deadline::Deadline;
use super::identity::Tag;
use super::key_digest::{DIGEST_CHARS, KeyDigest};
use super::limits::MAX_TAGS;
use super::record_header::{Owner, RecentWrite, RecordHeader};
use crate::json;

/// The first bytes of a record of this version.
pub(super) const START: &str = "{\"edge-session\":1,\"deadline\":";

/// Parses a tag: `"9f86d081"`.
pub(super) fn tag(text: &[u8]) -> Option<Tag> {
    let [b'"', digits @ .., b'"'] = text else { return None };
    let digits: &[u8; 8] = digits.try_into().ok()?;
    let mut number = 0_u32;
    for digit in digits {
        let value = match digit {
            b'0'..=b'9' => digit & 15,
            b'a'..=b'f' | b'A'..=b'F' => (digit & 7).wrapping_add(9),
            _ => return None,
        };
        number = number << 4 | u32::from(value);
    }
    Some(number.to_be_bytes())
}

/// A position in a record.
pub(super) struct RecordReader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> RecordReader<'a> {
    pub(super) fn left(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub(super) fn word(&mut self, word: &str) -> Option<()> {
        let found = self.left().starts_with(word.as_bytes());
        found.then(|| self.at = self.at.saturating_add(word.len()))
    }

    fn number(&mut self) -> Option<i64> {
        let left = self.left();
        let end = left.iter().position(|b| !(b.is_ascii_digit() || *b == b'-')).unwrap_or(left.len());
        self.at = self.at.saturating_add(end);
        json::integer(left.get(..end)?)
    }

    /// Reads the deadline, the absolute deadline and the generation, up to the first tag.
    pub(super) fn start(&mut self) -> Option<(Deadline, Deadline, u32)> {
        self.word(START)?;
        let deadline = Deadline(self.number()?);
        self.word(",\"absolute\":")?;
        let absolute = Deadline(self.number()?);
        self.word(",\"generation\":")?;
        let generation = self.number()?.try_into().ok()?;
        self.word(",\"tags\":[")?;
        Some((deadline, absolute, generation))
    }

    pub(super) fn head(&mut self) -> Option<RecordHeader> {
        let (deadline, absolute, generation) = self.start()?;
        let mut tags = Vec::with_capacity(MAX_TAGS);
        while self.word("]").is_none() {
            if !tags.is_empty() {
                self.word(",")?;
            }
            let (text, _) = self.piece(10)?;
            tags.push(tag(text).filter(|_| tags.len() < MAX_TAGS)?);
        }
        self.word(",\"rotations\":")?;
        let rotations = self.number()?.try_into().ok()?;
        let owner = self.owner()?;
        let mut writes = Vec::new();
        if self.word(",\"writes\":[").is_some() {
            while self.word("]").is_none() {
                if !writes.is_empty() {
                    self.word(",")?;
                }
                let time = self.number()?;
                self.word(",")?;
                let size = self.number()?;
                self.word(",")?;
                let at = self.at;
                let key = if size == 0 {
                    self.word("null")?;
                    Box::default()
                } else {
                    self.key(size)?;
                    self.bytes.get(at..self.at)?.into()
                };
                writes.push(RecentWrite { time, key });
            }
        }
        Some(RecordHeader { deadline, absolute, generation, tags, rotations, writes, owner })
    }

    /// Reads the session key's digest and the time of its rotation, if the record has them.
    fn owner(&mut self) -> Option<Option<Box<Owner>>> {
        if self.word(",\"key\":").is_none() {
            return Some(None);
        }
        let key = if self.word("null").is_some() { None } else { Some(self.digest()?) };
        let cycled = if self.word(",\"cycled\":").is_some() { Some(self.number()?) } else { None };
        let next = if self.word(",\"next\":").is_some() { Some(self.digest()?) } else { None };
        Some(Some(Box::new(Owner { key, cycled, next })))
    }

    fn digest(&mut self) -> Option<KeyDigest> {
        self.word("\"")?;
        let (digest, _) = self.piece(DIGEST_CHARS as i64)?;
        self.word("\"")?;
        KeyDigest::parse(digest)
    }

    /// Reads the sizes of the members' keys and values, up to the beginning of the first member.
    pub(super) fn sizes(&mut self) -> Option<Vec<(i64, i64)>> {
        self.word(",\"sizes\":[")?;
        let mut sizes = Vec::with_capacity(8);
        while self.word("]").is_none() {
            if !sizes.is_empty() {
                self.word(",")?;
            }
            let key = self.number()?;
            self.word(",")?;
            sizes.push((key, self.number()?));
        }
        self.word(",\"data\":{")?;
        Some(sizes)
    }

    /// Checks that the record ends after members of these sizes.
    pub(super) fn ends_after(&mut self, sizes: Vec<(i64, i64)>) -> Option<()> {
        for (at, (key, value)) in sizes.into_iter().enumerate() {
            // A colon, and a comma before all members but the first.
            self.piece(key.checked_add(value)?.checked_add(if at > 0 { 2 } else { 1 })?)?;
        }
        self.word("}}")?;
        (self.at == self.bytes.len()).then_some(())
    }

    pub(super) fn piece(&mut self, size: i64) -> Option<(&'a [u8], Range<usize>)> {
        let range = self.at..self.at.checked_add(size.try_into().ok()?)?;
        let piece = self.bytes.get(range.clone())?;
        self.at = range.end;
        Some((piece, range))
    }

    /// Reads a key of `size` bytes, including its quotes. It must be in canonical form.
    pub(super) fn key(&mut self, size: i64) -> Option<JsonSlice> {
        let (raw, range) = self.piece(size)?;
        let plain = |b: &u8| (0x20..0x7f).contains(b) && !b"\"\\".contains(b);
        let inner = raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        if !inner.iter().all(plain) {
            let text = str::from_utf8(raw).ok()?;
            json::check(text).ok()?;
            (json::quoted(&json::unquote(text)) == raw).then_some(())?;
        }
        Some(JsonSlice::Stored(range))
    }

    /// Reads a value of `size` bytes. Only its first and last byte are checked.
    pub(super) fn value(&mut self, size: i64) -> Option<JsonSlice> {
        let (raw, range) = self.piece(size)?;
        let fits = match (raw.first()?, raw.last()?) {
            (b'"', b'"') => size > 1,
            (b'{', b'}') | (b'[', b']') => true,
            (b'-' | b'0'..=b'9', b'0'..=b'9') | (b't' | b'f', b'e') | (b'n', b'l') => true,
            _ => false,
        };
        fits.then_some(JsonSlice::Stored(range))
    }
}
