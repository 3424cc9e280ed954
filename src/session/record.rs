//! What is stored under a storage key: a JSON document whose header carries the lengths of the data's members.
//!
//! ```json
//! {"edge-session":1,"deadline":1893456000000000,"absolute":1925000000000000,"generation":3,"tags":["9f86d081"],
//!  "rotations":0,"writes":[1893456000000,6,"name"],"sizes":[6,7],"data":{"name":"Alice"}}
//! ```
//!
//! Times are microseconds of Unix time. `writes` lists the keys that were set or removed in the last minutes: when, in
//! milliseconds, the bytes of the key, and the key (0 and null stand for all keys); it is left out where there are none. `sizes` lists, for each member, the bytes of its key and of its value, so that
//! opening a record costs by the number of keys and an unread value is never parsed. A record that somebody edited by
//! hand is read by a slower scan. The version comes first, and a newer one is left alone.
//!
//! What is checked is the structure: a value whose own text was damaged in the store is found out by whoever reads it.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use super::data::{Data, Text};
use super::expiry::Deadline;
use super::identity::Tag;
use super::journal;
use crate::json;

/// The format that is written; every one up to it is read.
const VERSION: i64 = 1;

/// What a record of this version begins with.
const START: &str = "{\"edge-session\":1,\"deadline\":";

/// How many of its last saves a record remembers.
pub(crate) const MAX_TAGS: usize = 8;

/// For how long a record remembers when a key was written, in milliseconds: longer than any browser carries a change of it.
pub(crate) const WRITES_WINDOW: i64 = journal::WINDOW + 20_000;

/// More writes than this are not remembered one by one.
pub(crate) const MAX_WRITES: usize = 64;

/// What a record says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) deadline: Deadline,
    pub(crate) absolute: Deadline,
    pub(crate) generation: u32,
    /// The tags of the last saves, the newest first.
    pub(crate) tags: Vec<Tag>,
    /// How often the key was changed: the number in the storage key of the session's tombstone.
    pub(crate) rotations: u16,
    /// The last write of each key that was written lately.
    pub(crate) writes: Vec<Write>,
}

/// When a quoted key was set or removed, in milliseconds of Unix time. An empty one stands for all keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) time: i64,
    pub(crate) key: Box<[u8]>,
}

impl Head {
    /// The end of the record: Django's deadline or the absolute one, whichever comes first.
    pub(crate) fn end(&self) -> Deadline {
        // mutation: end-of-record
        self.deadline.min(self.absolute)
    }

    /// Whether the record with the other header contains this one's last save.
    pub(crate) fn is_known_to(&self, other: &Self) -> bool {
        self.tags.first().is_none_or(|tag| other.tags.contains(tag))
    }

    /// Puts `tag` in front of the tags of `before`, as far as a record remembers them.
    pub(crate) fn remember(tag: Tag, before: Option<&Self>) -> Vec<Tag> {
        let older = before.map(|head| head.tags.as_slice()).unwrap_or_default();
        core::iter::once(tag).chain(older.iter().copied()).take(MAX_TAGS).collect()
    }

    /// Takes note of a write of a quoted key.
    pub(crate) fn note(&mut self, key: &[u8], time: i64) {
        self.writes.retain(|write| *write.key != *key);
        self.writes.push(Write { time, key: key.into() });
    }

    /// Takes note of the writes of a save, and forgets those that no browser carries any more. Where they are too many, all
    /// keys count as written.
    pub(crate) fn note_all(&mut self, data: &Data, time: i64) {
        let old = time.saturating_sub(WRITES_WINDOW);
        self.writes.retain(|write| write.time > old);
        if self.writes.len().saturating_add(data.changes().count()) > MAX_WRITES {
            self.writes = vec![Write { time, key: Box::default() }];
            return;
        }
        for (key, _) in data.changes() {
            self.note(key, time);
        }
    }

    /// Counts all keys as written at the time of the last write: a list of single keys would take too much room.
    pub(crate) fn forget_single_writes(&mut self) {
        if let Some(time) = self.writes.iter().map(|write| write.time).max() {
            self.writes = vec![Write { time, key: Box::default() }];
        }
    }

    /// Whether a quoted key was written at `time` or later.
    pub(crate) fn is_written_since(&self, key: &[u8], time: i64) -> bool {
        self.writes.iter().any(|write| write.time >= time && (write.key.is_empty() || *write.key == *key))
    }
}

/// A record, opened.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) head: Head,
    pub(crate) data: Data,
}

/// What stored bytes turned out to be.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "taken apart where it was made")]
pub(crate) enum Opened {
    Record(Record),
    /// Written by a newer version of this crate.
    Newer,
    /// Truncated, damaged, or not a record at all.
    Corrupt,
    /// Larger than records may be under the settings in force. It was not read.
    TooLarge,
}

impl Opened {
    /// The record, if it is one.
    pub(crate) fn record(self) -> Option<Record> {
        match self {
            Self::Record(record) => Some(record),
            Self::Newer | Self::Corrupt | Self::TooLarge => None,
        }
    }
}

/// The bytes to store.
pub(crate) fn encode(head: &Head, data: &Data) -> Vec<u8> {
    let members = data.members().map(|(key, value)| key.len().saturating_add(value.len()).saturating_add(16));
    let mut out = Out(Vec::with_capacity(members.fold(512, usize::saturating_add)));
    out.text(START);
    out.number(head.deadline.0);
    out.text(",\"absolute\":");
    out.number(head.absolute.0);
    out.text(",\"generation\":");
    out.number(head.generation);
    out.text(",\"tags\":[");
    out.list(&head.tags, |out, tag| {
        out.text("\"");
        out.0.extend(tag.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(json::hex_digit));
        out.text("\"");
    });
    out.text("],\"rotations\":");
    out.number(head.rotations);
    if !head.writes.is_empty() {
        out.text(",\"writes\":[");
        out.list(&head.writes, |out, write| {
            out.number(write.time);
            out.text(",");
            out.number(write.key.len());
            out.text(",");
            out.0.extend_from_slice(if write.key.is_empty() { b"null" } else { &write.key });
        });
        out.text("]");
    }
    out.text(",\"sizes\":[");
    out.list(data.members(), |out, (key, value)| {
        out.number(key.len());
        out.text(",");
        out.number(value.len());
    });
    out.text("],\"data\":{");
    out.list(data.members(), |out, (key, value)| {
        out.0.extend_from_slice(key);
        out.text(":");
        out.0.extend_from_slice(value);
    });
    out.text("}}");
    out.0
}

/// A record that is being written.
struct Out(Vec<u8>);

impl Out {
    fn text(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn number(&mut self, number: impl itoa::Integer) {
        self.text(itoa::Buffer::new().format(number));
    }

    fn list<T>(&mut self, items: impl IntoIterator<Item = T>, write: impl Fn(&mut Self, T)) {
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                self.text(",");
            }
            write(self, item);
        }
    }
}

/// Opens stored bytes. Nothing in them can be an error; at worst they are no record.
pub(crate) fn decode(bytes: Vec<u8>) -> Opened {
    match split(&bytes) {
        Some((head, members)) => record(head, bytes, members),
        None => str::from_utf8(&bytes).ok().and_then(scan).unwrap_or(Opened::Corrupt),
    }
}

/// Bytes that a record may have beyond the limit: its header, and what Django itself keeps in the data.
const RESERVED: usize = 1024;

/// Whether a record of these bytes may have been written under this limit.
pub(crate) fn is_within(limit: usize, bytes: &[u8]) -> bool {
    bytes.len() <= limit.saturating_add(RESERVED)
}

/// The bytes of a record that do not count towards the limit: the header before the members' sizes, and the entries of
/// Django's own keys. So an expiry, the test cookie and a removal always find room.
pub(crate) fn uncounted(bytes: &[u8], data: &Data) -> usize {
    let mut start = Rest { bytes, at: 0 };
    let header = start.head().map_or(0, |_| start.at);
    let django = data.members().filter(|(key, _)| [b"\"_session_expiry\"".as_slice(), b"\"testcookie\""].contains(key));
    // Two sizes of up to three digits, and the separators.
    let entry = |(key, value): (&[u8], &[u8])| key.len().saturating_add(value.len()).saturating_add(10);
    django.map(entry).fold(header, usize::saturating_add).min(RESERVED)
}

/// The tag of the last save of a record that this version wrote, without reading more of it.
pub(crate) fn last_tag(bytes: &[u8]) -> Option<Tag> {
    let mut start = Rest { bytes, at: START.len() };
    for word in [",\"absolute\":", ",\"generation\":", ",\"tags\":["] {
        let digits = start.left().iter().position(|byte| *byte == b',')?;
        start.at = start.at.saturating_add(digits);
        start.word(word)?;
    }
    tag(start.piece(10)?.0)
}

/// Opens stored bytes as [`decode`] does, unless they are more than this limit allows.
pub(crate) fn decode_within(limit: usize, bytes: Vec<u8>) -> Opened {
    if is_within(limit, &bytes) { decode(bytes) } else { Opened::TooLarge }
}

/// What the record in `bytes` says about itself, for those who do not want its data.
pub(crate) fn head(bytes: &[u8]) -> Option<Head> {
    let mut start = Rest { bytes, at: 0 };
    if let Some((head, sizes)) = start.head().zip(start.sizes())
        && start.ends_after(sizes).is_some()
    {
        return Some(head);
    }
    // Without a copy: what is no record may be as large as the store allows.
    match str::from_utf8(bytes).ok().and_then(scan)? {
        Opened::Record(record) => Some(record.head),
        _ => None,
    }
}

fn record(head: Head, bytes: Vec<u8>, members: Vec<(Text, Text)>) -> Opened {
    Data::stored(bytes, members).map_or(Opened::Corrupt, |data| Opened::Record(Record { head, data }))
}

/// The quick way: every byte is where this version writes it.
fn split(record: &[u8]) -> Option<(Head, Vec<(Text, Text)>)> {
    let mut rest = Rest { bytes: record, at: 0 };
    let head = rest.head()?;
    let mut members = Vec::new();
    for (key_size, value_size) in rest.sizes()? {
        if !members.is_empty() {
            rest.word(",")?;
        }
        let key = rest.key(key_size)?;
        rest.word(":")?;
        members.push((key, rest.value(value_size)?));
    }
    rest.word("}}")?;
    let complete = rest.at == record.len();
    complete.then_some((head, members))
}

/// The slow way: any JSON document with the right members.
fn scan(text: &str) -> Option<Opened> {
    // The data are a level of their own around values of the greatest depth.
    let members = json::members_within(text, json::MAX_DEPTH.saturating_add(1)).ok()?;
    let member = |name: &str| {
        let mut found = members.iter().filter(|(key, _)| key == name).map(|(_, value)| *value);
        found.next().filter(|_| found.next().is_none())
    };
    let number = |name| json::integer(member(name)?.as_bytes());
    let version = number("edge-session").filter(|version| *version >= 0)?;
    if version > VERSION {
        return Some(Opened::Newer);
    }
    let head = Head {
        deadline: Deadline(number("deadline")?),
        absolute: Deadline(number("absolute")?),
        generation: number("generation")?.try_into().ok()?,
        tags: tags(member("tags")?).filter(|tags| tags.len() <= MAX_TAGS)?,
        rotations: number("rotations")?.try_into().ok()?,
        // Who wrote what and when only serves to settle a conflict: an edited record has none.
        writes: Vec::new(),
    };
    let own = |(key, value): (String, &str)| (Text::Own(json::quoted(&key).into()), Text::Own(value.as_bytes().into()));
    let data = json::members(member("data")?).ok()?.into_iter().map(own).collect();
    Some(record(head, Vec::new(), data))
}

/// `["9f86d081",…]`
fn tags(text: &str) -> Option<Vec<Tag>> {
    let list = text.strip_prefix('[')?.strip_suffix(']')?;
    list.split(',').map(str::trim).filter(|text| !text.is_empty()).map(|text| tag(text.as_bytes())).collect()
}

/// `"9f86d081"`
fn tag(text: &[u8]) -> Option<Tag> {
    let [b'"', digits @ .., b'"'] = text else { return None };
    let digit = |number: u32, digit: &u8| Some(number << 4 | char::from(*digit).to_digit(16)?);
    let number = digits.iter().try_fold(0, digit)?;
    (digits.len() == 8).then_some(number.to_be_bytes())
}

/// What of a record has not been split yet.
struct Rest<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Rest<'a> {
    fn left(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let found = self.left().starts_with(word.as_bytes());
        found.then(|| self.at = self.at.saturating_add(word.len()))
    }

    fn number(&mut self) -> Option<i64> {
        let left = self.left();
        let end = left.iter().position(|b| !(b.is_ascii_digit() || *b == b'-')).unwrap_or(left.len());
        self.at = self.at.saturating_add(end);
        json::integer(left.get(..end)?)
    }

    fn head(&mut self) -> Option<Head> {
        self.word(START)?;
        let deadline = Deadline(self.number()?);
        self.word(",\"absolute\":")?;
        let absolute = Deadline(self.number()?);
        self.word(",\"generation\":")?;
        let generation = self.number()?.try_into().ok()?;
        self.word(",\"tags\":[")?;
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
                writes.push(Write { time, key });
            }
        }
        Some(Head { deadline, absolute, generation, tags, rotations, writes })
    }

    /// The sizes of the members' keys and values, up to where the first member begins.
    fn sizes(&mut self) -> Option<Vec<(i64, i64)>> {
        self.word(",\"sizes\":[")?;
        let mut sizes = Vec::new();
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

    /// Whether the record is complete with members of these sizes.
    fn ends_after(&mut self, sizes: Vec<(i64, i64)>) -> Option<()> {
        for (at, (key, value)) in sizes.into_iter().enumerate() {
            // A colon, and a comma before all members but the first.
            self.piece(key.checked_add(value)?.checked_add(if at > 0 { 2 } else { 1 })?)?;
        }
        self.word("}}")?;
        (self.at == self.bytes.len()).then_some(())
    }

    fn piece(&mut self, size: i64) -> Option<(&'a [u8], Range<usize>)> {
        let range = self.at..self.at.checked_add(size.try_into().ok()?)?;
        let piece = self.bytes.get(range.clone())?;
        self.at = range.end;
        Some((piece, range))
    }

    /// A key of `size` bytes, quotes included, as it would be written again.
    fn key(&mut self, size: i64) -> Option<Text> {
        let (raw, range) = self.piece(size)?;
        let plain = |b: &u8| (0x20..0x7f).contains(b) && !b"\"\\".contains(b);
        let inner = raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        if !inner.iter().all(plain) {
            let text = str::from_utf8(raw).ok()?;
            json::check(text).ok()?;
            (json::quoted(&json::unquote(text)) == raw).then_some(())?;
        }
        Some(Text::Stored(range))
    }

    /// A value of `size` bytes, of which only the first and the last are looked at.
    fn value(&mut self, size: i64) -> Option<Text> {
        let (raw, range) = self.piece(size)?;
        let fits = match (raw.first()?, raw.last()?) {
            (b'"', b'"') => size > 1,
            (b'{', b'}') | (b'[', b']') => true,
            (b'-' | b'0'..=b'9', b'0'..=b'9') | (b't' | b'f', b'e') | (b'n', b'l') => true,
            _ => false,
        };
        fits.then_some(Text::Stored(range))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> (Head, Data) {
        let head = Head {
            deadline: Deadline(1_893_456_000_000_250),
            absolute: Deadline(1_925_000_000_000_000),
            generation: 3,
            tags: vec![[0x9f, 0x86, 0xd0, 0x81], [0, 0, 0, 1]],
            rotations: 2,
            writes: Vec::new(),
        };
        let mut data = Data::default();
        data.set("name", b"\"Alice\"".as_slice().into());
        data.set("quote\"d\\ é\n", b"{\"a\":[1,2,{}]}".as_slice().into());
        data.set("", b"-1.5".as_slice().into());
        (head, data)
    }

    fn texts(data: &Data) -> Vec<(String, String)> {
        data.iter().map(|(k, v)| (k.into_owned(), String::from_utf8(v.to_vec()).unwrap())).collect()
    }

    fn opened(bytes: &[u8]) -> (Head, Vec<(String, String)>) {
        match decode(bytes.to_vec()) {
            Opened::Record(Record { head, data }) => (head, texts(&data)),
            other => panic!("{other:?}"),
        }
    }

    // The golden record of version 1: it must be readable for ever.
    const GOLDEN: &str = concat!(
        r#"{"edge-session":1,"deadline":1893456000000250,"absolute":1925000000000000,"generation":3,"#,
        r#""tags":["9f86d081","00000001"],"rotations":2,"sizes":[6,7,17,14,2,4],"#,
        r#""data":{"name":"Alice","quote\"d\\ é\n":{"a":[1,2,{}]},"":-1.5}}"#
    );

    #[test]
    fn a_record_is_written_as_it_always_was() {
        let (head, data) = sample();
        assert_eq!(String::from_utf8(encode(&head, &data)).unwrap(), GOLDEN);
        assert!(split(GOLDEN.as_bytes()).is_some());
    }

    #[test]
    fn the_writes_are_read_back_and_an_edit_by_hand_forgets_them() {
        let (mut head, data) = sample();
        let key = |text: &str| json::quoted(text).into();
        for keys in [vec!["name"], vec!["quote\"d\\ é\n", "", "gone"]] {
            let times = 1_893_456_000_000..;
            head.writes = keys.iter().zip(times).map(|(text, time)| Write { time, key: key(text) }).collect();
            check(&head, &data);
        }
        head.writes = vec![Write { time: -1, key: Box::default() }, Write { time: 7, key: key("name") }];
        check(&head, &data);

        fn check(head: &Head, data: &Data) {
            let bytes = encode(head, data);
            assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
            assert!(split(&bytes).is_some());
            assert_eq!(opened(&bytes), (head.clone(), texts(data)));
            assert_eq!(super::head(&bytes).as_ref(), Some(head));
            let edited = String::from_utf8(bytes).unwrap().replace("\"Alice\"", "\"Alicia\"");
            assert!(split(edited.as_bytes()).is_none());
            let (read, members) = opened(edited.as_bytes());
            assert_eq!(read, Head { writes: Vec::new(), ..head.clone() });
            assert_eq!(members.len(), texts(data).len());
        }
    }

    #[test]
    fn of_many_writes_at_once_all_keys_count_as_written() {
        let (mut head, _) = sample();
        let wrote = |count: usize| {
            let mut data = Data::default();
            for number in 0..count {
                data.set(&number.to_string(), b"1".as_slice().into());
            }
            data
        };
        head.note_all(&wrote(MAX_WRITES), 1_000);
        assert_eq!(head.writes.len(), MAX_WRITES);
        assert!(head.is_written_since(b"\"63\"", 1_000) && !head.is_written_since(b"\"63\"", 1_001));
        assert!(!head.is_written_since(b"\"64\"", 0));
        head.note_all(&wrote(1), 2_000);
        assert_eq!(head.writes, [Write { time: 2_000, key: Box::default() }], "there is no room for one more");
        assert!(head.is_written_since(b"\"64\"", 2_000) && !head.is_written_since(b"\"64\"", 2_001));
        head.note_all(&wrote(1), 2_000 + WRITES_WINDOW - 1);
        assert_eq!(head.writes.len(), 2);
        head.note_all(&wrote(1), 2_000 + WRITES_WINDOW);
        assert_eq!(head.writes.len(), 1, "and it is forgotten as any other");
        assert!(!head.is_written_since(b"\"64\"", 0));
    }

    #[test]
    fn a_record_edited_by_hand_is_read_by_the_slow_scan() {
        let (head, data) = sample();
        let edited = GOLDEN.replace("\"Alice\"", "\"Alicia\"").replace(",\"rotations\"", " ,\n \"rotations\"");
        assert!(split(edited.as_bytes()).is_none());
        let (read, members) = opened(edited.as_bytes());
        assert_eq!(read, head);
        assert_eq!(members[0], ("name".to_owned(), "\"Alicia\"".to_owned()));
        assert_eq!(members.len(), data.iter().count());
    }

    #[test]
    fn a_value_of_the_greatest_depth_survives_an_edit_by_hand() {
        let (head, mut data) = sample();
        data.set("deep", ("[".repeat(64) + &"]".repeat(64)).into_bytes().into());
        let edited = String::from_utf8(encode(&head, &data)).unwrap().replace("\"Alice\"", "\"Alicia\"");
        assert_eq!(opened(edited.as_bytes()).1.len(), 4);
    }

    #[test]
    fn a_record_cut_short_anywhere_is_corrupt() {
        for end in 0..GOLDEN.len() {
            assert!(matches!(decode(GOLDEN.as_bytes()[..end].to_vec()), Opened::Corrupt), "cut at {end}");
        }
    }

    #[test]
    fn what_is_no_record_is_corrupt() {
        for foreign in [
            "",
            "null",
            "[]",
            "\"x\"",
            "1",
            "{}",
            "{\"data\":{}}",
            "{\"edge-session\":0}",
            "not json",
            "\u{fffd}\u{fffd}",
            &GOLDEN.replace(":1,\"deadline\"", ":-1,\"deadline\""),
            &GOLDEN.replace("\"generation\":3", "\"generation\":-3"),
            &GOLDEN.replace("\"data\":{", "\"data\":[{").replace("-1.5}}", "-1.5}]}"),
            &GOLDEN.replace("\"quote", "\"name\":1,\"quote"),
            &GOLDEN.replace("9f86d081", "9f86d08+"),
            &format!("{GOLDEN} x"),
        ] {
            assert!(matches!(decode(foreign.as_bytes().to_vec()), Opened::Corrupt), "{foreign}");
        }
        assert!(matches!(decode(b"\xff\xfe".to_vec()), Opened::Corrupt));
    }

    #[test]
    fn a_key_that_comes_twice_is_corrupt_on_both_ways() {
        let twice = GOLDEN.replace("quote\\\"d\\\\ é\\n", "name").replace("17,14", "6,14");
        assert!(matches!(decode(twice.clone().into_bytes()), Opened::Corrupt));
        assert!(matches!(decode(twice.replace("\"sizes\"", " \"sizes\"").into_bytes()), Opened::Corrupt));
    }

    #[test]
    fn a_newer_version_is_told_from_a_corrupt_record() {
        assert!(matches!(decode(br#"{"edge-session":2,"something":"else"}"#.to_vec()), Opened::Newer));
    }

    #[test]
    fn the_end_is_the_earlier_deadline() {
        let (mut head, _) = sample();
        assert_eq!(head.end(), head.deadline);
        head.absolute = Deadline(5);
        assert_eq!(head.end(), Deadline(5));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(members in prop::collection::btree_map(any::<String>(), any::<String>(), 0..50)) {
            let (head, _) = sample();
            let mut data = Data::default();
            for (key, value) in &members {
                data.set(key, serde_json::to_vec(value).unwrap().into());
            }
            let bytes = encode(&head, &data);
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
            prop_assert!(split(&bytes).is_some());
            let (read, pairs) = opened(&bytes);
            prop_assert_eq!(read, head);
            prop_assert_eq!(pairs, texts(&data));
        }

        #[test]
        fn no_bytes_break_the_reader(mut bytes in Just(GOLDEN.as_bytes().to_vec()), flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
            for (at, byte) in flips {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let _ = decode(bytes);
        }
    }
}
