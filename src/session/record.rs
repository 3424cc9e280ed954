//! The record of a session in the store: a JSON document whose header contains the lengths of the data's members.
//!
//! ```json
//! {"edge-session":1,"deadline":1893456000000000,"absolute":1925000000000000,"generation":3,"tags":["9f86d081"],
//!  "rotations":0,"writes":[1893456000000,6,"name"],"sizes":[6,7],"data":{"name":"Alice"}}
//! ```
//!
//! Times are microseconds of Unix time. `writes` lists the keys that were set or removed in the last minutes: the time in
//! milliseconds, the length of the key, and the key (0 and null mean all keys). It is omitted if it is empty. On a linearizable store,
//! `key`, `cycled` and `next` follow the rotations: the digest of the session key, the time of its rotation in milliseconds, and after a
//! login, the digest of the family to which the session has moved. `sizes` lists the
//! lengths of each member's key and value, so that the cost of decoding depends on the number of keys, and a value is only parsed
//! when it is read. A record that was edited by hand is read by a slower scan. The version comes first. A record of a newer
//! version is left unchanged.
//!
//! Decoding validates the structure only; a corrupt value is detected when it is read.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::data::{Data, JsonSlice};
use super::deadline::Deadline;
use super::identity::Tag;
use super::key_digest::KeyDigest;
use super::limits::MAX_TAGS;
use super::record_header::{Owner, RecordHeader};
use super::record_reader::{RecordReader, START, tag};
use super::record_writer::RecordWriter;
use crate::json;

/// The version of the format that is written. All versions up to it are read.
const VERSION: i64 = 1;

/// A decoded record.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) head: RecordHeader,
    pub(crate) data: Data,
}

/// The result of decoding stored bytes.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "it is matched where it is made")]
pub(crate) enum Decoded {
    Record(Record),
    /// Written by a newer version of this crate.
    Newer,
    /// Truncated, damaged, or not a record.
    Corrupt,
    /// Larger than the settings allow. It was not decoded.
    TooLarge,
}

impl Decoded {
    /// Returns the record, if it is valid.
    pub(crate) fn record(self) -> Option<Record> {
        match self {
            Self::Record(record) => Some(record),
            Self::Newer | Self::Corrupt | Self::TooLarge => None,
        }
    }
}

/// Encodes a record.
pub(crate) fn encode(head: &RecordHeader, data: &Data) -> Vec<u8> {
    let members = data.members().map(|(key, value)| key.len().saturating_add(value.len()).saturating_add(16));
    let mut out = RecordWriter(Vec::with_capacity(members.fold(512, usize::saturating_add)));
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
    if let Some(Owner { key, cycled, next }) = head.owner.as_deref() {
        out.text(",\"key\":");
        out.digest(key.as_ref());
        if let Some(cycled) = cycled {
            out.text(",\"cycled\":");
            out.number(*cycled);
        }
        if next.is_some() {
            out.text(",\"next\":");
            out.digest(next.as_ref());
        }
    }
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

/// Decodes stored bytes. Bytes that are not a record are not an error but [`Decoded::Corrupt`].
pub(crate) fn decode(bytes: Vec<u8>) -> Decoded {
    match split(&bytes) {
        Some((head, members)) => record(head, bytes, members),
        None => str::from_utf8(&bytes).ok().and_then(scan).unwrap_or(Decoded::Corrupt),
    }
}

/// The number of bytes by which a record may exceed the limit, for its header and Django's own keys.
const RESERVED: usize = 1024;

/// Returns whether these bytes can be a record that was written under this limit.
pub(crate) fn is_within(limit: usize, bytes: &[u8]) -> bool {
    bytes.len() <= limit.saturating_add(RESERVED)
}

/// Returns the number of bytes that do not count towards the limit: the header before the members' sizes, and the entries of
/// Django's own keys. An expiry, the test cookie and a removal therefore always fit.
pub(crate) fn uncounted(bytes: &[u8], data: &Data) -> usize {
    let mut start = RecordReader { bytes, at: 0 };
    let header = start.head().map_or(0, |_| start.at);
    let django = data.members().filter(|(key, _)| [b"\"_session_expiry\"".as_slice(), b"\"testcookie\""].contains(key));
    // 10 bytes: two sizes of up to three digits, and the separators.
    let entry = |(key, value): (&[u8], &[u8])| key.len().saturating_add(value.len()).saturating_add(10);
    django.map(entry).fold(header, usize::saturating_add).min(RESERVED)
}

/// Returns the end and the tag of the last save of a record that this version wrote, without reading the rest.
pub(crate) fn last_save(bytes: &[u8]) -> Option<(Deadline, Tag)> {
    let mut record = RecordReader { bytes, at: 0 };
    let (deadline, absolute, _) = record.start()?;
    Some((deadline.min(absolute), tag(record.piece(10)?.0)?))
}

/// Decodes stored bytes as [`decode`] does, unless they exceed this limit.
pub(crate) fn decode_within(limit: usize, bytes: Vec<u8>) -> Decoded {
    if is_within(limit, &bytes) { decode(bytes) } else { Decoded::TooLarge }
}

/// Decodes the header of the record in `bytes`, without the data.
pub(crate) fn head(bytes: &[u8]) -> Option<RecordHeader> {
    let mut start = RecordReader { bytes, at: 0 };
    if let Some((head, sizes)) = start.head().zip(start.sizes())
        && start.ends_after(sizes).is_some()
    {
        return Some(head);
    }
    // Without a copy: a foreign value may be as large as the store allows.
    match str::from_utf8(bytes).ok().and_then(scan)? {
        Decoded::Record(record) => Some(record.head),
        _ => None,
    }
}

fn record(head: RecordHeader, bytes: Vec<u8>, members: Vec<(JsonSlice, JsonSlice)>) -> Decoded {
    Data::stored(bytes, members).map_or(Decoded::Corrupt, |data| Decoded::Record(Record { head, data }))
}

/// Splits a record that this version wrote: the fast way.
fn split(record: &[u8]) -> Option<(RecordHeader, Vec<(JsonSlice, JsonSlice)>)> {
    let mut rest = RecordReader { bytes: record, at: 0 };
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

/// Scans any JSON document with the members of a record: the slow way.
fn scan(text: &str) -> Option<Decoded> {
    // The data are one more level around values of the maximum depth.
    let members = json::members_within(text, json::MAX_DEPTH.saturating_add(1)).ok()?;
    let member = |name: &str| {
        let mut found = members.iter().filter(|(key, _)| key == name).map(|(_, value)| *value);
        found.next().filter(|_| found.next().is_none())
    };
    let number = |name| json::integer(member(name)?.as_bytes());
    let version = number("edge-session").filter(|version| *version >= 0)?;
    if version > VERSION {
        return Some(Decoded::Newer);
    }
    let head = RecordHeader {
        deadline: Deadline(number("deadline")?),
        absolute: Deadline(number("absolute")?),
        generation: number("generation")?.try_into().ok()?,
        tags: tags(member("tags")?).filter(|tags| tags.len() <= MAX_TAGS)?,
        rotations: number("rotations")?.try_into().ok()?,
        // The writes only serve to resolve conflicts. An edited record has none.
        writes: Vec::new(),
        owner: match member("key") {
            Some(key) => {
                let next = match member("next") {
                    Some(next) => digest(next)?,
                    None => None,
                };
                Some(Box::new(Owner { key: digest(key)?, cycled: number("cycled"), next }))
            }
            None => None,
        },
    };
    let own = |(key, value): (String, &str)| {
        (JsonSlice::Own(json::quoted(&key).into()), JsonSlice::Own(value.as_bytes().into()))
    };
    let data = json::members(member("data")?).ok()?.into_iter().map(own).collect();
    Some(record(head, Vec::new(), data))
}

/// Parses the digest of a session key, or `null`.
fn digest(text: &str) -> Option<Option<KeyDigest>> {
    if text == "null" {
        return Some(None);
    }
    let digest = text.strip_prefix('"')?.strip_suffix('"')?;
    KeyDigest::parse(digest.as_bytes()).map(Some)
}

/// Parses a list of tags: `["9f86d081",…]`.
fn tags(text: &str) -> Option<Vec<Tag>> {
    let list = text.strip_prefix('[')?.strip_suffix(']')?;
    list.split(',').map(str::trim).filter(|text| !text.is_empty()).map(|text| tag(text.as_bytes())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::record_header::RecentWrite;
    use crate::session::record_header::tests::header;
    use proptest::prelude::*;

    fn sample() -> (RecordHeader, Data) {
        let mut data = Data::default();
        data.set("name", b"\"Alice\"".as_slice().into());
        data.set("quote\"d\\ é\n", b"{\"a\":[1,2,{}]}".as_slice().into());
        data.set("", b"-1.5".as_slice().into());
        (header(), data)
    }

    fn texts(data: &Data) -> Vec<(String, String)> {
        data.iter().map(|(k, v)| (k.into_owned(), String::from_utf8(v.to_vec()).unwrap())).collect()
    }

    fn opened(bytes: &[u8]) -> (RecordHeader, Vec<(String, String)>) {
        match decode(bytes.to_vec()) {
            Decoded::Record(Record { head, data }) => (head, texts(&data)),
            other => panic!("{other:?}"),
        }
    }

    // The golden record of version 1. It must stay readable.
    const GOLDEN: &str = concat!(
        r#"{"edge-session":1,"deadline":1893456000000250,"absolute":1925000000000000,"generation":3,"#,
        r#""tags":["9f86d081","00000001"],"rotations":2,"sizes":[6,7,17,14,2,4],"#,
        r#""data":{"name":"Alice","quote\"d\\ é\n":{"a":[1,2,{}]},"":-1.5}}"#
    );

    #[test]
    fn the_format_of_version_1_is_unchanged() {
        let (head, data) = sample();
        assert_eq!(String::from_utf8(encode(&head, &data)).unwrap(), GOLDEN);
        assert!(split(GOLDEN.as_bytes()).is_some());
    }

    #[test]
    fn writes_are_decoded_and_an_edit_by_hand_drops_them() {
        let (mut head, data) = sample();
        let key = |text: &str| json::quoted(text).into();
        for keys in [vec!["name"], vec!["quote\"d\\ é\n", "", "gone"]] {
            let times = 1_893_456_000_000..;
            head.writes = keys.iter().zip(times).map(|(text, time)| RecentWrite { time, key: key(text) }).collect();
            check(&head, &data);
        }
        head.writes = vec![RecentWrite { time: -1, key: Box::default() }, RecentWrite { time: 7, key: key("name") }];
        check(&head, &data);

        fn check(head: &RecordHeader, data: &Data) {
            let bytes = encode(head, data);
            assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
            assert!(split(&bytes).is_some());
            assert_eq!(opened(&bytes), (head.clone(), texts(data)));
            assert_eq!(super::head(&bytes).as_ref(), Some(head));
            let edited = String::from_utf8(bytes).unwrap().replace("\"Alice\"", "\"Alicia\"");
            assert!(split(edited.as_bytes()).is_none());
            let (read, members) = opened(edited.as_bytes());
            assert_eq!(read, RecordHeader { writes: Vec::new(), ..head.clone() });
            assert_eq!(members.len(), texts(data).len());
        }
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
    fn a_value_of_the_maximum_depth_survives_an_edit_by_hand() {
        let (head, mut data) = sample();
        data.set("deep", ("[".repeat(64) + &"]".repeat(64)).into_bytes().into());
        let edited = String::from_utf8(encode(&head, &data)).unwrap().replace("\"Alice\"", "\"Alicia\"");
        assert_eq!(opened(edited.as_bytes()).1.len(), 4);
    }

    #[test]
    fn a_record_cut_short_anywhere_is_corrupt() {
        for end in 0..GOLDEN.len() {
            assert!(matches!(decode(GOLDEN.as_bytes()[..end].to_vec()), Decoded::Corrupt), "cut at {end}");
        }
    }

    #[test]
    fn bytes_that_are_not_a_record_are_corrupt() {
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
            assert!(matches!(decode(foreign.as_bytes().to_vec()), Decoded::Corrupt), "{foreign}");
        }
        assert!(matches!(decode(b"\xff\xfe".to_vec()), Decoded::Corrupt));
    }

    #[test]
    fn a_duplicate_key_is_corrupt_for_both_readers() {
        let twice = GOLDEN.replace("quote\\\"d\\\\ é\\n", "name").replace("17,14", "6,14");
        assert!(matches!(decode(twice.clone().into_bytes()), Decoded::Corrupt));
        assert!(matches!(decode(twice.replace("\"sizes\"", " \"sizes\"").into_bytes()), Decoded::Corrupt));
    }

    #[test]
    fn a_newer_version_is_distinguished_from_a_corrupt_record() {
        assert!(matches!(decode(br#"{"edge-session":2,"something":"else"}"#.to_vec()), Decoded::Newer));
    }

    proptest! {
        #[test]
        fn decoding_reverses_encoding(members in prop::collection::btree_map(any::<String>(), any::<String>(), 0..50)) {
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
        fn no_bytes_panic_the_decoder(mut bytes in Just(GOLDEN.as_bytes().to_vec()), flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
            for (at, byte) in flips {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let _ = decode(bytes);
        }
    }
}
